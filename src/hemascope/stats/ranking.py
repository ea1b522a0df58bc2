"""How well scores rank what is positive above what is not: areas under two curves, as statistics of weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.stats.resample import Statistic


def auroc_statistic(scores: ArrayLike, positive: ArrayLike) -> Statistic:
    """Return the area under the ROC curve as a statistic of weights: the share of pairs in order, ties counted half.

    It is NaN where one kind is missing.

    Parameters
    ----------
    scores
        N finite numbers, higher for positive.
    positive
        N flags.

    Raises
    ------
    ValueError
        If the lengths differ or a score is not finite.
    """
    order, starts, of_positive = _sorted_ties(scores, positive)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        above, below = _sums_of_ties(weights, order, starts, of_positive)
        in_order = (above * (below.cumsum(axis=1) - below / 2)).sum(axis=1)
        pairs = above.sum(axis=1) * below.sum(axis=1)
        area: NDArray[np.float64] = np.divide(in_order, pairs, out=np.full_like(pairs, np.nan), where=pairs > 0)
        return area

    return statistic


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the area under the ROC curve; NaN where one kind is missing."""
    return float(auroc_statistic(scores, positive)(np.ones((1, len(np.asarray(scores)))))[0])


def average_precision_statistic(scores: ArrayLike, positive: ArrayLike) -> Statistic:
    r"""Return the average precision, the area under the precision-recall curve, as a statistic of weights.

    :math:`\sum_k (R_k - R_{k-1}) P_k` over the distinct scores, the highest first, with recall R and precision P of
    all that score as much or more: the step-wise area, which does not interpolate (Davis, Goadrich, ICML 2006; Boyd,
    Eng, Page, ECML 2013). A score that ranks by chance has the share of positives. It is NaN where one kind is missing.

    Parameters
    ----------
    scores, positive
        As in ``auroc_statistic``.

    Raises
    ------
    ValueError
        As ``auroc_statistic``.
    """
    order, starts, of_positive = _sorted_ties(scores, positive)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        above, below = (part[:, ::-1] for part in _sums_of_ties(weights, order, starts, of_positive))
        true, false = above.cumsum(axis=1), below.cumsum(axis=1)
        told = true + false
        precision = np.divide(true, told, out=np.zeros_like(told), where=told > 0)
        positives = above.sum(axis=1)
        both = (positives > 0) & (below.sum(axis=1) > 0)
        area: NDArray[np.float64] = np.full(len(weights), np.nan)
        np.divide((above * precision).sum(axis=1), positives, out=area, where=both)
        return area

    return statistic


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the average precision; NaN where one kind is missing."""
    return float(average_precision_statistic(scores, positive)(np.ones((1, len(np.asarray(scores)))))[0])


def _sorted_ties(
    scores: ArrayLike, positive: ArrayLike
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Return the order of rising scores, where a distinct score starts in it, and which of that order is positive."""
    values, flags = np.asarray(scores, np.float64), np.asarray(positive, bool)
    if values.shape != flags.shape or not np.isfinite(values).all():
        raise ValueError(f"need a finite score for each of {flags.shape} flags, not {values.shape}")
    order = np.argsort(values, kind="stable")
    _, starts = np.unique(values[order], return_index=True)
    return order, starts, flags[order]


def _sums_of_ties(
    weights: NDArray[np.float64], order: NDArray[np.intp], starts: NDArray[np.intp], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return B x distinct scores: the weight of positives and of negatives at each score, rising."""
    ordered = weights[:, order]
    above = np.add.reduceat(ordered * positive, starts, axis=1)
    return above, np.add.reduceat(ordered * ~positive, starts, axis=1)
