"""Whether stated probabilities of patients are what comes true: reliability tables and calibration errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.classes import ClassAnswers
from hemascope.evaluate.patients.questions import BinaryQuestion
from hemascope.stats.calibration import BINS, ReliabilityBin, calibration_statistics, reliability_table
from hemascope.stats.resample import RESAMPLES, ratio_of_sums


@dataclass(frozen=True, slots=True)
class CalibrationScores:
    """Calibration of N answers.

    Attributes
    ----------
    bins
        Bins aimed at, of equal mass.
    reliability
        The table, from the least to the most confident; empty where there is no answer.
    ece
        Expected calibration error, debiased, with the bootstrap interval over patients. Resampling adds noise to every
        bin, so that the interval sits too high, if anything.
    ece_plain
        Not debiased: greater on average the fewer patients there are, as most papers print it.
    brier
        Mean squared distance from the truth: 0 to 2 for classes (summed over them), 0 to 1 for a question.
    """

    bins: int
    reliability: tuple[ReliabilityBin, ...]
    ece: Estimate
    ece_plain: Estimate
    brier: Estimate


def calibration_of_classes(answers: ClassAnswers, bins: int = BINS, resamples: int = RESAMPLES) -> CalibrationScores:
    """Return how often the class told is right, against the probability told of it (top-label calibration)."""
    one_hot = np.eye(len(answers.classes))[answers.truth]
    distances = ((answers.probabilities - one_hot) ** 2).sum(axis=1)
    confidence = np.minimum(answers.probabilities.max(axis=1), 1.0) if len(answers) else np.empty(0)
    return _scores(confidence, answers.told == answers.truth, distances, answers.patients, bins, resamples)


def calibration_of_question(
    question: BinaryQuestion, bins: int = BINS, resamples: int = RESAMPLES
) -> CalibrationScores:
    """Return how often it is so, against the probability told that it is."""
    distances = (question.told - question.present) ** 2
    return _scores(question.told, question.present, distances, question.patients, bins, resamples)


def _scores(
    told: NDArray[np.float64],
    true: ArrayLike,
    distances: NDArray[np.float64],
    patients: ArrayLike,
    bins: int,
    resamples: int,
) -> CalibrationScores:
    if not len(told):
        return CalibrationScores(bins, (), Estimate(None), Estimate(None), Estimate(None))
    statistics = calibration_statistics(told, true, bins)
    return CalibrationScores(
        bins=bins,
        reliability=reliability_table(told, true, bins),
        ece=Estimate.resampled(patients, statistics["ece"], resamples),
        ece_plain=Estimate.resampled(patients, statistics["ece_plain"], resamples),
        brier=Estimate.resampled(patients, ratio_of_sums(distances, np.ones(len(distances))), resamples),
    )
