"""How well probabilities rank patients: areas under two curves, their averages, and two models beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.questions import BinaryQuestion
from hemascope.stats.delong import AreaDifference, delong_interval, delong_test
from hemascope.stats.ranking import auroc_statistic, average_precision_statistic
from hemascope.stats.resample import (
    RESAMPLES,
    Statistic,
    bootstrap_distribution,
    bootstrap_p_value,
    percentile_interval,
)

AreaOf = Callable[[NDArray[np.float64], NDArray[np.bool_]], Statistic]
"""Scores and flags to an area as a statistic of weights."""


@dataclass(frozen=True, slots=True)
class RankingScores:
    """How well one question is ranked.

    Attributes
    ----------
    question
        Its name.
    positives, negatives
        Numbers of patients.
    auroc
        Area under the ROC curve with the bootstrap interval over patients.
    auroc_delong
        The same area with DeLong's interval.
    auprc
        Average precision with the bootstrap interval; by chance it is ``prevalence``.
    prevalence
        Share of positives, with the exact interval.
    """

    question: str
    positives: int
    negatives: int
    auroc: Estimate
    auroc_delong: Estimate
    auprc: Estimate
    prevalence: Estimate


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two models on the same patients.

    Attributes
    ----------
    ours, theirs
        The average area of each.
    difference
        Ours minus theirs.
    p_value
        Two-sided, of no difference; None where it is undefined.
    patients
        How many were resampled.
    """

    ours: Estimate
    theirs: Estimate
    difference: Estimate
    p_value: float | None
    patients: int


def rank(question: BinaryQuestion, resamples: int = RESAMPLES) -> RankingScores:
    """Return the areas of one question; undefined where one kind is missing."""
    return RankingScores(
        question=question.name,
        positives=question.positives,
        negatives=question.negatives,
        auroc=Estimate.resampled(question.patients, auroc_statistic(question.told, question.present), resamples),
        auroc_delong=delong_estimate(question),
        auprc=Estimate.resampled(
            question.patients, average_precision_statistic(question.told, question.present), resamples
        ),
        prevalence=Estimate.share(question.positives, len(question)),
    )


def delong_estimate(question: BinaryQuestion) -> Estimate:
    """Return the area with DeLong's interval; without one where the variance says nothing."""
    found = delong_interval(question.told, question.present) if len(question) else None
    if found is not None:
        return Estimate(*found)
    if not question.positives or not question.negatives:
        return Estimate(None)
    return Estimate(float(auroc_statistic(question.told, question.present)(np.ones((1, len(question))))[0]))


def macro_auroc(questions: Sequence[BinaryQuestion], resamples: int = RESAMPLES) -> Estimate:
    """Return the mean area over questions to the same patients; the interval resamples whole patients.

    Undefined where a question lacks one kind: a mean over fewer questions would be another figure.
    """
    return _macro(questions, auroc_statistic, resamples)


def macro_auprc(questions: Sequence[BinaryQuestion], resamples: int = RESAMPLES) -> Estimate:
    """Return the mean average precision over questions; as ``macro_auroc``."""
    return _macro(questions, average_precision_statistic, resamples)


def compare_areas(ours: BinaryQuestion, theirs: BinaryQuestion) -> AreaDifference | None:
    """Return DeLong's paired test of one question answered by two models; None with fewer than two of a kind.

    Raises
    ------
    ValueError
        If they are not about the same patients and truths.
    """
    _check_paired(ours, theirs)
    return delong_test(ours.told, theirs.told, ours.present) if len(ours) else None


def compare_averages(
    ours: Sequence[BinaryQuestion], theirs: Sequence[BinaryQuestion], resamples: int = RESAMPLES, seed: int = 0
) -> PairedComparison:
    """Return the paired bootstrap of two averages of areas: both models see the same resamples of patients.

    DeLong's test is for one pair of areas; an average over questions to the same patients is no such area.

    Parameters
    ----------
    ours, theirs
        The same questions in the same order, to the same patients.
    resamples, seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        If the questions, their patients or truths differ, or there is no question or patient.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"need the same questions to both models, one or more; not {len(ours)} and {len(theirs)}")
    for one, other in zip(ours, theirs, strict=True):
        _check_paired(one, other)
    names, first = macro_statistic(ours, auroc_statistic)
    _, second = macro_statistic(theirs, auroc_statistic)

    def both(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([first(weights), second(weights)], axis=1)

    (plain,) = both(np.ones((1, len(names))))
    drawn = bootstrap_distribution(names, both, resamples, seed)
    gap = _estimate(plain[0] - plain[1], drawn[:, 0] - drawn[:, 1])
    return PairedComparison(
        ours=_estimate(plain[0], drawn[:, 0]),
        theirs=_estimate(plain[1], drawn[:, 1]),
        difference=gap,
        p_value=None if gap.value is None else bootstrap_p_value(drawn[:, 0] - drawn[:, 1]),
        patients=len(names),
    )


def macro_statistic(questions: Sequence[BinaryQuestion], area: AreaOf) -> tuple[NDArray[np.str_], Statistic]:
    """Return the names of all patients asked about, and the mean area over questions as a statistic of their weights.

    Parameters
    ----------
    questions
        To rows of the same answers; each may know the truth of some of them only.
    area
        Scores and flags to a statistic: ``auroc_statistic``.

    Raises
    ------
    ValueError
        If there is no question.
    """
    if not questions:
        raise ValueError("an average needs a question")
    rows, first = np.unique(np.concatenate([question.rows for question in questions]), return_index=True)
    names = np.concatenate([question.patients for question in questions])[first]
    parts = [(np.searchsorted(rows, question.rows), area(question.told, question.present)) for question in questions]

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        areas = np.stack([statistic(weights[:, places]) for places, statistic in parts])
        average: NDArray[np.float64] = areas.mean(axis=0)
        return average

    return names, mean


def _macro(questions: Sequence[BinaryQuestion], area: AreaOf, resamples: int) -> Estimate:
    names, statistic = macro_statistic(questions, area)
    return Estimate.resampled(names, statistic, resamples)


def _estimate(value: float, drawn: NDArray[np.float64]) -> Estimate:
    limits = percentile_interval(drawn)
    return Estimate(float(value), *limits) if np.isfinite(value) and limits is not None else Estimate(None)


def _check_paired(one: BinaryQuestion, other: BinaryQuestion) -> None:
    same = one.name == other.name and np.array_equal(one.patients, other.patients)
    if not same or not np.array_equal(one.rows, other.rows) or not np.array_equal(one.present, other.present):
        raise ValueError(f"two models are compared on the same patients and truths: {one.name} and {other.name} differ")
