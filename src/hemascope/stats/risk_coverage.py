"""What is gained by not answering: the risk of the answers kept against their share, and areas under that curve.

A confidence ranks answers; the most confident are kept, the others deferred to a person. Answers of equal confidence
are kept or deferred in random order, and every figure here is the expected one over such orders: none depends on the
order in which answers are listed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.stats.resample import Statistic

_ROUNDING = 1e-12
"""A kept share whose accuracy misses the wanted one by less misses it by rounding alone."""


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """The risk-coverage curve of N answers; one point for every distinct confidence, the highest first.

    Attributes
    ----------
    threshold
        The confidence from which on answers are kept, falling.
    coverage
        Share of the answers kept, rising to 1.
    risk
        Share of the kept answers that is wrong, 0 to 1.
    """

    threshold: NDArray[np.float64]
    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]


def risk_coverage(confidence: ArrayLike, right: ArrayLike) -> RiskCoverage:
    """Return the risk-coverage curve (El-Yaniv, Wiener, J Mach Learn Res 2010;11:1605).

    Parameters
    ----------
    confidence
        N finite numbers, higher for what is surer; any scale.
    right
        N truth values: whether the answer is right.

    Raises
    ------
    ValueError
        If the lengths differ, there are no answers, or a confidence is not finite.
    """
    ranked = _Ranked(confidence, right)
    kept, wrong = (sums[0] for sums in ranked.sums(np.ones((1, ranked.count))))
    return RiskCoverage(ranked.thresholds, kept / ranked.count, wrong / kept)


def aurc_statistic(confidence: ArrayLike, right: ArrayLike) -> Statistic:
    r"""Return the area under the risk-coverage curve as a statistic of weights: the mean risk over all coverages.

    :math:`\frac1N \sum_{k=1}^N r_k` with the expected risk :math:`r_k` of the k most confident (Geifman, Uziel,
    El-Yaniv, ICLR 2019). Within m ties of which e are wrong, after K answers of which E are wrong, it sums to
    :math:`e + (E - K e / m)\,(H_{K+m} - H_K)` with harmonic numbers H.

    Parameters
    ----------
    confidence, right
        As in ``risk_coverage``.
    """
    ranked = _Ranked(confidence, right)
    return lambda weights: _area(*ranked.sums(weights))


def excess_aurc_statistic(confidence: ArrayLike, right: ArrayLike) -> Statistic:
    """Return by how much the area exceeds that of a perfect order, all wrong answers last, as a statistic of weights.

    What accuracy alone would give is taken off: 0 where the confidence ranks as well as can be.

    Parameters
    ----------
    confidence, right
        As in ``risk_coverage``.
    """
    ranked = _Ranked(confidence, right)

    def excess(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        kept, wrong = ranked.sums(weights)
        total, errors = kept[:, -1:], wrong[:, -1:]
        best = _area(np.hstack([total - errors, total]), np.hstack([np.zeros_like(errors), errors]))
        difference: NDArray[np.float64] = np.maximum(_area(kept, wrong) - best, 0.0)
        return difference

    return excess


def deferral_statistic(confidence: ArrayLike, right: ArrayLike, accuracy: float) -> Statistic:
    """Return the least share to defer so that the rest is right at a stated rate, as a statistic of weights.

    A threshold keeps ties together. 1 where no threshold reaches the rate.

    Parameters
    ----------
    confidence, right
        As in ``risk_coverage``.
    accuracy
        Of the answers kept, 0 to 1.
    """
    ranked, allowed = _Ranked(confidence, right), 1 - _checked_accuracy(accuracy)

    def deferred(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        kept, wrong = ranked.sums(weights)
        enough = (kept > 0) & (wrong <= allowed * kept + _ROUNDING * kept)
        share: NDArray[np.float64] = 1 - np.where(enough, kept, 0.0).max(axis=1) / kept[:, -1]
        return share

    return deferred


def deferral_threshold(confidence: ArrayLike, right: ArrayLike, accuracy: float) -> float:
    """Return the lowest confidence from which on the answers are right at a stated rate; infinite where none is.

    Choose it on validation answers; what it gives on others has to be measured there.

    Parameters
    ----------
    confidence, right, accuracy
        As in ``deferral_statistic``.
    """
    curve = risk_coverage(confidence, right)
    enough = np.flatnonzero(curve.risk <= 1 - _checked_accuracy(accuracy) + _ROUNDING)
    return float(curve.threshold[enough[-1]]) if len(enough) else np.inf


class _Ranked:
    """Answers from the most to the least confident, ties together."""

    def __init__(self, confidence: ArrayLike, right: ArrayLike) -> None:
        values, truth = np.asarray(confidence, np.float64), np.asarray(right, bool)
        if values.ndim != 1 or values.shape != truth.shape or not len(values):
            raise ValueError(f"need a confidence for each of {truth.shape} answers, at least one; not {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError("a confidence is not finite")
        self._order = np.argsort(-values, kind="stable")
        falling = values[self._order]
        self._ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
        self._wrong = ~truth[self._order]
        self.count = len(values)
        self.thresholds = falling[self._ends]

    def sums(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return B x thresholds numbers of answers kept, and of wrong ones among them, under B x N weights."""
        ordered = weights[:, self._order]
        kept, wrong = np.cumsum(ordered, axis=1), np.cumsum(ordered * self._wrong, axis=1)
        return kept[:, self._ends], wrong[:, self._ends]


def _area(kept: NDArray[np.float64], wrong: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return B mean risks for B x thresholds numbers kept and wrong, the last of each over all answers."""
    from scipy.special import digamma

    size, errors = np.diff(kept, axis=1, prepend=0.0), np.diff(wrong, axis=1, prepend=0.0)
    before, wrong_before = kept - size, wrong - errors
    rate = np.divide(errors, size, out=np.zeros_like(errors), where=size > 0)
    steps = digamma(kept + 1) - digamma(before + 1)
    area: NDArray[np.float64] = (errors + (wrong_before - rate * before) * steps).sum(axis=1) / kept[:, -1]
    return area


def _checked_accuracy(accuracy: float) -> float:
    if not 0 <= accuracy <= 1:
        raise ValueError(f"an accuracy lies between 0 and 1, not at {accuracy}")
    return accuracy
