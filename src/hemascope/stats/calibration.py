"""How well stated probabilities agree with what is true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.stats.resample import Statistic

BINS = 15
"""Number of bins of the calibration errors reported by this package."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of a reliability table.

    Attributes
    ----------
    count
        Predictions in the bin.
    confidence
        Their mean stated confidence, 0 to 1.
    accuracy
        Share of them that is right, 0 to 1.
    """

    count: int
    confidence: float
    accuracy: float


def reliability_table(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Return predictions in bins of equal mass, from the least to the most confident.

    Equal confidences are never spread over two bins, so the table does not depend on the order of the predictions and
    holds fewer than ``bins`` bins where there are many ties.

    Parameters
    ----------
    confidence
        N stated probabilities of the top answer, 0 to 1.
    correct
        N truth values: whether that answer is right.
    bins
        Number of bins to aim at.

    Raises
    ------
    ValueError
        If the two differ in length, are empty or hold no probabilities.
    """
    stated, right = _checked(confidence, correct)
    bin_sums = _bin_sums(stated, right, np.ones((1, len(stated))), bins)
    rows = zip(*(values[0].tolist() for values in bin_sums), strict=True)
    return tuple(ReliabilityBin(int(n), told / n, true / n) for n, told, true in rows if n)


def expected_calibration_error(
    confidence: ArrayLike, correct: ArrayLike, bins: int = BINS, *, debiased: bool = True
) -> float:
    r"""Return the expected calibration error in bins of equal mass, 0 to 1.

    The plain estimate sums :math:`w_b |\bar y_b - \bar c_b|` and is too large on average, because sampling noise
    adds to every bin. The debiased one subtracts the expected excess under a normal approximation of each bin's
    accuracy (Kumar, Liang, Ma: Verified Uncertainty Calibration, NeurIPS 2019, section 4 and its reference code,
    there by simulation; here the mean of the folded normal distribution gives it in closed form). It is cut off at 0.

    Parameters
    ----------
    confidence, correct, bins
        As in ``reliability_table``.
    debiased
        Whether to subtract the expected excess.

    Raises
    ------
    ValueError
        As ``reliability_table``.
    """
    statistic = calibration_statistics(confidence, correct, bins)["ece" if debiased else "ece_plain"]
    return float(statistic(np.ones((1, np.asarray(confidence).size)))[0])


def squared_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> float:
    r"""Return the debiased squared calibration error in bins of equal mass; it can fall below 0.

    :math:`\sum_b w_b [(\bar y_b - \bar c_b)^2 - \bar y_b (1 - \bar y_b) / (n_b - 1)]`: the reliability part of the
    Brier score without its bias (Broecker, Clim Dyn 2012;39:655; Ferro and Fricker, Q J R Meteorol Soc 2012;138:1954;
    the l2 error of Kumar et al. 2019).

    Parameters
    ----------
    confidence, correct, bins
        As in ``reliability_table``.

    Raises
    ------
    ValueError
        As ``reliability_table``.
    """
    stated, right = _checked(confidence, correct)
    return float(_squared_errors(*_gaps(stated, right, np.ones((1, len(stated))), bins))[0])


