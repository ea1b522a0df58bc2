"""When the model answers, and when it leaves a cell unidentified."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.prediction import AbstentionReason, CellPrediction, PredictionSet
from hemascope.core.taxonomy import CellType


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When not to decide.

    Attributes
    ----------
    min_confidence
        Least highest probability, 0 to 1.
    max_anomaly
        Greatest distance from what was seen in training, in units of the calibrated threshold.
    """

    min_confidence: float
    max_anomaly: float


def decide(
    cell_id: str,
    probabilities: NDArray[np.float64],
    anomaly: float,
    thresholds: Thresholds,
    prediction_set: PredictionSet | None = None,
) -> CellPrediction:
    """Return the prediction for a nucleated cell, unidentified where the model should not decide."""
    return CellPrediction(cell_id, probabilities, anomaly, _reason(probabilities, anomaly, thresholds), prediction_set)


def _reason(probabilities: NDArray[np.float64], anomaly: float, thresholds: Thresholds) -> AbstentionReason | None:
    if list(CellType)[int(np.argmax(probabilities))] is CellType.PLATELET:
        return AbstentionReason.NOT_NUCLEATED
    if anomaly > thresholds.max_anomaly:
        return AbstentionReason.ANOMALY
    if float(np.max(probabilities)) < thresholds.min_confidence:
        return AbstentionReason.LOW_CONFIDENCE
    return None
