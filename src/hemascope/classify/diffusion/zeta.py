"""The score zeta of CytoDiffusion: how far the best class is ahead, against how far the others are apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

PUBLISHED_MOST = 10
"""Classes after the best that the published score looks at, at most."""


def zeta(errors: ArrayLike, *, corrected: bool = True) -> NDArray[np.float64]:
    r"""Return N scores of N x K errors; the higher, the more certain the class of least error.

    With errors sorted, :math:`e_0 \le e_1 \le \dots`,

    .. math:: \zeta = \frac{1}{k} \sum_j (e_j - e_0) - \frac{1}{k (k - 1)} \sum_{j, l} |e_l - e_j|.

    Corrected, j and l run over all k = K - 1 other classes: the mean distance to the best less the mean distance
    between two of the others (0 where there is but one other). As published, k = min(K - 1, 10) and j and l run from 1
    to k - 1, so that the worst class is left out while the divisors count it.

    Parameters
    ----------
    errors
        N x K, such as ``DiffusionAnswers.errors``. They should be of fixed trials: classes given up early distort the
        score.
    corrected
        Whether all other classes count.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or three for the published score, or an error is not finite.
    """
    values = np.asarray(errors, np.float64)
    least = 2 if corrected else 3
    if values.ndim != 2 or values.shape[1] < least:
        raise ValueError(f"zeta needs N x K errors of at least {least} classes, not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("zeta needs finite errors of all classes; try every class on every cell")
    ranked = np.sort(values, axis=1)
    k = values.shape[1] - 1 if corrected else min(values.shape[1] - 1, PUBLISHED_MOST)
    others = ranked[:, 1 : k + 1] if corrected else ranked[:, 1:k]
    count = others.shape[1]
    # Of sorted numbers, the i-th is added i times and taken off count - 1 - i times in the sum of all distances.
    apart = 2 * others @ (2.0 * np.arange(count) - count + 1)
    ahead = (others - ranked[:, :1]).sum(axis=1)
    answer: NDArray[np.float64] = ahead / k - apart / max(k * (k - 1), 1)
    return answer
