"""Patients without a settled class, a cohort of their own, and where the probability goes for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from hemascope.app.evaluation.drawing.heat import draw_shares
from hemascope.app.evaluation.drawing.style import patients
from hemascope.app.evaluation.estimates import cells, told
from hemascope.app.evaluation.findings import Cell, Findings, Picture, Sheet, plain
from hemascope.app.evaluation.inputs import TRAINING, Evaluated
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.errors import CohortError
from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.borderline import WhereTheyGo, where_they_go

_MOST_ROWS = 14
_CAPTION = (
    "Mean probability of each class, by what the laboratory wrote. A borderline group should lie between its "
    "neighbors, and unclear patients should not be told for sure."
)


def judge_borderline(run: Evaluated) -> Findings | None:
    """Return what is said of patients who have no class; None where there are none, or no task has classes."""
    parts = {}
    for task in run.answers.tasks:
        if task.kind is TaskKind.CLASSES and (found := _of_task(run, task)) is not None:
            parts[task.name] = found
    if not parts:
        return None
    return Findings(
        "unsettled",
        "Patients without a settled class",
        {name: part.figures for name, part in parts.items()},
        sheets=tuple(sheet for part in parts.values() for sheet in part.sheets),
        pictures=tuple(picture for part in parts.values() for picture in part.pictures),
        remarks=("They have no class to be compared with and count nowhere else on this page.",),
    )


def _of_task(run: Evaluated, task: BagTask) -> Findings | None:
    unsettled = _unsettled(run.answers, task)
    if not len(unsettled):
        return None
    suspected = {str(label): _named_classes(run, task, str(label)) for label in np.unique(unsettled.labels[task.name])}
    groups = where_they_go(unsettled, task.name, task.name, suspected)
    rows = [f"{one.label} ({one.patients:,})" for one in groups[:_MOST_ROWS]]
    means = np.array([[one.mean_probability[name] for name in task.outputs] for one in groups[:_MOST_ROWS]])
    title = f"{run.shown(task.name).capitalize()}: patients without a settled class, {patients(len(unsettled))}"
    draw = partial(draw_shares, title, rows, means, [run.shown(name) for name in task.outputs])
    return Findings(
        task.name,
        "",
        {one.label: _figures(one) for one in groups},
        (_sheet(task, groups), _patient_sheet(task, unsettled)),
        (Picture(f"unsettled_{task.name}", "Where the probability goes", _CAPTION, draw),),
    )


def _unsettled(answers: PatientAnswers, task: BagTask) -> PatientAnswers:
    """Return the answers about patients without a class; one without a label has the name of the split for one."""
    answered = np.isfinite(answers.probabilities[task.name]).all(axis=1)
    chosen = answers.select(answered & np.isnan(answers.truth_of(task.name)) & (answers.splits != TRAINING))
    labels = chosen.labels.get(task.name, np.full(len(chosen), "", np.str_)).tolist()
    named = [label or split.replace("_", " ") for label, split in zip(labels, chosen.splits.tolist(), strict=True)]
    return replace(chosen, labels={**chosen.labels, task.name: np.array(named, np.str_)})


def _named_classes(run: Evaluated, task: BagTask, label: str) -> tuple[str, ...]:
    """Return the classes whose diagnoses stand in a label: MDS and acute leukemia for ``MDS-AML borderline``."""
    if run.taxonomy is None or task != run.disease_task():
        return ()
    found: dict[str, None] = {}
    for word in re.findall(r"[^\s,;-]+", label):
        try:
            found[run.taxonomy.coarse_of(word)] = None
        except CohortError:
            continue
    return tuple(found)


def _figures(one: WhereTheyGo) -> dict[str, Any]:
    return {
        "patients": one.patients,
        "told": one.told,
        "mean_probability": {name: plain(mean) for name, mean in one.mean_probability.items()},
        "suspected": list(one.suspected),
        "among_suspected": told(one.among_suspected),
        "surest": plain(one.surest),
    }


def _sheet(task: BagTask, groups: Sequence[WhereTheyGo]) -> Sheet:
    columns = (
        "label", "patients", "suspected", "among_suspected", "among_suspected_low", "among_suspected_high", "surest",
        *(f"told_{name}" for name in task.outputs), *(f"mean_{name}" for name in task.outputs),
    )  # fmt: skip
    rows = tuple(
        (
            one.label, one.patients, ", ".join(one.suspected), *cells(one.among_suspected), plain(one.surest),
            *one.told.values(), *(plain(mean) for mean in one.mean_probability.values()),
        )
        for one in groups
    )  # fmt: skip
    return Sheet(f"unsettled_{task.name}", columns, rows)


def _patient_sheet(task: BagTask, unsettled: PatientAnswers) -> Sheet:
    probabilities = unsettled.probabilities[task.name]
    first_two = np.argsort(-probabilities, axis=1)[:, :2]
    labels = unsettled.labels[task.name].tolist()
    rows = []
    for row, name in enumerate(unsettled.patients):
        told_of: list[Cell] = []
        for place in first_two[row].tolist():
            told_of += [task.outputs[place], plain(float(probabilities[row, place]))]
        rows.append((name, labels[row], *told_of))
    columns = ("patient", "label", "first", "probability_first", "second", "probability_second")
    return Sheet(f"unsettled_{task.name}_patients", columns, tuple(rows))
