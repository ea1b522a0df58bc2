"""Many tests at once: p values adjusted so that any false rejection at all is as rare as stated."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    r"""Return p values adjusted by Holm's step-down procedure.

    With m values, the k-th smallest becomes :math:`\max_{j \le k} \min(1, (m - j + 1) p_{(j)})`. Rejecting what is at
    most :math:`\alpha` afterwards makes one or more false rejections with probability :math:`\alpha` at most, however
    the tests depend on each other; never less is rejected than by Bonferroni.

    Parameters
    ----------
    p_values
        M numbers from 0 to 1; NaN for a test that could not be done: it stays NaN and does not count.

    Returns
    -------
    M adjusted p values, each as great as its own or greater, in the order given.

    Raises
    ------
    ValueError
        If there is more than one axis, or a p value lies outside 0 to 1.

    References
    ----------
    Holm S. Scand J Stat 1979;6:65-70.
    """
    values = np.asarray(p_values, np.float64)
    done = np.isfinite(values)
    if values.ndim != 1 or ((values[done] < 0) | (values[done] > 1)).any() or np.isinf(values).any():
        raise ValueError("need one row of p values between 0 and 1, NaN where a test could not be done")
    places = np.flatnonzero(done)
    order = places[np.argsort(values[places], kind="stable")]
    adjusted = np.full(values.shape, np.nan)
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
