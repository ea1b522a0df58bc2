"""The headline figures of an ablation: each row's, and by how much it differs from the recipe's own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.errors import CohortError
from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.classes import class_answers
from hemascope.evaluate.patients.numbers import number_answers
from hemascope.evaluate.patients.paired import compare_means
from hemascope.evaluate.patients.questions import BinaryQuestion, questions_of
from hemascope.evaluate.patients.ranking import PairedComparison, compare_averages
from hemascope.stats.holm import holm

MEAN_AUROC, MACRO_AUROC, ACCURACY, ERROR = "mean AUROC", "macro AUROC", "accuracy", "mean absolute error"


@dataclass(frozen=True, slots=True)
class Figure:
    """What rows are compared by.

    Attributes
    ----------
    task
        Name of the task.
    name
        Of the figure.
    unit
        Of an error; "" for shares.
    """

    task: str
    name: str
    unit: str = ""

    @property
    def less_is_better(self) -> bool:
        """Whether the lower of two is the better."""
        return self.name == ERROR


def figures_of(tasks: Sequence[BagTask]) -> tuple[Figure, ...]:
    """Return the figures by which rows that answer some tasks are compared."""
    names = {TaskKind.MARKERS: (MEAN_AUROC,), TaskKind.CLASSES: (ACCURACY, MACRO_AUROC), TaskKind.NUMBER: (ERROR,)}
    return tuple(Figure(task.name, name, task.unit) for task in tasks for name in names[task.kind])


def of_patients(parts: Sequence[PatientAnswers], split: str, patients: Sequence[str]) -> tuple[PatientAnswers, ...]:
    """Return the answers of a split, in the order of ``patients``.

    Raises
    ------
    CohortError
        If they are not of just these patients.
    """
    found = []
    for part in parts:
        judged = part.of_split(split)
        places = {name: place for place, name in enumerate(judged.patients)}
        if set(places) != set(patients):
            raise CohortError(f"of the split '{split}' it answers {len(places)} patients, not the same {len(patients)}")
        found.append(judged.select([places[name] for name in patients]))
    return tuple(found)


def compare_rows(
    ours: Sequence[PatientAnswers], own: PatientAnswers, figure: Figure, resamples: int
) -> PairedComparison | None:
    """Return a row's figure beside that of the recipe's own way; None where it is not defined.

    Parameters
    ----------
    ours
        Answers of the row, which may be those of several models, of the same patients in the same order as ``own``.
    own
        Answers of the recipe's own way.
    figure
        What is compared. Of areas, markers and classes of which there are patients of one kind only are left out.
    resamples
        Of the bootstrap over patients.
    """
    if figure.name in (MEAN_AUROC, MACRO_AUROC):
        mine = {question.name: question for part in ours for question in _questions(part, figure.task)}
        theirs = [q for q in questions_of(own, figure.task) if q.positives and q.negatives]
        return compare_averages([mine[q.name] for q in theirs], theirs, resamples) if theirs else None
    [part] = [part for part in ours if figure.task in {task.name for task in part.tasks}]
    if figure.name == ACCURACY:
        one, other = (class_answers(answers, figure.task) for answers in (part, own))
        right = [(answers.told == answers.truth).astype(np.float64) for answers in (one, other)]
        return compare_means(one.patients, right[0], right[1], resamples) if len(one) else None
    number, beside = (number_answers(answers, figure.task) for answers in (part, own))
    errors = [np.abs(answers.told - answers.truth) for answers in (number, beside)]
    return compare_means(number.patients, errors[0], errors[1], resamples) if len(number) else None


def adjusted(comparisons: Mapping[str, PairedComparison | None]) -> dict[str, float | None]:
    """Return the p value of each row, adjusted by Holm over all rows that have one."""
    given = [None if one is None else one.p_value for one in comparisons.values()]
    values = holm([np.nan if value is None else value for value in given])
    return {key: float(p) if np.isfinite(p) else None for key, p in zip(comparisons, values, strict=True)}


def _questions(answers: PatientAnswers, task: str) -> tuple[BinaryQuestion, ...]:
    return questions_of(answers, task) if task in {one.name for one in answers.tasks} else ()
