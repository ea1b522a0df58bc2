"""A probability against something counted: myeloblasts, lymphocytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hemascope.evaluate.estimate import Estimate
from hemascope.stats.correlation import spearman_statistic
from hemascope.stats.resample import RESAMPLES

FEWEST = 3
"""Patients for a correlation: two points are always on a line."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's rank correlation.

    Attributes
    ----------
    patients
        Of whom both are known.
    spearman
        -1 to 1 with the bootstrap interval over patients; undefined where one side does not vary.
    p_value
        Two-sided, of no correlation; None where it is undefined.
    """

    patients: int
    spearman: Estimate
    p_value: float | None


def correlate(first: ArrayLike, second: ArrayLike, patients: ArrayLike, resamples: int = RESAMPLES) -> Correlation:
    """Return the rank correlation of two numbers of N patients.

    Parameters
    ----------
    first, second
        N numbers, NaN where missing: the probability of a class, and a share of cells.
    patients
        N names.
    resamples
        Of the bootstrap.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    x, y, names = np.asarray(first, np.float64), np.asarray(second, np.float64), np.asarray(patients)
    if not x.shape == y.shape == names.shape:
        raise ValueError(f"need as many numbers on both sides as patients, not {x.shape}, {y.shape} and {names.shape}")
    known = np.isfinite(x) & np.isfinite(y)
    count = int(known.sum())
    if count < FEWEST:
        return Correlation(count, Estimate(None), None)
    found = Estimate.resampled(names[known], spearman_statistic(x[known], y[known]), resamples)
    return Correlation(count, found, p_value_of(found.value, count))


def p_value_of(correlation: float | None, count: int) -> float | None:
    r"""Return the two-sided p value of a correlation of ``count`` pairs, None where it is undefined.

    :math:`r \sqrt{(n - 2) / (1 - r^2)}` against Student's t with n - 2 degrees of freedom: exact for Pearson's of
    normal numbers, close for Spearman's from about ten pairs on.
    """
    from scipy.special import stdtr

    if correlation is None or count < FEWEST:
        return None
    left = 1 - correlation**2
    if left <= 0:
        return 0.0
    return float(2 * stdtr(count - 2, -abs(correlation) * np.sqrt((count - 2) / left)))
