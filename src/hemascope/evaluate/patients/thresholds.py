"""From which probability on the answer is yes: chosen on answers that are not those it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.evaluate.patients.answers import OUT_OF_FOLD, TEST, PatientAnswers
from hemascope.evaluate.patients.binary import BinaryScores, score_at
from hemascope.evaluate.patients.questions import BinaryQuestion, questions_of

SENSITIVITY = 0.95
"""Wanted of a threshold of fixed sensitivity, by default."""


class Rule(StrEnum):
    """How a threshold is chosen."""

    YOUDEN = "youden"
    """Sensitivity plus specificity is greatest (Youden, Cancer 1950;3:32)."""
    SENSITIVITY = "sensitivity"
    """The highest threshold that finds the wanted share of the positives."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold and where it comes from.

    Attributes
    ----------
    question
        What it decides.
    rule
        How it was chosen.
    value
        The answer is yes from this probability on; None where the answers to choose on lack one kind.
    wanted
        Of a fixed sensitivity, that; otherwise None.
    chosen_on
        Split of the answers it was chosen on.
    scores
        Figures on those very answers: optimistic, for the record; None as ``value``.
    """

    question: str
    rule: Rule
    value: float | None
    wanted: float | None
    chosen_on: str
    scores: BinaryScores | None


def youden_threshold(told: ArrayLike, present: ArrayLike) -> float | None:
    """Return the threshold of the greatest sum of sensitivity and specificity.

    It lies midway between two distinct probabilities, so that it does not hang on the last digit of one. Of several
    that are as good, the lowest: it misses least.

    Parameters
    ----------
    told
        N probabilities.
    present
        N truths.

    Returns
    -------
    A probability, or None where one kind is missing.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    candidates, sensitivity, specificity = _steps(told, present)
    if not len(candidates):
        return None
    sums = sensitivity + specificity
    best = np.flatnonzero(sums >= sums.max() - 1e-12)
    return float(candidates[best[0]])


def sensitivity_threshold(told: ArrayLike, present: ArrayLike, wanted: float = SENSITIVITY) -> float | None:
    """Return the highest threshold that finds at least the wanted share of the positives; as ``youden_threshold``.

    Parameters
    ----------
    told, present
        N probabilities and N truths.
    wanted
        Sensitivity, above 0 up to 1.

    Raises
    ------
    ValueError
        If the lengths differ or the sensitivity is out of range.
    """
    if not 0 < wanted <= 1:
        raise ValueError(f"a sensitivity lies above 0 and at most at 1, not at {wanted}")
    candidates, sensitivity, _ = _steps(told, present)
    if not len(candidates):
        return None
    return float(candidates[np.flatnonzero(sensitivity >= wanted - 1e-12)[-1]])


def choose_threshold(
    question: BinaryQuestion, chosen_on: str, rule: Rule = Rule.YOUDEN, wanted: float = SENSITIVITY
) -> Threshold:
    """Return the threshold of a question by a rule, with its figures on the answers it was chosen on.

    Raises
    ------
    ValueError
        If ``chosen_on`` is the test split: a threshold chosen there would flatter its own figures.
    """
    if chosen_on == TEST:
        raise ValueError("a threshold is never chosen on test answers; choose it on out-of-fold or validation ones")
    fixed = rule is Rule.SENSITIVITY
    told, present = question.told, question.present
    value = sensitivity_threshold(told, present, wanted) if fixed else youden_threshold(told, present)
    scores = None if value is None else score_at(told, present, value)
    return Threshold(question.name, rule, value, wanted if fixed else None, chosen_on, scores)


def choose_thresholds(
    answers: PatientAnswers,
    task: str,
    rule: Rule = Rule.YOUDEN,
    wanted: float = SENSITIVITY,
    split: str = OUT_OF_FOLD,
) -> tuple[Threshold, ...]:
    """Return a threshold for each output of a task, chosen on one split; raise as ``choose_threshold``."""
    chosen = answers.of_split(split)
    return tuple(choose_threshold(question, split, rule, wanted) for question in questions_of(chosen, task))


def apply_thresholds(
    questions: Sequence[BinaryQuestion], thresholds: Sequence[Threshold]
) -> dict[str, BinaryScores | None]:
    """Return the figures of other answers at thresholds chosen before; None where there is no threshold.

    Raises
    ------
    ValueError
        If a question has no threshold of its name.
    """
    values = {threshold.question: threshold.value for threshold in thresholds}
    absent = [question.name for question in questions if question.name not in values]
    if absent:
        raise ValueError(f"no threshold was chosen for {', '.join(absent)}")
    scores: dict[str, BinaryScores | None] = {}
    for question in questions:
        value = values[question.name]
        scores[question.name] = None if value is None else score_at(question.told, question.present, value)
    return scores


def _steps(told: ArrayLike, present: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return thresholds that part the answers differently, rising, and sensitivity and specificity of each.

    The first says yes to all, the last to those of the highest probability; all empty where one kind is missing.
    """
    values, true = np.asarray(told, np.float64), np.asarray(present, bool)
    if values.ndim != 1 or values.shape != true.shape:
        raise ValueError(f"need as many probabilities as truths, not {values.shape} and {true.shape}")
    if true.all() or not true.any():
        return np.empty(0), np.empty(0), np.empty(0)
    distinct = np.unique(values)
    candidates = np.concatenate([distinct[:1], (distinct[1:] + distinct[:-1]) / 2])
    positives, negatives = np.sort(values[true]), np.sort(values[~true])
    sensitivity = 1 - np.searchsorted(positives, candidates) / len(positives)
    specificity = np.searchsorted(negatives, candidates) / len(negatives)
    return candidates, sensitivity, specificity
