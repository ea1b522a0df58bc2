"""A measured value with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from hemascope.stats.intervals import binomial_interval
from hemascope.stats.resample import RESAMPLES, Statistic, bootstrap_interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95% interval.

    Attributes
    ----------
    value
        None where the labels do not define it.
    low, high
        Limits; None where there is no interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def share(cls, count: int, total: int) -> Self:
        """Return ``count`` of ``total`` with the exact (Clopper-Pearson) interval; undefined where ``total`` is 0."""
        if total == 0:
            return cls(None)
        low, high = binomial_interval(count, total)
        return cls(count / total, low, high)

    @classmethod
    def resampled(cls, groups: ArrayLike, statistic: Statistic, resamples: int = RESAMPLES) -> Self:
        """Return the statistic on all records with its bootstrap interval over groups; undefined where it is NaN."""
        records = len(np.asarray(groups))
        if records == 0:
            return cls(None)
        value = float(statistic(np.ones((1, records)))[0])
        interval = bootstrap_interval(groups, statistic, resamples=resamples)
        if not np.isfinite(value) or interval is None:
            return cls(None)
        return cls(value, *interval)
