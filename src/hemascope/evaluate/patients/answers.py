"""What a model said of the patients of a cohort, beside what is true of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.core.bag_task import BagTask, TaskKind

OUT_OF_FOLD, TEST = "out_of_fold", "test"
"""Splits: answers of the members that never saw the patient; answers of the finished ensemble."""

FACTS = ("site", "scanner", "stain", "specimen")
"""Columns of text that every file has."""

NO_FOLD = -1


@dataclass(frozen=True, slots=True, eq=False)
class PatientAnswers:
    """Answers about P patients.

    Attributes
    ----------
    tasks
        What was asked.
    patients
        P names; a name may stand in several splits, once in each.
    splits
        P names of splits: ``out_of_fold``, ``test``, or as the cohort names them.
    folds
        P numbers of the fold whose models answered, -1 where there is none.
    cells
        P sizes of the bags, 1 or more.
    probabilities
        Task of classes or markers to P x K probabilities; a row of NaN where the model gave no answer.
    numbers
        Task of a number to P numbers in its unit, NaN where there is no answer.
    truth
        P x C, columns by ``truth_slices``: class number, marker 0 or 1, or number; NaN where missing.
    facts
        Each of ``FACTS`` to P texts, "" where missing.
    covariates
        Name to P numbers (NaN where missing) or P texts ("" where missing).
    labels
        Column to P raw laboratory labels, "" where missing.
    """

    tasks: tuple[BagTask, ...]
    patients: tuple[str, ...]
    splits: NDArray[np.str_]
    folds: NDArray[np.intp]
    cells: NDArray[np.intp]
    probabilities: Mapping[str, NDArray[np.float64]]
    numbers: Mapping[str, NDArray[np.float64]]
    truth: NDArray[np.float64]
    facts: Mapping[str, NDArray[np.str_]]
    covariates: Mapping[str, NDArray[np.float64] | NDArray[np.str_]]
    labels: Mapping[str, NDArray[np.str_]]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.patients)

    def task(self, name: str) -> BagTask:
        """Return a task by name; ``KeyError`` where it was not asked."""
        return {task.name: task for task in self.tasks}[name]

    def truth_of(self, column: str) -> NDArray[np.float64]:
        """Return P truths of a column: the name of a task of classes or a number, or of a marker."""
        names = [name for task in self.tasks for name in task.columns]
        return self.truth[:, names.index(column)]

    def known(self, task: str) -> NDArray[np.bool_]:
        """Return P flags: whether there is both an answer and a truth, for classes and numbers."""
        asked = self.task(task)
        if asked.kind is TaskKind.MARKERS:
            raise ValueError(f"{task} has a truth for each marker: use `marker`")
        told = self.numbers[task] if asked.kind is TaskKind.NUMBER else self.probabilities[task][:, 0]
        return np.isfinite(told) & np.isfinite(self.truth_of(task))

    def marker(self, task: str, output: str) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.bool_]]:
        """Return the rows with a truth and an answer to one marker, their probabilities and whether it is there."""
        told = self.probabilities[task][:, self.task(task).outputs.index(output)]
        true = self.truth_of(output)
        rows = np.flatnonzero(np.isfinite(told) & np.isfinite(true))
        return rows, told[rows], true[rows] == 1

    def select(self, rows: ArrayLike) -> PatientAnswers:
        """Return some of the rows: places or flags."""
        chosen = np.asarray(rows)
        places = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.intp)
        return PatientAnswers(
            tasks=self.tasks,
            patients=tuple(self.patients[place] for place in places),
            splits=self.splits[places],
            folds=self.folds[places],
            cells=self.cells[places],
            probabilities={name: values[places] for name, values in self.probabilities.items()},
            numbers={name: values[places] for name, values in self.numbers.items()},
            truth=self.truth[places],
            facts={name: values[places] for name, values in self.facts.items()},
            covariates={name: values[places] for name, values in self.covariates.items()},
            labels={name: values[places] for name, values in self.labels.items()},
        )

    def of_split(self, split: str) -> PatientAnswers:
        """Return the rows of one split; there may be none."""
        return self.select(self.splits == split)
