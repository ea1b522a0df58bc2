"""Which of many tests to believe, at a stated share of false ones among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def benjamini_hochberg(p_values: ArrayLike, rate: float) -> NDArray[np.bool_]:
    """Return which hypotheses are rejected so that on average at most ``rate`` of the rejections are false.

    Holds for independent tests and for those that depend positively on each other, such as neighboring pixels.

    Parameters
    ----------
    p_values
        Numbers from 0 to 1, of any shape.
    rate
        False discovery rate, strictly between 0 and 1.

    Returns
    -------
    Bool of the shape of the p values.

    Raises
    ------
    ValueError
        If a p value lies outside 0 to 1 or is not a number, or the rate is out of range.

    References
    ----------
    Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300.
    """
    values = _checked(p_values)
    if not 0 < rate < 1:
        raise ValueError(f"a false discovery rate lies strictly between 0 and 1, not at {rate}")
    flat = np.sort(values, axis=None)
    below = np.flatnonzero(flat <= rate * np.arange(1, flat.size + 1) / max(flat.size, 1))
    if not below.size:
        return np.zeros(values.shape, np.bool_)
    return np.asarray(values <= flat[below[-1]], np.bool_)


def simes(p_values: ArrayLike, axis: int) -> NDArray[np.float64]:
    """Return one p value for the hypothesis that all those along an axis are true.

    The smallest over k of n p_(k) / k (Simes RJ. Biometrika 1986;73:751-754).

    Raises
    ------
    ValueError
        If a p value lies outside 0 to 1 or is not a number.
    """
    ordered = np.moveaxis(np.sort(_checked(p_values), axis=axis), axis, -1)
    count = ordered.shape[-1]
    combined: NDArray[np.float64] = (ordered * count / np.arange(1, count + 1)).min(axis=-1)
    return combined


def _checked(p_values: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(p_values, np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p values lie between 0 and 1")
    return values
