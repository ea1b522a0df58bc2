"""Answers yes and no at thresholds that the patients judged had no say in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.estimates import cells, told
from hemascope.app.evaluation.findings import Cell, estimate_columns, plain
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.evaluate.patients.answers import NO_FOLD
from hemascope.evaluate.patients.binary import BinaryScores, count_binary, score_binary
from hemascope.evaluate.patients.questions import BinaryQuestion
from hemascope.evaluate.patients.thresholds import SENSITIVITY, Rule, sensitivity_threshold, youden_threshold

FIXED = "fixed"
"""The rule of a threshold that nobody chose: 0.5."""

FIXED_THRESHOLD = 0.5
RULES = (Rule.YOUDEN.value, Rule.SENSITIVITY.value, FIXED)
SHARES = ("sensitivity", "specificity", "precision", "negative_predictive_value", "f1", "balanced_accuracy")

POINT_COLUMNS = (
    "rule", "threshold", "true_positive", "false_positive", "true_negative", "false_negative",
    *(column for name in SHARES for column in estimate_columns(name)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkingPoint:
    """Answers yes and no by one rule.

    Attributes
    ----------
    rule
        One of ``RULES``.
    thresholds
        Fold to the threshold for its patients; one entry, ``NO_FOLD``, where all have the same.
    chosen_on
        In words: ``out_of_fold``, ``out_of_fold, other folds``, ``fixed``.
    scores
        Figures on the patients judged.
    """

    rule: str
    thresholds: dict[int, float]
    chosen_on: str
    scores: BinaryScores

    @property
    def threshold(self) -> float:
        """The threshold, or the mean of those of the folds."""
        return float(np.mean(list(self.thresholds.values())))

    def of_folds(self, folds: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the threshold of each of P patients by the fold; NaN for a fold without one."""
        if len(self.thresholds) == 1:
            return np.full(len(folds), self.threshold)
        return np.array([self.thresholds.get(int(fold), np.nan) for fold in folds])


def working_points(run: Evaluated, judged: BinaryQuestion, tuning: BinaryQuestion | None) -> tuple[WorkingPoint, ...]:
    """Return the answers at each rule's threshold; a rule that finds no threshold is left out.

    Parameters
    ----------
    run
        Says which patients are judged, and by which folds.
    judged
        The question, of ``run.judged``.
    tuning
        The same question, of ``run.tuning``; None without.
    """
    if not len(judged):
        return ()
    found = (
        [_chosen(run, judged, tuning, rule) for rule in (Rule.YOUDEN, Rule.SENSITIVITY)] if tuning is not None else []
    )
    fixed = WorkingPoint(
        FIXED, {NO_FOLD: FIXED_THRESHOLD}, FIXED, _scores(judged, np.full(len(judged), FIXED_THRESHOLD))
    )
    return (*(point for point in found if point is not None), fixed)


def _chosen(run: Evaluated, judged: BinaryQuestion, tuning: BinaryQuestion, rule: Rule) -> WorkingPoint | None:
    folds = run.judged.folds[judged.rows]
    where = "" if run.tuning is None else run.tuning.splits[0].item()
    if not run.cross_fitted or len(np.unique(folds)) < 2:
        threshold = _threshold(tuning, np.ones(len(tuning), bool), rule)
        if threshold is None:
            return None
        same = ", the same patients" if run.cross_fitted else ""
        return WorkingPoint(
            rule.value, {NO_FOLD: threshold}, where + same, _scores(judged, np.full(len(judged), threshold))
        )
    chosen = {int(fold): _threshold(judged, folds != fold, rule) for fold in np.unique(folds)}
    thresholds = {fold: value for fold, value in chosen.items() if value is not None}
    if len(thresholds) < len(chosen):
        return None
    by_row = np.array([thresholds[int(fold)] for fold in folds])
    return WorkingPoint(rule.value, thresholds, f"{where}, other folds", _scores(judged, by_row))


def _threshold(question: BinaryQuestion, flags: NDArray[np.bool_], rule: Rule) -> float | None:
    probabilities, present = question.told[flags], question.present[flags]
    return (
        youden_threshold(probabilities, present)
        if rule is Rule.YOUDEN
        else sensitivity_threshold(probabilities, present)
    )


def _scores(question: BinaryQuestion, thresholds: NDArray[np.float64]) -> BinaryScores:
    return score_binary(count_binary(question.told >= thresholds, question.present))


def point_figures(point: WorkingPoint) -> dict[str, Any]:
    """Return a working point for ``evaluation.json``."""
    counts = point.scores.counts
    return {
        "threshold": plain(point.threshold),
        "thresholds_by_fold": {str(k): plain(v) for k, v in point.thresholds.items()}
        if len(point.thresholds) > 1
        else None,
        "chosen_on": point.chosen_on,
        "wanted_sensitivity": SENSITIVITY if point.rule == Rule.SENSITIVITY else None,
        "true_positive": counts.true_positive,
        "false_positive": counts.false_positive,
        "true_negative": counts.true_negative,
        "false_negative": counts.false_negative,
        **{name: told(getattr(point.scores, name)) for name in SHARES},
    }


def point_cells(point: WorkingPoint) -> tuple[Cell, ...]:
    """Return a working point for a table, as ``POINT_COLUMNS``."""
    return (point.rule, plain(point.threshold), *score_cells(point.scores))


def score_cells(scores: BinaryScores) -> tuple[Cell, ...]:
    """Return counts and figures for a table, as ``POINT_COLUMNS`` from the third on."""
    counts = scores.counts
    table = (counts.true_positive, counts.false_positive, counts.true_negative, counts.false_negative)
    return (*table, *(cell for name in SHARES for cell in cells(getattr(scores, name))))
