"""How well probabilities rank patients: areas as figures and tables, and the curves they are the areas of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hemascope.app.evaluation.drawing.curves import Line
from hemascope.app.evaluation.estimates import cells, shown, told
from hemascope.app.evaluation.findings import Sheet, estimate_columns
from hemascope.app.evaluation.working_points import WorkingPoint
from hemascope.evaluate.curves import precision_recall_curve, roc_curve
from hemascope.evaluate.patients.questions import BinaryQuestion
from hemascope.evaluate.patients.ranking import RankingScores
from hemascope.evaluate.patients.thresholds import Rule

ROC_CAPTION = "Area and its 95% bootstrap interval over patients, with the positive ones of all."
MARKS_CAPTION = "Marks: where the thresholds lead that were chosen on other patients."
PRECISION_CAPTION = (
    "Average precision and its 95% bootstrap interval. Dotted: the share of positive patients, which chance has."
)
AREAS = ("auroc", "auroc_delong", "auprc", "prevalence")

MARKS = {Rule.YOUDEN.value: "o", Rule.SENSITIVITY.value: "s"}
"""Marker of the working point of a rule."""


def ranking_figures(ranking: RankingScores) -> dict[str, Any]:
    """Return the areas for ``evaluation.json``."""
    return {
        "patients": ranking.positives + ranking.negatives,
        "positive": ranking.positives,
        **{name: told(getattr(ranking, name)) for name in AREAS},
    }


def ranking_sheet(name: str, rankings: Sequence[RankingScores]) -> Sheet:
    """Return the areas of several questions as a table."""
    columns = ("question", "positive", "negative", *(column for area in AREAS for column in estimate_columns(area)))
    rows = tuple(
        (one.question, one.positives, one.negatives, *(cell for area in AREAS for cell in cells(getattr(one, area))))
        for one in rankings
    )
    return Sheet(name, columns, rows)


def roc_line(
    name: str, question: BinaryQuestion, ranking: RankingScores, points: tuple[WorkingPoint, ...] = ()
) -> Line | None:
    """Return the ROC curve with its working points; None where all or none are positive."""
    if not question.positives or not question.negatives:
        return None
    curve = roc_curve(question.told, question.present)
    marks = []
    for point in points:
        x, y = point.scores.specificity.value, point.scores.sensitivity.value
        if point.rule in MARKS and x is not None and y is not None:
            marks.append((MARKS[point.rule], 1 - x, y))
    label = f"{name}  {shown(ranking.auroc)}, {question.positives:,} of {len(question):,}"
    return Line(label, curve.x, curve.y, tuple(marks))


def precision_line(
    name: str, question: BinaryQuestion, ranking: RankingScores, points: tuple[WorkingPoint, ...] = ()
) -> Line | None:
    """Return the precision-recall curve with its working points; None where all or none are positive."""
    if not question.positives or not question.negatives:
        return None
    curve = precision_recall_curve(question.told, question.present)
    marks = []
    for point in points:
        x, y = point.scores.sensitivity.value, point.scores.precision.value
        if point.rule in MARKS and x is not None and y is not None:
            marks.append((MARKS[point.rule], x, y))
    label = f"{name}  {shown(ranking.auprc)}, {question.positives:,} of {len(question):,}"
    return Line(label, curve.x, curve.y, tuple(marks), question.positives / len(question))