def calibration_statistics(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> dict[str, Statistic]:
    """Return the calibration errors as statistics of how often each prediction was drawn, for the bootstrap.

    ``ece`` is ``expected_calibration_error``, ``ece_plain`` the same not debiased, and ``rms_calibration_error`` the
    root of ``squared_calibration_error``, 0 where that is negative. Each resample gets bins of its own.

    Parameters
    ----------
    confidence, correct, bins
        As in ``reliability_table``.

    Raises
    ------
    ValueError
        As ``reliability_table``.
    """
    stated, right = _checked(confidence, correct)
    return {
        "ece": lambda weights: _debiased_errors(*_gaps(stated, right, weights, bins)),
        "ece_plain": lambda weights: _plain_errors(*_gaps(stated, right, weights, bins)),
        "rms_calibration_error": lambda weights: np.sqrt(
            np.maximum(_squared_errors(*_gaps(stated, right, weights, bins)), 0)
        ),
    }


def brier_scores(probabilities: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Return each prediction's multiclass Brier score, 0 (sure and right) to 2 (sure and wrong).

    The sum of squared differences over all classes (Brier, Mon Weather Rev 1950;78:1).

    Parameters
    ----------
    probabilities
        N x K, every row sums to 1.
    labels
        N class numbers, 0 to K - 1.

    Raises
    ------
    ValueError
        If a row is no distribution or a label is no class.
    """
    p, truth = _checked_classes(probabilities, labels)
    one_hot = np.eye(p.shape[1])[truth]
    scores: NDArray[np.float64] = ((p - one_hot) ** 2).sum(axis=1)
    return scores


def log_losses(probabilities: ArrayLike, labels: ArrayLike, floor: float = 1e-12) -> NDArray[np.float64]:
    """Return each prediction's negative log-likelihood in nats.

    Parameters
    ----------
    probabilities, labels
        As in ``brier_scores``.
    floor
        Smallest probability used, so that a prediction that is sure and wrong costs a finite amount.

    Raises
    ------
    ValueError
        As ``brier_scores``.
    """
    p, truth = _checked_classes(probabilities, labels)
    losses: NDArray[np.float64] = -np.log(np.maximum(p[np.arange(len(truth)), truth], floor))
    return losses


def _bin_sums(
    confidence: NDArray[np.float64], correct: NDArray[np.float64], weights: NDArray[np.float64], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return B x bins sums of weight, confidence and correctness in bins of equal mass; a bin may be empty."""
    order = np.argsort(confidence, kind="stable")
    stated, right, drawn = confidence[order], correct[order], weights[:, order]
    last_of_tie = np.searchsorted(stated, stated, side="right") - 1
    reached = np.cumsum(drawn, axis=1)
    wanted = np.maximum(np.round(reached[:, -1:] * np.arange(1, bins + 1) / bins), 1)
    ends = last_of_tie[np.stack([(reached >= wanted[:, [k]]).argmax(axis=1) for k in range(bins)], axis=1)]

    def per_bin(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.diff(np.take_along_axis(np.cumsum(values, axis=1), ends, axis=1), axis=1, prepend=0.0)

    return per_bin(drawn), per_bin(drawn * stated), per_bin(drawn * right)


def _gaps(
    confidence: NDArray[np.float64], correct: NDArray[np.float64], weights: NDArray[np.float64], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return B x bins shares of all predictions, accuracy minus confidence, and estimated variance of the accuracy."""
    count, told, true = _bin_sums(confidence, correct, weights, bins)
    filled = np.maximum(count, 1)
    accuracy = true / filled
    # A bin of one prediction says nothing of its own spread.
    variance = np.where(count > 1, accuracy * (1 - accuracy) / np.maximum(count - 1, 1), 0.0)
    return count / count.sum(axis=1, keepdims=True), accuracy - told / filled, variance


def _plain_errors(
    share: NDArray[np.float64], gap: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = (share * np.abs(gap)).sum(axis=1)
    return errors


def _debiased_errors(
    share: NDArray[np.float64], gap: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    from scipy.special import ndtr

    spread = np.sqrt(variance)
    ratio = np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 0)
    folded = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + gap * (1 - 2 * ndtr(-ratio))
    excess = np.where(spread > 0, folded - np.abs(gap), 0.0)
    errors: NDArray[np.float64] = np.maximum(_plain_errors(share, gap, variance) - (share * excess).sum(axis=1), 0.0)
    return errors


def _squared_errors(
    share: NDArray[np.float64], gap: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = (share * (gap**2 - variance)).sum(axis=1)
    return errors


def _checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    stated = np.asarray(confidence, np.float64)
    right = np.asarray(correct, np.float64)
    if stated.ndim != 1 or stated.shape != right.shape or not len(stated):
        raise ValueError(f"confidence and correct must be of one length above 0, not {stated.shape} and {right.shape}")
    if not ((stated >= 0) & (stated <= 1 + 1e-9)).all():
        raise ValueError("a confidence is not between 0 and 1")
    if not np.isin(right, (0, 1)).all():
        raise ValueError("correct holds something that is neither true nor false")
    return stated, right


def _checked_classes(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    p = np.asarray(probabilities, np.float64)
    truth = np.asarray(labels, np.intp)
    if p.ndim != 2 or truth.shape != p.shape[:1]:
        raise ValueError(f"need N x K probabilities and N labels, not {p.shape} and {truth.shape}")
    if not (p >= 0).all() or not np.allclose(p.sum(axis=1), 1, atol=1e-6):
        raise ValueError("a row of probabilities is negative somewhere or does not sum to 1")
    if ((truth < 0) | (truth >= p.shape[1])).any():
        raise ValueError(f"a label is not between 0 and {p.shape[1] - 1}")
    return p, truth
