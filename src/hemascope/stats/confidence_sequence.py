r"""Evidence on a mean that may be looked at after every observation.

An e-process is a running measure of evidence against a hypothesis: if the hypothesis is true, the chance that it *ever*
reaches :math:`1/\alpha` is at most :math:`\alpha` (Ville's inequality). A confidence sequence is an interval after each
observation, all of which hold the mean together with the stated probability. Both stay valid however often they are
looked at, and whenever one stops; a t-test that is repeated does not.

scipy is imported where it is used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

EFFECT_VARIANCE = 15.0
"""Default variance of the effect size (mean over deviation) under the alternative; see the decision record 0016."""


def log_t_evidence(
    count: ArrayLike, total: ArrayLike, squares: ArrayLike, *, effect_variance: float = EFFECT_VARIANCE
) -> NDArray[np.float64]:
    r"""Return the log e-process against "the mean is 0 or less" of Gaussian observations of unknown variance.

    The likelihood of the t-statistic mixed over effect sizes :math:`\delta \sim N(0, g)`, :math:`\delta > 0`, over that
    at :math:`\delta = 0`. With n observations of sum S and sum of squares Q, :math:`R = Q - \frac{S^2}{n}
    \frac{n g}{1 + n g}` and the distribution function :math:`T_n` of Student's t with n degrees of freedom,

    .. math::
        \log E = \tfrac n2 \log \frac QR - \tfrac12 \log(1 + n g)
                 + \log 2 T_n\Big(S \sqrt{\tfrac{n g}{(1 + n g) R}}\Big).

    For Gaussian observations it is exact, at any stopping time, and does not depend on their scale (Lai, Sankhya A
    1976;38:224; Wang, Ramdas, Sequential Analysis 2024, anytime-valid t-tests). It grows with S at fixed R, so it is
    valid for every mean of 0 or less.

    Parameters
    ----------
    count
        n, 1 or more.
    total, squares
        S and Q; arrays that broadcast. NaN gives NaN.
    effect_variance
        g, above 0: large for evidence from few observations of large effects, small for small effects.

    Raises
    ------
    ValueError
        If the effect variance is not positive.
    """
    from scipy.special import stdtr

    n, s, q = (np.asarray(values, np.float64) for values in (count, total, squares))
    _check_positive("effect variance", effect_variance)
    grown = 1 + n * effect_variance
    within = np.maximum(q - s * s / n, 0.0)
    left = within + s * s / n / grown
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(q > 0, np.log(q) - np.log(left), 0.0)
        place = np.where(q > 0, s * np.sqrt((grown - 1) / grown / left), 0.0)
    answer: NDArray[np.float64] = n / 2 * ratio - np.log(grown) / 2 + np.log(2 * stdtr(n, place))
    return np.where(np.isnan(q), np.nan, answer)


def t_radius(
    count: ArrayLike, variance: ArrayLike, alpha: float, *, effect_variance: float = EFFECT_VARIANCE
) -> NDArray[np.float64]:
    r"""Return the half width of the confidence sequence around the mean of Gaussian observations.

    All means against which the two-sided form of ``log_t_evidence`` has not reached :math:`\log 1/\alpha`: with
    :math:`c = ((1 + n g) / \alpha^2)^{1/n}` and the mean squared deviation v,
    :math:`\sqrt{v (c - 1) / (1 - c / (1 + n g))}`; infinite where c is 1 + n g or more, that is with too few
    observations.

    Parameters
    ----------
    count
        n, 1 or more.
    variance
        v: the mean squared distance from the mean, divided by n.
    alpha
        Probability that one of the intervals misses the mean, strictly between 0 and 1.
    effect_variance
        g, above 0.

    Raises
    ------
    ValueError
        If alpha or the effect variance is out of range.
    """
    n, v = np.asarray(count, np.float64), np.asarray(variance, np.float64)
    _check_alpha(alpha)
    _check_positive("effect variance", effect_variance)
    grown = 1 + n * effect_variance
    factor = np.exp((np.log(grown) - 2 * np.log(alpha)) / n)
    finite = factor < grown
    bounded = np.where(finite, factor, 1.0)
    return np.where(finite, np.sqrt(v * (bounded - 1) / (1 - bounded / grown)), np.inf)


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"the {name} must be above 0, not {value}")
