"""What a classifier says of one cell, and when it declines to."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
    DISPUTED = "disputed"


SET_COVERAGE = 0.95
"""Stated coverage of the prediction sets in a report."""


@dataclass(frozen=True, slots=True)
class PredictionSet:
    """The types that cannot be excluded at a stated coverage.

    Attributes
    ----------
    types
        From the most to the least probable; never empty.
    coverage
        Least probability that the true type is among them, 0 to 1, for a cell like those of calibration.
    method
        How the set came to be: ``lac by type``.

    Raises
    ------
    ValueError
        If there is no type, or one twice.
    """

    types: tuple[CellType, ...]
    coverage: float
    method: str

    def __post_init__(self) -> None:
        if not self.types or len(set(self.types)) != len(self.types):
            raise ValueError(f"a prediction set needs types, each once, not {self.types}")

    @property
    def label(self) -> str:
        """The type where there is one alone, else ``unidentified``: the answer that abstains from ambiguous cells."""
        return self.types[0].value if len(self.types) == 1 else UNIDENTIFIED


@dataclass(frozen=True, slots=True)
class GenerativeJudgement:
    """How well a generative model explains one cell, and as what.

    Attributes
    ----------
    cell_type
        The type whose denoiser explains the cell best.
    confidence
        Calibrated probability that this type is right, 0 to 1; fitted to ``zeta`` on validation cells.
    zeta
        How far the best type is ahead of the next, corrected; the higher, the more certain.
    anomaly
        How badly even the best type explains it, in units of the threshold: above 1 it is unlike everything learned.
    passes
        Passes of the denoiser spent on the cell.

    Raises
    ------
    ValueError
        If a number is not finite or out of its range.
    """

    cell_type: CellType
    confidence: float
    zeta: float
    anomaly: float
    passes: int

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.confidence, self.zeta, self.anomaly))):
            raise ValueError(f"a judgement needs finite numbers, not {self}")
        if not 0 <= self.confidence <= 1 or self.anomaly < 0 or self.passes < 0:
            raise ValueError(f"a confidence of 0 to 1, and no anomaly or passes below 0, not {self}")

    @property
    def badly_explained(self) -> bool:
        """Whether the cell is unlike everything that the generative model learned."""
        return self.anomaly > 1


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
    prediction_set
        The types that cannot be excluded, the most likely one among them; None where the model states none.
    judgement
        What a generative model says of the same cell; None where none was asked.
    """

    cell_id: str
    probabilities: NDArray[np.float64]
    anomaly: float
    abstention: AbstentionReason | None = None
    prediction_set: PredictionSet | None = None
    judgement: GenerativeJudgement | None = None

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

    @property
    def disputed(self) -> bool:
        """Whether a generative model explains the cell best as another type than the most likely one."""
        return self.judgement is not None and self.judgement.cell_type is not self.most_likely


ATTRIBUTES: tuple[str, ...] = (
    "cell_size",
    "cell_shape",
    "nucleus_shape",
    "nuclear_cytoplasmic_ratio",
    "chromatin_density",
    "cytoplasm_vacuole",
    "cytoplasm_texture",
    "cytoplasm_colour",
    "granule_type",
    "granule_colour",
    "granularity",
)
"""What is told of a cell's looks, as WBCAtt names it (Tsutsui et al., NeurIPS 2023)."""

SUBTYPES: Mapping[CellType, tuple[str, ...]] = {
    CellType.NEUTROPHIL: ("band", "segmented"),
    CellType.IMMATURE_GRANULOCYTE: ("promyelocyte", "myelocyte", "metamyelocyte"),
}
"""Types that are told apart further, and into what, the youngest first; no name stands under two types."""


@dataclass(frozen=True, slots=True)
class AttributeAnswer:
    """The likeliest answer to one question and its calibrated probability, 0 to 1."""

    value: str
    probability: float


@dataclass(frozen=True, slots=True)
class CellAttributes:
    """What one white cell looks like, as far as its type is asked.

    Attributes
    ----------
    cell_id
        The cell it is about.
    subtype
        One of the ``SUBTYPES`` of its type; None for a type that has none.
    attributes
        Names in ``ATTRIBUTES`` to answers; empty for a type that is not asked.
    """

    cell_id: str
    subtype: AttributeAnswer | None
    attributes: Mapping[str, AttributeAnswer]


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
