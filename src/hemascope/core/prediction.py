"""What a classifier says of one cell, and when it declines to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hemascope.core.taxonomy import UNIDENTIFIED, CellType, RedCellType


class AbstentionReason(StrEnum):
    """Why a cell was left unidentified."""

    LOW_CONFIDENCE = "low_confidence"
    ANOMALY = "anomaly"
    NOT_NUCLEATED = "not_nucleated"


@dataclass(frozen=True, slots=True, eq=False)
class CellPrediction:
    """The calibrated answer for one nucleated cell.

    Attributes
    ----------
    cell_id
        The cell it is about.
    probabilities
        Float64 vector over ``CellType`` in its order, sums to 1, calibrated and under the stated prior.
    anomaly
        Distance from everything seen in training, in units of the threshold: above 1 is anomalous.
    abstention
        None where the model decides; else why it does not.
    """

    cell_id: str
    probabilities: NDArray[np.float64]
    anomaly: float
    abstention: AbstentionReason | None = None

    @property
    def most_likely(self) -> CellType:
        """The type of highest probability, also where the model abstains."""
        return list(CellType)[int(np.argmax(self.probabilities))]

    @property
    def label(self) -> str:
        """The type decided on, or ``unidentified``."""
        return UNIDENTIFIED if self.abstention else self.most_likely.value

    @property
    def confidence(self) -> float:
        """The highest probability."""
        return float(np.max(self.probabilities))

    @property
    def uncertainty(self) -> float:
        """1 - confidence; what galleries are sorted by."""
        return 1.0 - self.confidence


@dataclass(frozen=True, slots=True, eq=False)
class RedCellPrediction:
    """The calibrated answer for one red cell.

    Attributes
    ----------
    cell_id
        The cell it is about.
    probabilities
        Float64 vector over ``RedCellType`` in its order, sums to 1.
    """

    cell_id: str
    probabilities: NDArray[np.float64]

    @property
    def label(self) -> RedCellType:
        """The type of highest probability."""
        return list(RedCellType)[int(np.argmax(self.probabilities))]

    @property
    def confidence(self) -> float:
        """The highest probability."""
        return float(np.max(self.probabilities))
