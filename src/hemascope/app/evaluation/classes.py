"""Exactly one of several classes: accuracy, each class, calibration, and confusion at every level of the taxonomy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.confusion import draw_confusion
from hemascope.app.evaluation.drawing.curves import draw_precision_recall, draw_roc
from hemascope.app.evaluation.drawing.reliability import draw_reliability
from hemascope.app.evaluation.drawing.style import patients
from hemascope.app.evaluation.estimates import headline, told
from hemascope.app.evaluation.findings import Cell, Findings, Headline, Picture, Sheet, estimate_columns
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.app.evaluation.panels import (
    RELIABILITY_CAPTION,
    bins_for,
    calibration_figures,
    reliability_panel,
    reliability_sheet,
)
from hemascope.app.evaluation.ranked import (
    PRECISION_CAPTION,
    ROC_CAPTION,
    precision_line,
    ranking_figures,
    ranking_sheet,
    roc_line,
)
from hemascope.app.evaluation.working_points import SHARES, score_cells
from hemascope.core.bag_task import BagTask
from hemascope.core.disease_taxonomy import DiseaseTaxonomy
from hemascope.core.errors import CohortError
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.calibration import CalibrationScores, calibration_of_classes
from hemascope.evaluate.patients.classes import (
    ClassAnswers,
    ClassScores,
    CrossTable,
    class_answers,
    cross_table,
    score_classes,
)
from hemascope.evaluate.patients.questions import BinaryQuestion, questions_of
from hemascope.evaluate.patients.ranking import RankingScores, macro_auroc, rank

_COUNTS = ("true_positive", "false_positive", "true_negative", "false_negative")
_CONFUSION_CAPTION = (
    "Rows: what is true, shaded by shares of the row. Columns: what was answered. Numbers are patients."
)
_FINE_CAPTION = (
    "Rows: the laboratory's diagnosis, in the order of the taxonomy. Columns: the class answered. Numbers are patients."
)


def judge_classes(run: Evaluated, task: BagTask) -> Findings | None:
    """Return the figures of a task of classes; None where no patient judged has both a truth and an answer."""
    answers = class_answers(run.judged, task.name)
    if not len(answers):
        return None
    scores, calibration = (
        score_classes(answers, resamples=run.resamples),
        calibration_of_classes(answers, bins_for(len(answers)), run.resamples),
    )
    questions = [question for question in questions_of(run.judged, task.name) if question.positives]
    rankings = {question.name: rank(question, run.resamples) for question in questions}
    mean = (
        macro_auroc(questions, run.resamples) if all(question.negatives for question in questions) else Estimate(None)
    )
    fine = _fine(run, task, answers)
    figures: dict[str, Any] = {
        "patients": len(answers),
        **{name: told(value) for name, value in scores.overall.items()},
        "macro_auroc": told(mean),
        "macro_auroc_classes": len(questions),
        "calibration": calibration_figures(calibration),
        "classes": _per_class(scores, rankings),
        "confusion": {"classes": list(task.outputs), "counts": [list(row) for row in scores.confusion]},
    }
    sheets = [
        _class_sheet(task, scores),
        ranking_sheet(f"areas_{task.name}", list(rankings.values())),
        _confusion_sheet(f"confusion_{task.name}", task.outputs, task.outputs, scores.confusion),
        reliability_sheet(f"reliability_{task.name}", {task.name: calibration}),
    ]
    if fine is not None:
        figures["confusion_fine"] = {"labels": list(fine.labels), "counts": [list(row) for row in fine.counts]}
        sheets.append(_confusion_sheet(f"confusion_{task.name}_fine", fine.labels, fine.told, fine.counts))
    title = run.shown(task.name)
    return Findings(
        task.name,
        title.capitalize(),
        figures,
        tuple(sheets),
        (
            *_confusions(run, task, scores, fine),
            *_curves(run, task, questions, rankings),
            _reliability(title, task, answers, calibration),
        ),
        _headlines(title, scores, mean, calibration),
        _remarks(task, questions),
        of_task=True,
    )


def _per_class(scores: ClassScores, rankings: Mapping[str, RankingScores]) -> dict[str, Any]:
    found = {}
    for name, one in scores.per_class.items():
        counts = {count: getattr(one.counts, count) for count in _COUNTS}
        shares = {share: told(getattr(one, share)) for share in SHARES}
        found[name] = counts | shares | (ranking_figures(rankings[name]) if name in rankings else {})
    return found


def _fine(run: Evaluated, task: BagTask, answers: ClassAnswers) -> CrossTable | None:
    """Return laboratory diagnoses, led to fine classes, against answers; None where they say no more than the truth."""
    labels = run.judged.labels.get(task.name)
    if labels is None or run.taxonomy is None or task != run.disease_task():
        return None
    fine = np.array([_diagnosis(run.taxonomy, str(label)) for label in labels[answers.rows]], np.str_)
    table = cross_table(fine, answers.told, task.outputs)
    if len(table.labels) <= len(np.unique(answers.truth)):
        return None
    order = _places(run.taxonomy)
    places = sorted(range(len(table.labels)), key=lambda row: (order.get(table.labels[row], len(order)), row))
    return CrossTable(tuple(table.labels[p] for p in places), table.told, tuple(table.counts[p] for p in places))


def _diagnosis(taxonomy: DiseaseTaxonomy, label: str) -> str:
    """Return the fine class of a label, the coarse one where it has none, and a strange label as it is."""
    if not label:
        return label
    try:
        row = taxonomy.row_of(label)
    except CohortError:
        return label
    return row.fine or row.coarse


def _places(taxonomy: DiseaseTaxonomy) -> dict[str, int]:
    """Return diagnoses in the order of the taxonomy: each coarse class, then its fine ones."""
    names = [name for coarse in taxonomy.coarse for name in (coarse, *taxonomy.children_of(coarse))]
    return {name: place for place, name in enumerate(names)}


def _class_sheet(task: BagTask, scores: ClassScores) -> Sheet:
    columns = ("class", *_COUNTS, *(column for share in SHARES for column in estimate_columns(share)))
    rows = tuple((name, *score_cells(one)) for name, one in scores.per_class.items())
    return Sheet(f"classes_{task.name}", columns, rows)


def _confusion_sheet(
    name: str, rows: tuple[str, ...], columns: tuple[str, ...], counts: tuple[tuple[int, ...], ...]
) -> Sheet:
    table: tuple[tuple[Cell, ...], ...] = tuple((row, *own) for row, own in zip(rows, counts, strict=True))
    return Sheet(name, ("true", *columns), table)


def _confusions(run: Evaluated, task: BagTask, scores: ClassScores, fine: CrossTable | None) -> tuple[Picture, ...]:
    title, classes = run.shown(task.name), [run.shown(name) for name in task.outputs]
    told_of = f"Confusion: {title}, {patients(scores.patients)}"
    draw = partial(draw_confusion, told_of, np.array(scores.confusion), classes, classes)
    coarse = Picture(f"confusion_{task.name}", "Confusion", _CONFUSION_CAPTION, draw)
    if fine is None:
        return (coarse,)
    counts: NDArray[np.integer] = np.array(fine.counts)
    told_of = f"Confusion by diagnosis: {title}, {patients(int(counts.sum()))}"
    rows = [run.shown(name) for name in fine.labels]
    draw = partial(draw_confusion, told_of, counts, rows, classes, row_name="diagnosis")
    return coarse, Picture(f"confusion_{task.name}_fine", "Confusion by diagnosis", _FINE_CAPTION, draw)


def _curves(
    run: Evaluated, task: BagTask, questions: list[BinaryQuestion], rankings: Mapping[str, RankingScores]
) -> tuple[Picture, ...]:
    told_of = f"each class against the rest: {run.shown(task.name)}, {patients(len(questions[0]))}"
    roc = [roc_line(run.shown(q.name), q, rankings[q.name]) for q in questions]
    precision = [precision_line(run.shown(q.name), q, rankings[q.name]) for q in questions]
    if not any(roc):
        return ()
    draw_one = partial(draw_roc, f"ROC, {told_of}", [line for line in roc if line])
    draw_other = partial(
        draw_precision_recall, f"Precision and recall, {told_of}", [line for line in precision if line]
    )
    return (
        Picture(f"roc_{task.name}", "ROC", ROC_CAPTION, draw_one),
        Picture(f"precision_recall_{task.name}", "Precision and recall", PRECISION_CAPTION, draw_other),
    )


def _reliability(title: str, task: BagTask, answers: ClassAnswers, calibration: CalibrationScores) -> Picture:
    panel = reliability_panel("", calibration, answers.probabilities.max(axis=1))
    draw = partial(draw_reliability, f"Reliability: {title}, {patients(len(answers))}", [panel], "share right")
    return Picture(f"reliability_{task.name}", "Reliability", RELIABILITY_CAPTION, draw)


def _headlines(title: str, scores: ClassScores, mean: Estimate, calibration: CalibrationScores) -> tuple[Headline, ...]:
    count, overall = scores.patients, scores.overall
    return (
        headline(title, "accuracy", overall["accuracy"], count, "%"),
        headline(title, "top-2 accuracy", overall["top_2_accuracy"], count, "%"),
        headline(title, "balanced accuracy", overall["balanced_accuracy"], count, "%"),
        headline(title, "macro AUROC", mean, count),
        headline(title, "calibration error (debiased)", calibration.ece, count, "%"),
    )


def _remarks(task: BagTask, questions: list[BinaryQuestion]) -> tuple[str, ...]:
    absent = [name for name in task.outputs if name not in {question.name for question in questions}]
    if not absent:
        return ()
    return (f"No patient judged has {', '.join(absent)}: macro AUROC is the mean over the other classes.",)
