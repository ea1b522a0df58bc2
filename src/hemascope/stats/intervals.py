"""Exact confidence intervals for counts: pure functions on numbers.

Exact means that the stated confidence is a lower bound of the coverage at every true value; the price is
intervals that are a little wider than approximate ones. scipy is imported where it is used, so that a program that
only prints its help does not pay for it.
"""

from __future__ import annotations

import math


def binomial_interval(count: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact (Clopper-Pearson) interval of a proportion.

    Parameters
    ----------
    count
        Number of cases with the property, 0 to ``total``.
    total
        Number of cases, at least 1.
    confidence
        Two-sided confidence, strictly between 0 and 1.

    Returns
    -------
    tuple of float
        Lower and upper limit as fractions, ``0 <= low <= count / total <= high <= 1``.

    Raises
    ------
    ValueError
        If a count is not a whole number, ``total`` is below 1, ``count`` lies outside 0 to ``total``, or
        ``confidence`` outside 0 to 1.

    References
    ----------
    Clopper CJ, Pearson ES. Biometrika 1934;26:404-413. Rümke's table for differential counts is this interval.
    """
    from scipy.special import betaincinv

    _require_count("count", count)
    _require_count("total", total)
    if total < 1:
        raise ValueError("total is 0: a proportion of nothing has no interval")
    if count > total:
        raise ValueError(f"count {count} is greater than total {total}")
    tail = _tail(confidence)
    low = 0.0 if count == 0 else float(betaincinv(count, total - count + 1, tail))
    high = 1.0 if count == total else float(betaincinv(count + 1, total - count, 1 - tail))
    return low, high


def poisson_rate_interval(count: int, exposure: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact (Garwood) interval of a Poisson rate.

    Parameters
    ----------
    count
        Number of events, 0 or more.
    exposure
        What they were counted over (fields, area, cells), above 0 and finite.
    confidence
        Two-sided confidence, strictly between 0 and 1.

    Returns
    -------
    tuple of float
        Lower and upper limit in events per unit of exposure, ``0 <= low <= count / exposure <= high``.

    Raises
    ------
    ValueError
        If ``count`` is not a whole number of 0 or more, ``exposure`` is not above 0 and finite, or ``confidence`` lies
        outside 0 to 1.

    References
    ----------
    Garwood F. Biometrika 1936;28:437-442.
    """
    from scipy.special import gammaincinv

    _require_count("count", count)
    if not (math.isfinite(exposure) and exposure > 0):
        raise ValueError(f"exposure must be above 0 and finite, not {exposure}")
    tail = _tail(confidence)
    low = 0.0 if count == 0 else float(gammaincinv(count, tail))
    high = float(gammaincinv(count + 1, 1 - tail))
    return low / exposure, high / exposure


def poisson_ratio_interval(count_a: int, count_b: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of the ratio a / b of two independent Poisson counts over the same exposure.

    Given their sum, ``count_a`` is binomial with the share a / (a + b); the interval of that share is transformed.

    Parameters
    ----------
    count_a, count_b
        Numbers of events, 0 or more.
    confidence
        Two-sided confidence, strictly between 0 and 1.

    Returns
    -------
    tuple of float
        Lower and upper limit of a / b. The upper one is ``math.inf`` where ``count_b`` is 0; with both counts 0 nothing
        is known and the interval is ``(0, inf)``.

    Raises
    ------
    ValueError
        If a count is not a whole number of 0 or more, or ``confidence`` lies outside 0 to 1.

    References
    ----------
    Przyborowski J, Wilenski H. Biometrika 1940;31:313-323.
    """
    _require_count("count_a", count_a)
    _require_count("count_b", count_b)
    if count_a + count_b == 0:
        _tail(confidence)
        return 0.0, math.inf
    # The complement of each limit is computed as the other count's limit: 1 - share loses digits near 1.
    a_low, a_high = binomial_interval(count_a, count_a + count_b, confidence)
    b_low, b_high = binomial_interval(count_b, count_a + count_b, confidence)
    low = a_low / b_high if b_high > 0 else 0.0
    high = a_high / b_low if b_low > 0 else math.inf
    return low, high


def _tail(confidence: float) -> float:
    """Return the probability left in each tail."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    return (1 - confidence) / 2


def _require_count(name: str, value: float) -> None:
    """Raise ``ValueError`` unless ``value`` is a whole number of 0 or more."""
    if not math.isfinite(value) or value != int(value) or value < 0:
        raise ValueError(f"{name} must be a whole number of 0 or more, not {value}")
