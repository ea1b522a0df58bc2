"""Which of several classes a patient has: accuracy, top-k accuracy, confusion and each class, at any level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.evaluate.classification import class_statistics
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.binary import BinaryScores, count_binary, score_binary
from hemascope.stats.resample import RESAMPLES

TOP = (1, 2, 3)
"""Numbers of likeliest classes among which the true one is looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassAnswers:
    """Answers to one task of classes, of the patients whose truth and answer are both there.

    Attributes
    ----------
    classes
        K names.
    rows
        N places among the answers that they come from.
    patients
        N names.
    probabilities
        N x K, every row sums to 1.
    truth
        N class numbers.
    """

    classes: tuple[str, ...]
    rows: NDArray[np.intp]
    patients: NDArray[np.str_]
    probabilities: NDArray[np.float64]
    truth: NDArray[np.intp]

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.rows)

    @property
    def told(self) -> NDArray[np.intp]:
        """N class numbers: the likeliest, the first of equals."""
        return np.asarray(self.probabilities.argmax(axis=1), np.intp)


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Figures of one level of classes.

    Attributes
    ----------
    classes
        K names.
    patients
        How many.
    confusion
        K x K counts: rows are true, columns told.
    overall
        ``accuracy`` and ``top_2_accuracy``, ``top_3_accuracy`` with exact intervals; ``balanced_accuracy`` (mean
        sensitivity of the classes that occur) and ``macro_f1`` with bootstrap intervals over patients.
    per_class
        Class to its figures against the rest, from counts.
    """

    classes: tuple[str, ...]
    patients: int
    confusion: tuple[tuple[int, ...], ...]
    overall: dict[str, Estimate]
    per_class: dict[str, BinaryScores]


@dataclass(frozen=True, slots=True)
class CrossTable:
    """How patients of each label were answered, whatever the labels are: fine labels against coarse answers.

    Attributes
    ----------
    labels
        Row names, sorted as given.
    told
        Column names.
    counts
        Rows x columns.
    """

    labels: tuple[str, ...]
    told: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def class_answers(answers: PatientAnswers, task: str) -> ClassAnswers:
    """Return the answers to a task of classes that can be judged; rows are brought to a sum of 1 exactly."""
    rows = np.flatnonzero(answers.known(task))
    told = answers.probabilities[task][rows]
    names = np.asarray(answers.patients, np.str_)[rows]
    truth = answers.truth_of(task)[rows].astype(np.intp)
    return ClassAnswers(answers.task(task).outputs, rows, names, told / told.sum(axis=1, keepdims=True), truth)


def score_classes(answers: ClassAnswers, top: Sequence[int] = TOP, resamples: int = RESAMPLES) -> ClassScores:
    """Return the figures of answers at their level; every figure is undefined where there is no patient.

    Equal probabilities beside the true class's count against it in top-k, by the order of the classes.

    Raises
    ------
    ValueError
        If a k is below 1.
    """
    if min(top, default=1) < 1:
        raise ValueError(f"top-k accuracy needs a k of 1 or more, not {min(top)}")
    size = len(answers.classes)
    confusion = np.zeros((size, size), np.int64)
    np.add.at(confusion, (answers.truth, answers.told), 1)
    return ClassScores(
        classes=answers.classes,
        patients=len(answers),
        confusion=_rows(confusion),
        overall=_top_k(answers, top) | _means(answers, resamples),
        per_class={
            name: score_binary(count_binary(answers.told == number, answers.truth == number))
            for number, name in enumerate(answers.classes)
        },
    )


def cross_table(labels: ArrayLike, told: ArrayLike, columns: Sequence[str]) -> CrossTable:
    """Return counts of N class numbers told, for each of the N labels that is not empty.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    names, numbers = np.asarray(labels, np.str_), np.asarray(told, np.intp)
    if names.shape != numbers.shape:
        raise ValueError(f"need as many labels as answers, not {names.shape} and {numbers.shape}")
    kinds = [str(name) for name in np.unique(names) if name]
    counts = np.array([np.bincount(numbers[names == kind], minlength=len(columns)) for kind in kinds], np.int64)
    return CrossTable(tuple(kinds), tuple(columns), _rows(counts.reshape(len(kinds), len(columns))))


def _top_k(answers: ClassAnswers, top: Sequence[int]) -> dict[str, Estimate]:
    ranks = np.argsort(-answers.probabilities, axis=1, kind="stable")
    figures = {}
    for k in top:
        found = int((ranks[:, :k] == answers.truth[:, None]).any(axis=1).sum())
        figures["accuracy" if k == 1 else f"top_{k}_accuracy"] = Estimate.share(found, len(answers))
    return figures


def _means(answers: ClassAnswers, resamples: int) -> dict[str, Estimate]:
    statistics = class_statistics(answers.truth, answers.told, len(answers.classes))
    return {name: Estimate.resampled(answers.patients, statistic, resamples) for name, statistic in statistics.items()}


def _rows(counts: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(count) for count in row) for row in counts)
