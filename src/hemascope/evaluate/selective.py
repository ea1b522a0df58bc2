"""Whether a confidence knows which answers are wrong: figures of selective classification, with intervals."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.stats.calibration import calibration_statistics
from hemascope.stats.log_softmax import log_softmax
from hemascope.stats.psychometric import (
    RESAMPLES,
    Psychometric,
    deviance,
    fit_psychometric,
    psychometric_intervals,
)
from hemascope.stats.ranking import auroc_statistic
from hemascope.stats.resample import Statistic, ratio_of_sums
from hemascope.stats.risk_coverage import (
    aurc_statistic,
    deferral_statistic,
    deferral_threshold,
    excess_aurc_statistic,
)

ACCURACY = 0.995
"""Of the answers that are kept, by default."""

ODDS_MOST = 30.0
"""Log odds are held within plus and minus this: beyond it a probability is 1 to thirteen digits."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedAnswers:
    """Answers to N cells, and how sure each is.

    Attributes
    ----------
    probabilities
        N x K, every row sums to 1; the class told is the likeliest.
    labels
        N true class numbers.
    groups
        N labels of what is resampled together.
    confidence
        N numbers, higher for what is surer: the log odds of the class told, or a score of its own.
    """

    probabilities: NDArray[np.float64]
    labels: NDArray[np.intp]
    groups: NDArray[np.str_]
    confidence: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """N truth values: whether the class told is the true one."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels, np.bool_)

    def part(self, rows: NDArray[np.intp]) -> JudgedAnswers:
        """Return the answers to some of the cells."""
        return JudgedAnswers(*(getattr(self, field.name)[rows] for field in fields(self)))


def judged_from_logits(
    logits: NDArray[np.floating], labels: NDArray[np.intp], groups: NDArray[np.str_]
) -> JudgedAnswers:
    """Return answers whose confidence is the log odds of the class told; N x K logits as they were calibrated."""
    log_p = log_softmax(np.maximum(logits, -1e6))  # a class given up has minus infinity
    return JudgedAnswers(np.exp(log_p), labels, groups, told_log_odds(log_p))


def told_log_odds(log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return N log odds of the likeliest class, for N x K log probabilities; no digit is lost near 1.

    The natural scale of a calibrated confidence: 0 is an even chance, 3 is 0.95, 4.6 is 0.99.
    """
    order = np.sort(log_p, axis=1)
    others = np.logaddexp.reduce(order[:, :-1], axis=1)
    return np.asarray(np.clip(order[:, -1] - others, -ODDS_MOST, ODDS_MOST), np.float64)


def score_selective(answers: JudgedAnswers, accuracy: float = ACCURACY) -> dict[str, Estimate]:
    """Return how well the confidence ranks right above wrong answers, with bootstrap intervals over groups.

    ``correct_wrong_auc``, the share of pairs of a right and a wrong answer in which the right one is surer, undefined
    where no answer is wrong; ``aurc`` and ``excess_aurc``; ``defer``, the least share to defer so that the rest is
    right at ``accuracy``, by the best threshold for these very answers: a property of their order, not a promise.
    """
    confidence, right, groups = answers.confidence, answers.right, answers.groups
    return {
        "correct_wrong_auc": Estimate.resampled(groups, auroc_statistic(confidence, right)),
        "aurc": Estimate.resampled(groups, aurc_statistic(confidence, right)),
        "excess_aurc": Estimate.resampled(groups, excess_aurc_statistic(confidence, right)),
        "defer": Estimate.resampled(groups, deferral_statistic(confidence, right, accuracy)),
    }


