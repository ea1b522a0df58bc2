"""Sizes of bags: whether they tell the label, and whether confidence hangs on them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.scatter import draw_bag_sizes
from hemascope.app.evaluation.drawing.style import patients
from hemascope.app.evaluation.estimates import shown, shown_p, told
from hemascope.app.evaluation.findings import Findings, Picture, Sheet, plain
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.evaluate.patients.bag_size import (
    SizeAgainstLabel,
    confidence_in_truth,
    size_against_confidence,
    size_against_label,
)
from hemascope.evaluate.patients.correlation import Correlation

_CAPTION = (
    "Left: cells of a patient by what is true; boxes are quarters, whiskers 1.5 times their span. If sizes differ "
    "between labels, a model can answer from the size. Right: the probability told of what is true over the size."
)


def judge_bag_sizes(run: Evaluated) -> Findings | None:
    """Return whether bag size goes with label or confidence; None where there is neither class nor marker."""
    tasks = [task for task in run.judged.tasks if task.kind is not TaskKind.NUMBER and _sizes(run, task)]
    if not tasks:
        return None
    labels = {task.name: size_against_label(run.judged, task.name) for task in tasks}
    sure = {task.name: size_against_confidence(run.judged, task.name, run.resamples) for task in tasks}
    figures = {
        task.name: {
            "labels": {one.question: _label_figures(one) for one in labels[task.name]},
            "confidence": _confidence_figures(sure[task.name]),
        }
        for task in tasks
    }
    return Findings(
        "bag_sizes",
        "Bag sizes",
        figures,
        (_group_sheet(labels), _test_sheet(labels, sure)),
        tuple(_picture(run, task, labels[task.name], sure[task.name]) for task in tasks),
    )


def _label_figures(one: SizeAgainstLabel) -> dict[str, Any]:
    groups = {g.group: {"patients": g.patients, "median": g.median, "low": g.low, "high": g.high} for g in one.groups}
    tested = {"statistic": plain(one.statistic), "p_value": plain(one.p_value, 12), "effect": plain(one.effect)}
    return {**tested, "groups": groups}


def _confidence_figures(one: Correlation) -> dict[str, Any]:
    return {"patients": one.patients, "spearman": told(one.spearman), "p_value": plain(one.p_value, 12)}


def _group_sheet(labels: dict[str, tuple[SizeAgainstLabel, ...]]) -> Sheet:
    rows = tuple(
        (task, one.question, group.group, group.patients, group.median, group.low, group.high)
        for task, tests in labels.items()
        for one in tests
        for group in one.groups
    )
    columns = ("task", "question", "label", "patients", "median_cells", "lower_quarter", "upper_quarter")
    return Sheet("bag_sizes", columns, rows)


def _test_sheet(labels: dict[str, tuple[SizeAgainstLabel, ...]], sure: dict[str, Correlation]) -> Sheet:
    rows = [
        (task, one.question, "Kruskal-Wallis against the label", plain(one.statistic), plain(one.p_value, 12))
        for task, tests in labels.items()
        for one in tests
    ]
    rows += [
        (task, task, "Spearman against confidence", plain(one.spearman.value), plain(one.p_value, 12))
        for task, one in sure.items()
    ]
    return Sheet("bag_size_tests", ("task", "question", "test", "statistic", "p_value"), tuple(rows))


def _picture(run: Evaluated, task: BagTask, tests: tuple[SizeAgainstLabel, ...], sure: Correlation) -> Picture:
    confidence = confidence_in_truth(run.judged, task.name)
    known = np.isfinite(confidence)
    name = run.shown(task.name)
    said = "; ".join(
        f"{run.shown(one.question) + ': ' if len(tests) > 1 else ''}{shown_p(one.p_value)}" for one in tests
    )
    notes = (f"Kruskal-Wallis {said}", f"Spearman {shown(sure.spearman)}, {shown_p(sure.p_value)}")
    title = f"{name.capitalize()}: cells, label and confidence, {patients(len(run.judged))}"
    draw = partial(draw_bag_sizes, title, _sizes(run, task), run.judged.cells[known], confidence[known], notes)
    return Picture(f"bag_sizes_{task.name}", name.capitalize(), _CAPTION, draw)


def _sizes(run: Evaluated, task: BagTask) -> dict[str, NDArray[np.intp]]:
    """Return label to sizes, of labels that occur; of markers, with and without each."""
    judged, found = run.judged, {}
    if task.kind is TaskKind.CLASSES:
        truth = judged.truth_of(task.name)
        found = {run.shown(name): judged.cells[truth == place] for place, name in enumerate(task.outputs)}
    else:
        for marker in task.outputs:
            truth = judged.truth_of(marker)
            found[f"{run.shown(marker)} present"] = judged.cells[truth == 1]
            found[f"{run.shown(marker)} absent"] = judged.cells[truth == 0]
    return {name: sizes for name, sizes in found.items() if len(sizes)}
