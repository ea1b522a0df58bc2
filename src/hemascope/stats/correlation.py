"""Pearson's and Spearman's correlation as statistics of how often each record was drawn, for the bootstrap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.stats.resample import Statistic


def pearson_statistic(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Return Pearson's correlation, -1 to 1, as a statistic of weights; NaN where one side does not vary.

    Parameters
    ----------
    first, second
        N finite numbers each.

    Raises
    ------
    ValueError
        If the lengths differ or a number is not finite.
    """
    x, y = _checked(first, second)
    # Centered and scaled first, so that large common offsets cost no digits.
    x, y = _standard(x), _standard(y)
    return lambda weights: _correlation(weights, x[None], y[None])


def spearman_statistic(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Return Spearman's rank correlation, ties at their middle rank, as a statistic of weights.

    That of Pearson between the ranks that the records have in each resample; NaN where one side does not vary.

    Parameters
    ----------
    first, second
        As in ``pearson_statistic``.

    Raises
    ------
    ValueError
        As ``pearson_statistic``.
    """
    x, y = _checked(first, second)
    rank_x, rank_y = _midranks(x), _midranks(y)
    return lambda weights: _correlation(weights, rank_x(weights), rank_y(weights))


def _midranks(values: NDArray[np.float64]) -> Statistic:
    """Return what makes B x N middle ranks, as shares of the weight drawn, from B x N weights."""
    order = np.argsort(values, kind="stable")
    distinct, starts = np.unique(values[order], return_index=True)
    place = np.searchsorted(distinct, values)

    def ranks(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        tied = np.add.reduceat(weights[:, order], starts, axis=1)
        middle = (tied.cumsum(axis=1) - tied / 2)[:, place]
        shares: NDArray[np.float64] = middle / weights.sum(axis=1, keepdims=True) - 0.5
        return shares

    return ranks


def _correlation(weights: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weights.sum(axis=1, keepdims=True)
    dx = x - (weights * x).sum(axis=1, keepdims=True) / total
    dy = y - (weights * y).sum(axis=1, keepdims=True) / total
    xx, yy, xy = ((weights * product).sum(axis=1) for product in (dx * dx, dy * dy, dx * dy))
    varies = np.minimum(xx, yy) > 1e-18 * total[:, 0]
    both = np.sqrt(xx) * np.sqrt(yy)
    answer: NDArray[np.float64] = np.divide(xy, both, out=np.full_like(both, np.nan), where=varies)
    np.clip(answer, -1.0, 1.0, out=answer)
    return answer


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = float(values.std()) if len(values) else 0.0
    centered: NDArray[np.float64] = values - values.mean() if len(values) else values
    return centered / spread if spread > 0 else np.zeros_like(values)


def _checked(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not np.isfinite(x).all() or not np.isfinite(y).all():
        raise ValueError(f"need as many finite numbers on both sides, not {x.shape} and {y.shape}")
    return x, y