def score_threshold(
    answers: JudgedAnswers, validation: JudgedAnswers, accuracy: float = ACCURACY
) -> dict[str, Estimate]:
    """Return what a threshold chosen on validation answers gives: ``deferred`` share, and ``accuracy_kept``.

    The threshold is the lowest that makes the validation answers right at ``accuracy``.
    """
    kept = answers.confidence >= deferral_threshold(validation.confidence, validation.right, accuracy)
    counts, right = kept.astype(np.float64), (kept & answers.right).astype(np.float64)
    return {
        "deferred": Estimate.resampled(answers.groups, ratio_of_sums(1 - counts, np.ones(len(kept)))),
        "accuracy_kept": Estimate.resampled(answers.groups, ratio_of_sums(right, counts)),
    }


def score_psychometric(
    answers: JudgedAnswers, resamples: int = RESAMPLES
) -> tuple[dict[str, Estimate], Psychometric | None]:
    """Return the parameters of the psychometric function with bootstrap intervals, its deviance, and the function.

    ``psychometric_guess``, ``_lapse``, ``_threshold``, ``_spread``, and ``_deviance`` with ``_bins``. All are
    undefined, and there is no function, where all answers are right, or all wrong, or all are equally sure.
    """
    names = [f"psychometric_{field.name}" for field in fields(Psychometric)]
    try:
        fitted = fit_psychometric(answers.confidence, answers.right)
    except ValueError:
        return {name: Estimate(None) for name in (*names, "psychometric_deviance", "psychometric_bins")}, None
    limits = psychometric_intervals(answers.confidence, answers.right, answers.groups, fitted, resamples=resamples)
    figures = {
        f"psychometric_{field.name}": Estimate(value, *limits.get(field.name, (None, None)))
        for field, value in zip(fields(Psychometric), astuple(fitted), strict=True)
    }
    value, bins = deviance(fitted, answers.confidence, answers.right)
    return figures | {"psychometric_deviance": Estimate(value), "psychometric_bins": Estimate(bins)}, fitted


def score_judged(
    answers: JudgedAnswers, validation: JudgedAnswers, classes: tuple[str, ...], accuracy: float = ACCURACY
) -> dict[str, Estimate]:
    """Return accuracy, calibration and every figure of selective classification of N answers.

    Parameters
    ----------
    answers
        To test cells.
    validation
        To validation cells: what the threshold is chosen on.
    classes
        K names.
    accuracy
        Wanted of the answers kept.
    """
    told = answers.probabilities.argmax(axis=1)
    right, groups = answers.right, answers.groups
    calibration = calibration_statistics(np.minimum(answers.probabilities.max(axis=1), 1.0), right)
    plain = {
        "accuracy": Estimate.share(int(right.sum()), len(right)),
        "balanced_accuracy": Estimate.resampled(groups, _mean_recall(told, answers.labels, len(classes))),
        "ece": Estimate.resampled(groups, calibration["ece"]),
    }
    psychometric, _ = score_psychometric(answers)
    return plain | score_selective(answers, accuracy) | score_threshold(answers, validation, accuracy) | psychometric


def _mean_recall(told: NDArray[np.intp], labels: NDArray[np.intp], classes: int) -> Statistic:
    one_hot = np.eye(classes)[labels]
    hits = one_hot * (told == labels)[:, None]

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        present = weights @ one_hot
        recalls = np.divide(weights @ hits, present, out=np.zeros_like(present), where=present > 0)
        mean: NDArray[np.float64] = recalls.sum(axis=1) / (present > 0).sum(axis=1)
        return mean

    return statistic


def paired_gain(ours: ArrayLike, theirs: ArrayLike, labels: ArrayLike, groups: ArrayLike) -> Estimate:
    """Return the balanced accuracy gained over other answers to the same cells; both see the same resamples.

    Parameters
    ----------
    ours, theirs
        N class numbers told.
    labels, groups
        N true class numbers, and what is resampled together.
    """
    truth = np.asarray(labels, np.intp)
    count = int(truth.max()) + 1
    own, other = (_mean_recall(np.asarray(told, np.intp), truth, count) for told in (ours, theirs))
    return Estimate.resampled(groups, lambda weights: own(weights) - other(weights))
