"""The area under the ROC curve of records in clusters, such as the cells of patients, with its variance.

scipy is imported where it is used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def clustered_auroc(scores: ArrayLike, positive: ArrayLike, clusters: ArrayLike) -> tuple[float, float]:
    r"""Return the area over all pairs of records, and the variance of its estimate where whole clusters are drawn.

    As DeLong's, with the shares of all records of a cluster summed first: with :math:`a_i` the sum over the positives
    of cluster i of (share of negatives that it outranks - area), :math:`b_i` likewise over its negatives, M positives,
    N negatives, I clusters, and :math:`I_{10}`, :math:`I_{01}` of them with any positive or negative,

    .. math::
        \frac{I_{10}}{(I_{10} - 1) M^2} \sum a_i^2 + \frac{I_{01}}{(I_{01} - 1) N^2} \sum b_i^2
        + \frac{2 I}{(I - 1) M N} \sum a_i b_i.

    It costs one sorting, where a bootstrap sorts in every resample.

    Parameters
    ----------
    scores
        N finite numbers, higher for positive.
    positive
        N flags.
    clusters
        N names.

    Returns
    -------
    Area, 0 to 1, and variance, 0 or more; the area is NaN where one kind is missing, the variance where fewer than two
    clusters have records of a kind.

    Raises
    ------
    ValueError
        If the lengths differ or a score is not finite.

    References
    ----------
    Obuchowski NA. Biometrics 1997;53:567-578.
    """
    from scipy.stats import rankdata

    values, flags, names = np.asarray(scores, np.float64), np.asarray(positive, bool), np.asarray(clusters)
    if not values.shape == flags.shape == names.shape or not np.isfinite(values).all():
        raise ValueError(f"need finite scores, flags and clusters, not {values.shape}, {flags.shape}, {names.shape}")
    m, n = int(flags.sum()), int((~flags).sum())
    if not m or not n:
        return float("nan"), float("nan")
    ranks = rankdata(values)
    of_positives = (ranks[flags] - rankdata(values[flags])) / n
    of_negatives = 1 - (ranks[~flags] - rankdata(values[~flags])) / m
    area = float(of_positives.mean())
    kinds, member = np.unique(names, return_inverse=True)
    a = np.bincount(member[flags], of_positives - area, len(kinds))
    b = np.bincount(member[~flags], of_negatives - area, len(kinds))
    with_positives, with_negatives = len(np.unique(member[flags])), len(np.unique(member[~flags]))
    if min(with_positives, with_negatives) < 2:
        return area, float("nan")
    variance = (
        _corrected(with_positives) * (a @ a) / m**2
        + _corrected(with_negatives) * (b @ b) / n**2
        + 2 * _corrected(len(kinds)) * (a @ b) / (m * n)
    )
    return area, max(float(variance), 0.0)


def _corrected(count: int) -> float:
    return count / (count - 1)
