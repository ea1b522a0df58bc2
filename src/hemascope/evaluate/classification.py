"""Accuracy and calibration of types given to single cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.stats.calibration import (
    ReliabilityBin,
    brier_scores,
    calibration_statistics,
    log_losses,
    reliability_table,
)
from hemascope.stats.resample import Statistic


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationScores:
    """How well types were told.

    Attributes
    ----------
    classes
        The K names, in the order of the probabilities.
    confusion
        K x K counts: rows are true, columns told.
    overall
        Metric name to value: ``accuracy`` with the exact interval; ``balanced_accuracy`` (mean recall of the classes
        that occur), ``macro_f1`` (mean F1 of the classes that occur), ``ece`` (15 equal-mass bins, debiased),
        ``ece_plain`` (not debiased), ``rms_calibration_error`` (root of the debiased squared error, 0 where that is
        negative), ``brier`` (0 to 2) and ``nll`` (nats), these with bootstrap intervals over groups. Resampling adds
        noise to every bin, so the intervals of the calibration errors sit too high, if anything.
    per_class
        Class name to ``recall`` and ``precision`` with exact intervals and ``labeled``; undefined where it does not
        occur or is never told.
    reliability
        The reliability table behind ``ece``.
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    overall: dict[str, Estimate]
    per_class: dict[str, dict[str, Estimate]]
    reliability: tuple[ReliabilityBin, ...]


def score_classification(
    probabilities: ArrayLike, labels: ArrayLike, groups: ArrayLike, classes: Sequence[str]
) -> ClassificationScores:
    """Return the scores of N answers; the class told is the one of highest probability.

    Parameters
    ----------
    probabilities
        N x K, every row sums to 1.
    labels
        N true class numbers, 0 to K - 1.
    groups
        N labels of what is resampled together: near-duplicates, a slide.
    classes
        K names.

    Raises
    ------
    ValueError
        If the shapes disagree, there are no answers, or a row is no distribution.
    """
    p = np.asarray(probabilities, np.float64)
    truth = np.asarray(labels, np.intp)
    brier, losses = brier_scores(p, truth), log_losses(p, truth)
    if p.shape[1] != len(classes) or np.asarray(groups).shape != truth.shape or not len(truth):
        raise ValueError(f"{p.shape} probabilities need {p.shape[1]} class names and {len(truth)} > 0 groups")
    told, confidence = p.argmax(axis=1), p.max(axis=1)
    correct = told == truth
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (truth, told), 1)
    overall = {"accuracy": Estimate.share(int(correct.sum()), len(truth))}
    statistics = class_statistics(truth, told, len(classes)) | calibration_statistics(confidence, correct)
    for name, statistic in statistics.items():
        overall[name] = Estimate.resampled(groups, statistic)
    overall["brier"] = Estimate.resampled(groups, _weighted_mean(brier))
    overall["nll"] = Estimate.resampled(groups, _weighted_mean(losses))
    return ClassificationScores(
        classes=tuple(classes),
        confusion=confusion,
        overall=overall,
        per_class=per_class_scores(confusion, classes),
        reliability=reliability_table(confidence, correct),
    )


def per_class_scores(confusion: ArrayLike, classes: Sequence[str]) -> dict[str, dict[str, Estimate]]:
    """Return recall, precision and number of true cells of each class of a confusion matrix."""
    counts = np.asarray(confusion)
    true, told, right = counts.sum(axis=1), counts.sum(axis=0), np.diagonal(counts)
    return {
        name: {
            "labeled": Estimate(int(true[k])),
            "recall": Estimate.share(int(right[k]), int(true[k])),
            "precision": Estimate.share(int(right[k]), int(told[k])),
        }
        for k, name in enumerate(classes)
    }


def class_statistics(truth: NDArray[np.intp], told: NDArray[np.intp], classes: int) -> dict[str, Statistic]:
    """Return ``balanced_accuracy`` and ``macro_f1`` of N true and N told class numbers as statistics of weights.

    Both are means over the classes that occur in a resample.
    """
    true_one_hot, told_one_hot = np.eye(classes)[truth], np.eye(classes)[told]
    hit_one_hot = true_one_hot * (truth == told)[:, None]

    def balanced_accuracy(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return _mean_where(weights @ hit_one_hot, weights @ true_one_hot, weights @ true_one_hot)

    def macro_f1(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        true = weights @ true_one_hot
        return _mean_where(2 * (weights @ hit_one_hot), true + weights @ told_one_hot, true)

    return {"balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1}


def _mean_where(
    above: NDArray[np.float64], below: NDArray[np.float64], support: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the row means of above / below over the classes that occur."""
    ratio = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    occurring = support > 0
    mean: NDArray[np.float64] = (ratio * occurring).sum(axis=1) / np.maximum(occurring.sum(axis=1), 1)
    return mean


def _weighted_mean(values: NDArray[np.float64]) -> Statistic:
    return lambda weights: weights @ values / weights.sum(axis=1)
