r"""The psychometric function: how often an answer is right, against how sure it is.

:math:`\psi(x) = \gamma + (1 - \gamma - \lambda)\,\Phi((x - \mu) / \sigma)`: the share that is right however unsure,
:math:`\gamma`, the share that is wrong however sure, :math:`\lambda`, and a cumulative normal between them. Fitted by
maximum likelihood within bounds (Wichmann, Hill, Percept Psychophys 2001;63:1293).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.stats.resample import bootstrap_distribution, percentile_interval

GUESS_MOST = 0.8
"""Greatest share right however unsure."""

LAPSE_MOST = 0.1
"""Greatest share wrong however sure. Together both leave room for a rise."""

BINS = 15
"""Bins of equal mass that the deviance is taken over."""

RESAMPLES = 200
"""Of the bootstrap: a fit is slow, and these intervals are shown to two digits."""

_EDGE = 1e-9
"""Probabilities are kept this far from 0 and 1."""


@dataclass(frozen=True, slots=True)
class Psychometric:
    """A psychometric function.

    Attributes
    ----------
    guess, lapse
        Gamma and lambda: share right however unsure, and wrong however sure; 0 to 1, of sum below 1.
    threshold, spread
        Mu and sigma, in units of the confidence; sigma is positive.
    """

    guess: float
    lapse: float
    threshold: float
    spread: float

    def __call__(self, confidence: ArrayLike) -> NDArray[np.float64]:
        """Return the expected share of right answers at N confidences."""
        return _psi(np.asarray(confidence, np.float64), np.array(astuple(self)))


def fit_psychometric(
    confidence: ArrayLike,
    right: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    guess_most: float = GUESS_MOST,
    lapse_most: float = LAPSE_MOST,
) -> Psychometric:
    """Return the function of greatest likelihood.

    The threshold is sought within the range of the confidences and as much again on either side, the spread from a
    thousandth of the range to twice it. Searched for from several starts, of which the best end stands.

    Parameters
    ----------
    confidence
        N finite numbers, not all equal, higher for what is surer. The log odds of a calibrated probability are a scale
        on which classifiers can be compared.
    right
        N truth values, of both kinds: without an error, or without a right answer, nothing is known of the function.
    weights
        N weights of 0 or more; None for ones.
    guess_most, lapse_most
        Upper bounds of gamma and lambda, 0 or more, of sum below 1.

    Raises
    ------
    ValueError
        If the shapes disagree, a number is not finite, all answers are right or all wrong, all confidences are equal,
        or the bounds leave no room.
    """
    values, truth, counts = _checked(confidence, right, weights)
    if not (guess_most >= 0 and lapse_most >= 0 and guess_most + lapse_most < 1):
        raise ValueError(f"bounds of {guess_most} and {lapse_most} leave no room for a rise; their sum must be below 1")
    low, span = float(values.min()), float(np.ptp(values))
    accuracy = float(counts @ truth / counts.sum())
    starts = [
        np.array([guess, min(0.5 * (1 - accuracy), lapse_most), low + place * span, 0.2 * span])
        for place in (0.0, 0.15, 0.4)
        for guess in (0.0, 0.5 * guess_most)
    ]
    bounds = _bounds(low, span, guess_most, lapse_most)
    found = [_search(values, truth, counts, start, bounds) for start in starts]
    return Psychometric(*min(found, key=lambda end: end[1])[0].tolist())


def psychometric_intervals(
    confidence: ArrayLike,
    right: ArrayLike,
    groups: ArrayLike,
    fitted: Psychometric,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Return parameter name to its 95% percentile interval over resampled groups of images.

    Every resample is fitted anew within the default bounds, from ``fitted`` on; one without an error, or without a
    right answer, counts nowhere.

    Parameters
    ----------
    confidence, right
        As in ``fit_psychometric``.
    groups
        N labels of what is resampled together.
    fitted
        The function of all answers.
    resamples, seed
        Of the bootstrap.
    """
    values, truth, _ = _checked(confidence, right, None)
    bounds = _bounds(float(values.min()), float(np.ptp(values)), GUESS_MOST, LAPSE_MOST)
    start = np.clip(np.array(astuple(fitted)), *np.array(bounds).T)

    def parameters(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([_refit(values, truth, row, start, bounds) for row in weights])

    drawn = bootstrap_distribution(groups, parameters, resamples, seed)
    limits = {name: percentile_interval(column) for name, column in zip(_NAMES, drawn.T, strict=True)}
    return {name: interval for name, interval in limits.items() if interval is not None}


def deviance(fitted: Psychometric, confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> tuple[float, int]:
    r"""Return the deviance over bins of equal mass, and how many bins there are.

    :math:`2 \sum_b n_b [y_b \ln(y_b / p_b) + (1 - y_b) \ln((1 - y_b) / (1 - p_b))]` with the share right y and the mean
    p that the function gives. If the function holds it is near the number of bins less four; much more says that it
    does not fit. Equal confidences share a bin.

    Parameters
    ----------
    fitted
        The function.
    confidence, right
        As in ``fit_psychometric``.
    bins
        To aim at; ties, or few answers, leave fewer.
    """
    values, truth, _ = _checked(confidence, right, None)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    wanted = np.ceil(len(ranked) * np.arange(1, bins + 1) / bins).astype(int) - 1
    ends = np.unique(np.searchsorted(ranked, ranked[wanted], side="right"))
    counts = np.diff(ends, prepend=0)
    starts = np.append(0, ends[:-1])
    told = np.clip(np.add.reduceat(fitted(ranked), starts) / counts, _EDGE, 1 - _EDGE)
    true = np.add.reduceat(truth[order], starts) / counts
    terms = _times_log(true, true / told) + _times_log(1 - true, (1 - true) / (1 - told))
    return float(2 * (counts * terms).sum()), len(counts)


_NAMES = ("guess", "lapse", "threshold", "spread")
_Bounds = list[tuple[float, float]]


def _bounds(low: float, span: float, guess_most: float, lapse_most: float) -> _Bounds:
    return [(0.0, guess_most), (0.0, lapse_most), (low - span, low + 2 * span), (1e-3 * span, 2 * span)]


def _psi(values: NDArray[np.float64], parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtr

    guess, lapse, threshold, spread = parameters
    answer: NDArray[np.float64] = guess + (1 - guess - lapse) * ndtr((values - threshold) / spread)
    return answer


def _search(
    values: NDArray[np.float64],
    truth: NDArray[np.float64],
    weights: NDArray[np.float64],
    start: NDArray[np.float64],
    bounds: _Bounds,
) -> tuple[NDArray[np.float64], float]:
    """Return the end of a search and its mean negative log-likelihood."""
    from scipy.optimize import minimize
    from scipy.special import ndtr

    scale = np.array([1.0, 1.0, bounds[3][1], bounds[3][1]])  # threshold and spread in units of the range
    total = weights.sum()

    def loss(scaled: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        guess, lapse, threshold, spread = scaled * scale
        z = (values - threshold) / spread
        normal, density = ndtr(z), np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        p = np.clip(guess + (1 - guess - lapse) * normal, _EDGE, 1 - _EDGE)
        slope = weights * ((1 - truth) / (1 - p) - truth / p) / total
        rise = (1 - guess - lapse) * density / spread
        by_parameter = (slope @ (1 - normal), -slope @ normal, -slope @ rise, -slope @ (rise * z))
        value = -(weights @ (truth * np.log(p) + (1 - truth) * np.log1p(-p))) / total
        return float(value), np.array(by_parameter) * scale

    limits = [(low / unit, high / unit) for (low, high), unit in zip(bounds, scale, strict=True)]
    found = minimize(loss, start / scale, jac=True, method="L-BFGS-B", bounds=limits, options={"ftol": 1e-10})
    return np.asarray(found.x * scale, np.float64), float(found.fun)


def _refit(
    values: NDArray[np.float64],
    truth: NDArray[np.float64],
    weights: NDArray[np.float64],
    start: NDArray[np.float64],
    bounds: _Bounds,
) -> NDArray[np.float64]:
    drawn = weights > 0
    if truth[drawn].min() == truth[drawn].max():
        return np.full(len(_NAMES), np.nan)
    return _search(values[drawn], truth[drawn], weights[drawn], start, bounds)[0]


def _times_log(share: NDArray[np.float64], ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return share times the logarithm of the ratio, 0 where the share is 0."""
    answer: NDArray[np.float64] = share * np.log(np.where(share > 0, ratio, 1.0))
    return answer


def _checked(
    confidence: ArrayLike, right: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    values, truth = np.asarray(confidence, np.float64), np.asarray(right, bool)
    counts = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    if values.ndim != 1 or values.shape != truth.shape or counts.shape != values.shape:
        raise ValueError(f"need a confidence for each of {truth.shape} answers, not {values.shape}")
    if not np.isfinite(values).all() or not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError("a confidence is not finite, or a weight is negative")
    drawn = counts > 0
    if not drawn.any() or truth[drawn].min() == truth[drawn].max():
        raise ValueError("all answers are right, or all wrong; a psychometric function needs both kinds")
    if values.min() == values.max():
        raise ValueError("all confidences are equal; a psychometric function needs some that differ")
    return values, truth.astype(np.float64), counts
