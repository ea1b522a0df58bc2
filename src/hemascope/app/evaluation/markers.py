"""Markers that are each there or not: every one by itself, their averages, and several in one patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from hemascope.app.evaluation.drawing.curves import draw_precision_recall, draw_roc
from hemascope.app.evaluation.drawing.decisions import draw_decision_curves
from hemascope.app.evaluation.drawing.reliability import draw_reliability
from hemascope.app.evaluation.drawing.style import patients
from hemascope.app.evaluation.estimates import headline, told
from hemascope.app.evaluation.findings import Findings, Headline, Picture, Sheet
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.app.evaluation.panels import (
    DECISION_CAPTION,
    RELIABILITY_CAPTION,
    bins_for,
    calibration_figures,
    decision_panel,
    decision_sheet,
    reliability_panel,
    reliability_sheet,
)
from hemascope.app.evaluation.ranked import (
    MARKS_CAPTION,
    PRECISION_CAPTION,
    ROC_CAPTION,
    precision_line,
    ranking_figures,
    ranking_sheet,
    roc_line,
)
from hemascope.app.evaluation.several import found_figures, found_markers, found_sheet
from hemascope.app.evaluation.working_points import (
    POINT_COLUMNS,
    WorkingPoint,
    point_cells,
    point_figures,
    working_points,
)
from hemascope.core.bag_task import BagTask
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.calibration import CalibrationScores, calibration_of_question
from hemascope.evaluate.patients.decision_curve import DecisionPoint, decision_curve
from hemascope.evaluate.patients.questions import BinaryQuestion, questions_of
from hemascope.evaluate.patients.ranking import RankingScores, macro_auprc, macro_auroc, rank

Points = Mapping[str, tuple[WorkingPoint, ...]]


def judge_markers(run: Evaluated, task: BagTask) -> Findings | None:
    """Return the figures of all markers of a task; None where no marker is known of any patient judged."""
    questions = {q.name: q for q in questions_of(run.judged, task.name) if len(q)}
    if not questions:
        return None
    tuning = {q.name: q for q in questions_of(run.tuning, task.name)} if run.tuning else {}
    rankings = {name: rank(question, run.resamples) for name, question in questions.items()}
    points = {name: working_points(run, question, tuning.get(name)) for name, question in questions.items()}
    calibrations = {
        name: calibration_of_question(question, bins_for(len(question)), run.resamples)
        for name, question in questions.items()
    }
    every = list(questions.values())
    means = {"mean_auroc": macro_auroc(every, run.resamples), "mean_auprc": macro_auprc(every, run.resamples)}
    curves = {name: decision_curve(question, resamples=run.resamples) for name, question in questions.items()}
    found = found_markers(run, task, points)
    figures: dict[str, Any] = {
        "patients": len(run.judged),
        "several_markers": found_figures(found),
        **{name: told(mean) for name, mean in means.items()},
        "markers": {
            name: {
                **ranking_figures(rankings[name]),
                "calibration": calibration_figures(calibrations[name]),
                "thresholds": {point.rule: point_figures(point) for point in points[name]},
            }
            for name in questions
        },
    }
    title = run.shown(task.name)
    return Findings(
        task.name,
        title.capitalize(),
        figures,
        (
            ranking_sheet(f"areas_{task.name}", list(rankings.values())),
            _points_sheet(f"thresholds_{task.name}", points),
            *((found_sheet(f"several_{task.name}", found),) if found else ()),
            reliability_sheet(f"reliability_{task.name}", calibrations),
            decision_sheet(f"decision_{task.name}", curves),
        ),
        _pictures(run, task, questions, rankings, points, calibrations, curves),
        _headlines(run, title, means["mean_auroc"], rankings),
        of_task=True,
    )


def _points_sheet(name: str, points: Points) -> Sheet:
    rows = tuple((question, *point_cells(point)) for question, own in points.items() for point in own)
    return Sheet(name, ("question", *POINT_COLUMNS), rows)


def _pictures(
    run: Evaluated,
    task: BagTask,
    questions: Mapping[str, BinaryQuestion],
    rankings: Mapping[str, RankingScores],
    points: Points,
    calibrations: Mapping[str, CalibrationScores],
    curves: Mapping[str, Sequence[DecisionPoint]],
) -> tuple[Picture, ...]:
    told_of = f"{run.shown(task.name)}, {patients(len(run.judged))}"
    names = list(questions)
    roc = [roc_line(run.shown(n), questions[n], rankings[n], points[n]) for n in names]
    precision = [precision_line(run.shown(n), questions[n], rankings[n], points[n]) for n in names]
    stated = [reliability_panel(run.shown(n), calibrations[n], questions[n].told) for n in names]
    net = [decision_panel(run.shown(n), curves[n]) for n in names]
    pictures = []
    if any(roc):
        draw = partial(draw_roc, f"ROC: {told_of}", [line for line in roc if line])
        pictures.append(Picture(f"roc_{task.name}", "ROC", f"{ROC_CAPTION} {MARKS_CAPTION}", draw))
        draw = partial(draw_precision_recall, f"Precision and recall: {told_of}", [line for line in precision if line])
        pictures.append(Picture(f"precision_recall_{task.name}", "Precision and recall", PRECISION_CAPTION, draw))
    draw = partial(draw_reliability, f"Reliability: {told_of}", stated, "share present")
    pictures.append(Picture(f"reliability_{task.name}", "Reliability", RELIABILITY_CAPTION, draw))
    draw = partial(draw_decision_curves, f"Decision curves: {told_of}", net)
    pictures.append(Picture(f"decision_{task.name}", "Decision curves", DECISION_CAPTION, draw))
    return tuple(pictures)


def _headlines(
    run: Evaluated, title: str, mean: Estimate, rankings: Mapping[str, RankingScores]
) -> tuple[Headline, ...]:
    each = [
        headline(title, f"AUROC of {run.shown(name)}", one.auroc, one.positives + one.negatives)
        for name, one in rankings.items()
    ]
    if len(each) < 2:
        return tuple(each)
    return (headline(title, "mean AUROC", mean, len(run.judged)), *each)
