"""Calibration and net benefit as figures, tables and panels of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.decisions import NetBenefit
from hemascope.app.evaluation.drawing.reliability import ReliabilityPanel
from hemascope.app.evaluation.estimates import cells, shown, told
from hemascope.app.evaluation.findings import Sheet, plain
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.calibration import CalibrationScores
from hemascope.evaluate.patients.decision_curve import DecisionPoint
from hemascope.stats.calibration import BINS

_FEWEST_BINS, _IN_A_BIN = 5, 15
_ERRORS = ("ece", "ece_plain", "brier")

RELIABILITY_CAPTION = (
    "Patients in bins of equal number: what was told on average against how often it was so, with exact 95% intervals. "
    "On the line the probabilities are right; below it they are too high. Gray bars: how often each probability was "
    "told. The calibration error is debiased."
)
DECISION_CAPTION = (
    "True positives per patient, less false positives weighted by the odds of the threshold probability (Vickers and "
    "Elkin, 2006). Deciding by the model helps where its line is the highest."
)


def bins_for(count: int) -> int:
    """Return how many bins so many patients are put into: about 15 patients each, 5 to 15 bins."""
    return min(BINS, max(_FEWEST_BINS, count // _IN_A_BIN))


def calibration_figures(scores: CalibrationScores) -> dict[str, Any]:
    """Return calibration for ``evaluation.json``."""
    table = [
        {"patients": one.count, "told": plain(one.confidence), "true": plain(one.accuracy)}
        for one in scores.reliability
    ]
    return {"bins": scores.bins, **{name: told(getattr(scores, name)) for name in _ERRORS}, "reliability": table}


def reliability_sheet(name: str, tables: Mapping[str, CalibrationScores]) -> Sheet:
    """Return reliability tables as one table."""
    rows = tuple(
        (question, one.count, plain(one.confidence), plain(one.accuracy))
        for question, scores in tables.items()
        for one in scores.reliability
    )
    return Sheet(name, ("question", "patients", "told", "true"), rows)


def reliability_panel(title: str, scores: CalibrationScores, stated: NDArray[np.float64]) -> ReliabilityPanel:
    """Return a reliability diagram to draw."""
    return ReliabilityPanel(title, scores.reliability, stated, f"calibration error {_percent(scores.ece)}")


def decision_sheet(name: str, curves: Mapping[str, Sequence[DecisionPoint]]) -> Sheet:
    """Return decision curves as one table."""
    columns = ("question", "threshold", "net_benefit", "net_benefit_low", "net_benefit_high", "treat_all", "avoided")
    rows = tuple(
        (
            question, one.threshold, *cells(one.net_benefit), plain(one.treat_all), plain(one.avoided),
        )
        for question, points in curves.items()
        for one in points
    )  # fmt: skip
    return Sheet(name, columns, rows)


def decision_panel(title: str, points: Sequence[DecisionPoint]) -> NetBenefit:
    """Return a decision curve to draw."""
    low, high = ([getattr(one.net_benefit, side) for one in points] for side in ("low", "high"))
    return NetBenefit(
        title,
        thresholds=np.array([one.threshold for one in points]),
        model=np.array([one.net_benefit.value for one in points], np.float64),
        everyone=np.array([one.treat_all for one in points]),
        limits=np.array([low, high], np.float64),
    )


def _percent(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not defined"
    percent = Estimate(*(None if v is None else 100 * v for v in (estimate.value, estimate.low, estimate.high)))
    return f"{shown(percent, 1)} %"
