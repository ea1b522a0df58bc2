"""Two models on the same patients: DeLong's test for one question, the paired bootstrap for averages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hemascope.app.evaluation.estimates import cells, headline, told
from hemascope.app.evaluation.findings import Cell, Findings, Headline, Sheet, plain
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.errors import CohortError
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.questions import BinaryQuestion, questions_of
from hemascope.evaluate.patients.ranking import PairedComparison, compare_areas, compare_averages
from hemascope.stats.ranking import auroc

_COLUMNS = (
    "task", "question", "patients", "ours", "theirs", "difference", "difference_low", "difference_high", "p_value",
    "test",
)  # fmt: skip
Pairs = list[tuple[BinaryQuestion, BinaryQuestion]]


def compare_runs(run: Evaluated, other: Evaluated) -> Findings:
    """Return by how much the areas of two runs differ, on the patients whom both answered.

    Raises
    ------
    CohortError
        If they share no patient of the split or no task, or disagree about what is true of one.
    """
    ours, theirs = _same_patients(run, other)
    tasks = [task for task in ours.tasks if task in theirs.tasks and task.kind is not TaskKind.NUMBER]
    if not tasks:
        raise CohortError(f"{run.name} and {other.name} share no task of classes or markers; compare like with like")
    figures: dict[str, Any] = {"against": other.name, "patients": len(ours)}
    rows: list[tuple[Cell, ...]] = []
    lines: list[Headline] = []
    for task in tasks:
        pairs = _pairs(ours, theirs, task)
        single = {one.name: _single(one, two) for one, two in pairs}
        figures[task.name] = {name: found[0] for name, found in single.items()}
        rows += [(task.name, name, *found[1]) for name, found in single.items()]
        if len(pairs) > 1:
            mean = compare_averages([one for one, _ in pairs], [two for _, two in pairs], run.resamples)
            figures[task.name]["average"] = _average(mean)
            rows.append((task.name, "average", *_average_cells(mean)))
            name = f"mean AUROC minus that of {other.name}"
            lines.append(headline(run.shown(task.name), name, mean.difference, mean.patients))
    return Findings(
        "comparison",
        f"Beside {other.name}",
        figures,
        (Sheet("comparison", _COLUMNS, tuple(rows)),),
        headlines=tuple(lines),
        remarks=(
            f"Areas under the ROC curve of both models on the same {len(ours):,} patients. One question: DeLong's "
            "test. The average: both models see the same resamples of patients. P values are not "
            "corrected for their number.",
        ),
    )


def _same_patients(run: Evaluated, other: Evaluated) -> tuple[PatientAnswers, PatientAnswers]:
    places = {name: row for row, name in enumerate(other.judged.patients)}
    rows = [row for row, name in enumerate(run.judged.patients) if name in places]
    if not rows:
        raise CohortError(f"{run.name} and {other.name} share no patient of the split '{run.split}'")
    ours = run.judged.select(rows)
    return ours, other.judged.select([places[name] for name in ours.patients])


def _pairs(ours: PatientAnswers, theirs: PatientAnswers, task: BagTask) -> Pairs:
    """Return each question to both, of the patients whom both answered; those of one kind are left out."""
    found = []
    for one, two in zip(questions_of(ours, task.name), questions_of(theirs, task.name), strict=True):
        both = np.zeros(len(ours), bool)
        both[np.intersect1d(one.rows, two.rows)] = True
        first, second = one.among(both), two.among(both)
        if not np.array_equal(first.present, second.present):
            raise CohortError(f"the two runs disagree about what is true of {one.name} in {task.name}")
        if first.positives and first.negatives:
            found.append((first, second))
    return found


def _single(one: BinaryQuestion, two: BinaryQuestion) -> tuple[dict[str, Any], Sequence[Cell]]:
    found = compare_areas(one, two)
    difference = Estimate(None) if found is None else Estimate(found.difference, found.low, found.high)
    p_value = None if found is None else plain(found.p_value, 12)
    ours, theirs = (plain(auroc(question.told, question.present)) for question in (one, two))
    figures = {"patients": len(one), "ours": ours, "theirs": theirs, "difference": told(difference), "p_value": p_value}
    return figures, (len(one), ours, theirs, *cells(difference), p_value, "DeLong")


def _average(mean: PairedComparison) -> dict[str, Any]:
    return {
        "patients": mean.patients, "ours": told(mean.ours), "theirs": told(mean.theirs),
        "difference": told(mean.difference), "p_value": plain(mean.p_value, 12),
    }  # fmt: skip


def _average_cells(mean: PairedComparison) -> tuple[Cell, ...]:
    ours, theirs = plain(mean.ours.value), plain(mean.theirs.value)
    return mean.patients, ours, theirs, *cells(mean.difference), plain(mean.p_value, 12), "paired bootstrap"
