"""ROC and precision-recall curves of one class against the rest, their areas, and points thinned for a file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

POINTS = 60
"""Of a curve in a file, at most: more than a picture shows."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A curve and its area.

    Attributes
    ----------
    x, y
        Points: false positive rate and recall (ROC), or recall and precision (precision-recall).
    area
        Under the ROC curve (ties count half), or the average precision, the sum of precision over steps of recall.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    area: float

    def thinned(self, points: int = POINTS) -> list[list[float]]:
        """Return at most ``points`` of the points, first and last among them, to four digits."""
        places = np.unique(np.round(np.linspace(0, len(self.x) - 1, min(points, len(self.x)))).astype(int))
        return [[round(float(self.x[i]), 4), round(float(self.y[i]), 4)] for i in places]


def roc_curve(scores: ArrayLike, positive: ArrayLike) -> Curve:
    """Return the ROC curve of N scores against N truth values.

    Raises
    ------
    ValueError
        If the lengths differ, or there is no positive or no negative.
    """
    true, false = _cumulative(scores, positive)
    if not true[-1] or not false[-1]:
        raise ValueError("a ROC curve needs positives and negatives")
    x, y = np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])
    return Curve(x, y, float(np.trapezoid(y, x)))


def precision_recall_curve(scores: ArrayLike, positive: ArrayLike) -> Curve:
    """Return the precision-recall curve of N scores against N truth values; raise ``ValueError`` without a positive."""
    true, false = _cumulative(scores, positive)
    if not true[-1]:
        raise ValueError("a precision-recall curve needs positives")
    recall, precision = true / true[-1], true / (true + false)
    return Curve(recall, precision, float((np.diff(recall, prepend=0.0) * precision).sum()))


def _cumulative(scores: ArrayLike, positive: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the numbers of true and false positives at each distinct score, the highest first."""
    values, truth = np.asarray(scores, np.float64), np.asarray(positive, bool)
    if values.shape != truth.shape or values.ndim != 1 or not len(values):
        raise ValueError(f"need as many scores as truth values, at least one; not {values.shape} and {truth.shape}")
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    true, false = np.cumsum(truth[order])[ends], np.cumsum(~truth[order])[ends]
    return true.astype(np.float64), false.astype(np.float64)
