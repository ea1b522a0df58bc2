"""Bootstrap intervals that respect groups: near-duplicates, cells of one field, fields of one slide."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""B x N weights (how often each record was drawn in each of B resamples) to B values; NaN where undefined."""

RESAMPLES = 2000
"""Enough that the limits of a 95% interval move by little from seed to seed."""


def bootstrap_distribution(
    groups: ArrayLike, statistic: Statistic, resamples: int = RESAMPLES, seed: int = 0, block: int = 100
) -> NDArray[np.float64]:
    """Return the statistic on ``resamples`` resamples of whole groups.

    Groups are drawn with replacement, as many as there are, and each brings all its records (the cluster bootstrap:
    Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).

    Parameters
    ----------
    groups
        N group labels, one a record.
    statistic
        Takes weights, see ``Statistic``; called on ``block`` resamples at a time.
    resamples
        How many.
    seed
        Of the generator; equal seeds give equal results, whatever the block.
    block
        Resamples handled together: bounds memory to about ``block`` x N numbers.

    Raises
    ------
    ValueError
        If there are no records.
    """
    labels = np.asarray(groups)
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"need one group label a record, at least one; not an array of shape {labels.shape}")
    names, member_of = np.unique(labels, return_inverse=True)
    generator = np.random.default_rng(seed)
    even = np.full(len(names), 1 / len(names))
    values = []
    for start in range(0, resamples, block):
        drawn = generator.multinomial(len(names), even, size=min(block, resamples - start))
        values.append(np.asarray(statistic(drawn[:, member_of].astype(np.float64)), np.float64))
    return np.concatenate(values)


def percentile_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float] | None:
    """Return the central interval of a bootstrap distribution, or None where no resample defines the statistic.

    Parameters
    ----------
    values
        One value a resample; NaN where the resample does not define it, such as a class that was not drawn.
    confidence
        Share of the values inside, 0 to 1.
    """
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return None
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap_interval(
    groups: ArrayLike,
    statistic: Statistic,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return the percentile interval of ``statistic`` over resampled groups; see the two functions above."""
    return percentile_interval(bootstrap_distribution(groups, statistic, resamples, seed), confidence)


def bootstrap_p_value(values: ArrayLike, null: float = 0.0) -> float | None:
    r"""Return the two-sided p value of a hypothesis on a statistic, from its bootstrap distribution.

    The smallest :math:`\alpha` whose percentile interval leaves the hypothesis out: twice the share of resamples at or
    beyond ``null`` on the rarer side, one resample added so that it is never 0 (Davison and Hinkley, 1997, section
    4.4.1; Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 15.4).

    Parameters
    ----------
    values
        One value a resample, such as a difference; NaN where the resample does not define it.
    null
        The value under the hypothesis.

    Returns
    -------
    Above 0, at most 1; None where no resample defines the statistic.
    """
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return None
    beyond = min(int((finite <= null).sum()), int((finite >= null).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(finite) + 1))


def ratio_of_sums(above: NDArray[np.float64], below: NDArray[np.float64]) -> Statistic:
    """Return the ratio of two sums over records as a statistic; NaN where the lower sum is 0."""

    def ratio(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights @ below
        return np.divide(weights @ above, total, out=np.full_like(total, np.nan), where=total > 0)

    return ratio
