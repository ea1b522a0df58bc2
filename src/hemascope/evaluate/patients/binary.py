"""Figures of answers yes and no, computed from counts, with the counts beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hemascope.evaluate.estimate import Estimate


@dataclass(frozen=True, slots=True)
class BinaryCounts:
    """What was answered against what is true.

    Attributes
    ----------
    true_positive, false_positive, true_negative, false_negative
        Numbers of patients, 0 or more.
    """

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    def __post_init__(self) -> None:
        if min(self.true_positive, self.false_positive, self.true_negative, self.false_negative) < 0:
            raise ValueError(f"a count is below 0: {self}")

    @property
    def total(self) -> int:
        """Number of patients."""
        return self.positive + self.negative

    @property
    def positive(self) -> int:
        """Patients of whom it is true."""
        return self.true_positive + self.false_negative

    @property
    def negative(self) -> int:
        """Patients of whom it is not."""
        return self.true_negative + self.false_positive

    @property
    def told(self) -> int:
        """Patients of whom it was said."""
        return self.true_positive + self.false_positive


@dataclass(frozen=True, slots=True)
class BinaryScores:
    """Figures of a two by two table, each undefined (value None) where its denominator is 0.

    Attributes
    ----------
    counts
        The table.
    threshold
        From which probability on the answer is yes; None where it is no matter of one probability.
    sensitivity, specificity, precision, negative_predictive_value
        Shares of counts, with exact intervals. Precision is the positive predictive value. Both predictive values
        hold for this share of positives only.
    f1
        2 TP / (2 TP + FP + FN).
    balanced_accuracy
        Mean of sensitivity and specificity; undefined where either is.
    """

    counts: BinaryCounts
    threshold: float | None
    sensitivity: Estimate
    specificity: Estimate
    precision: Estimate
    negative_predictive_value: Estimate
    f1: Estimate
    balanced_accuracy: Estimate


def count_binary(told: ArrayLike, present: ArrayLike) -> BinaryCounts:
    """Return the counts of N answers yes or no against N truths.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    said, true = np.asarray(told, bool), np.asarray(present, bool)
    if said.ndim != 1 or said.shape != true.shape:
        raise ValueError(f"need as many answers as truths, not {said.shape} and {true.shape}")
    return BinaryCounts(
        true_positive=int((said & true).sum()),
        false_positive=int((said & ~true).sum()),
        true_negative=int((~said & ~true).sum()),
        false_negative=int((~said & true).sum()),
    )


def score_binary(counts: BinaryCounts, threshold: float | None = None) -> BinaryScores:
    r"""Return all figures of counts, with 95% intervals.

    Shares have the exact interval of Clopper and Pearson. F1 has it too: given that a patient is no true negative, the
    true positives are binomial with a share J, and :math:`F_1 = 2 J / (1 + J)` grows with J. Balanced accuracy is the
    mean of two independent shares; its interval adds their distances to their exact limits in squares (Zou, Donner,
    Stat Med 2008;27:1693).

    Parameters
    ----------
    counts
        The table.
    threshold
        Where the counts come from one, to be kept beside them.
    """
    sensitivity = Estimate.share(counts.true_positive, counts.positive)
    specificity = Estimate.share(counts.true_negative, counts.negative)
    return BinaryScores(
        counts=counts,
        threshold=threshold,
        sensitivity=sensitivity,
        specificity=specificity,
        precision=Estimate.share(counts.true_positive, counts.told),
        negative_predictive_value=Estimate.share(counts.true_negative, counts.total - counts.told),
        f1=_f1(Estimate.share(counts.true_positive, counts.positive + counts.false_positive)),
        balanced_accuracy=_mean_of_two(sensitivity, specificity),
    )


def score_at(told: ArrayLike, present: ArrayLike, threshold: float) -> BinaryScores:
    """Return the figures of N probabilities against N truths; the answer is yes from ``threshold`` on."""
    return score_binary(count_binary(np.asarray(told, np.float64) >= threshold, present), threshold)


def _f1(jaccard: Estimate) -> Estimate:
    def grown(share: float | None) -> float | None:
        return None if share is None else 2 * share / (1 + share)

    return Estimate(grown(jaccard.value), grown(jaccard.low), grown(jaccard.high))


def _mean_of_two(one: Estimate, other: Estimate) -> Estimate:
    a, b = one, other
    if a.value is None or a.low is None or a.high is None or b.value is None or b.low is None or b.high is None:
        return Estimate(None)
    middle = (a.value + b.value) / 2
    below = np.hypot(a.value - a.low, b.value - b.low) / 2
    above = np.hypot(a.high - a.value, b.high - b.value) / 2
    return Estimate(middle, float(middle - below), float(middle + above))
