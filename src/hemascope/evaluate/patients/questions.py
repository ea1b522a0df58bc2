"""Questions with two answers: is this marker there, is it this class, is it malignant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.core.bag_task import TaskKind
from hemascope.evaluate.patients.answers import PatientAnswers


@dataclass(frozen=True, slots=True, eq=False)
class BinaryQuestion:
    """Answers to one question with two answers, of the patients whose truth and answer are both there.

    Attributes
    ----------
    name
        Of the marker, the class, or the group of classes.
    rows
        N places among the answers that they come from.
    patients
        N names: what is resampled together.
    told
        N probabilities that it is so, 0 to 1.
    present
        N truths.

    Raises
    ------
    ValueError
        If the lengths differ or a probability is not between 0 and 1.
    """

    name: str
    rows: NDArray[np.intp]
    patients: NDArray[np.str_]
    told: NDArray[np.float64]
    present: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not self.rows.shape == self.patients.shape == self.told.shape == self.present.shape == (len(self.rows),):
            raise ValueError(f"{self.name}: rows, patients, probabilities and truths differ in number")
        if not ((self.told >= 0) & (self.told <= 1)).all():
            raise ValueError(f"{self.name}: a probability is not between 0 and 1")

    def __len__(self) -> int:
        """Return the number of patients asked about."""
        return len(self.rows)

    @property
    def positives(self) -> int:
        """Number of patients of whom it is true."""
        return int(self.present.sum())

    @property
    def negatives(self) -> int:
        """Number of patients of whom it is not."""
        return int((~self.present).sum())

    def among(self, flags: ArrayLike) -> BinaryQuestion:
        """Return the question to some of the patients; ``flags`` are P, one a row of the answers."""
        kept = np.asarray(flags, bool)[self.rows]
        return BinaryQuestion(self.name, self.rows[kept], self.patients[kept], self.told[kept], self.present[kept])


def binary_question(
    name: str, told: ArrayLike, present: ArrayLike, patients: Sequence[str] | None = None
) -> BinaryQuestion:
    """Return a question from P probabilities and P truths (1, 0, or NaN where missing); NaN probability: no answer."""
    probabilities, truth = np.asarray(told, np.float64), np.asarray(present, np.float64)
    rows = np.flatnonzero(np.isfinite(probabilities) & np.isfinite(truth))
    names = np.arange(len(truth)).astype(np.str_) if patients is None else np.asarray(patients, np.str_)
    # Sums of probabilities written with few digits may pass 1 by a hair.
    return BinaryQuestion(name, rows, names[rows], np.clip(probabilities[rows], 0.0, 1.0), truth[rows] == 1)


def questions_of(answers: PatientAnswers, task: str) -> tuple[BinaryQuestion, ...]:
    """Return one question a marker, or one a class: it against the rest.

    Raises
    ------
    ValueError
        If the task is a number.
    """
    asked = answers.task(task)
    if asked.kind is TaskKind.NUMBER:
        raise ValueError(f"{task} is a number: it has no question with two answers")
    if asked.kind is TaskKind.CLASSES:
        return tuple(class_question(answers, task, (output,), output) for output in asked.outputs)
    told = answers.probabilities[task]
    return tuple(
        binary_question(output, told[:, place], answers.truth_of(output), answers.patients)
        for place, output in enumerate(asked.outputs)
    )


def class_question(answers: PatientAnswers, task: str, classes: Sequence[str], name: str) -> BinaryQuestion:
    """Return the question whether the class is one of several, by the sum of their probabilities: malignancy.

    Raises
    ------
    ValueError
        If a class is none of the task.
    """
    outputs = answers.task(task).outputs
    strange = [one for one in classes if one not in outputs]
    if strange:
        raise ValueError(f"{', '.join(strange)} is no class of {task}: {', '.join(outputs)}")
    places = [outputs.index(one) for one in classes]
    truth = answers.truth_of(task)
    present = np.where(np.isfinite(truth), np.isin(truth, places), np.nan)
    return binary_question(name, answers.probabilities[task][:, places].sum(axis=1), present, answers.patients)
