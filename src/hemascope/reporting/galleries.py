"""The most uncertain cells of each type, in bounded memory."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import NamedTuple

from hemascope.core.prediction import (
    AbstentionReason,
    AttributeAnswer,
    CellAttributes,
    CellPrediction,
    PredictionSet,
)
from hemascope.core.report import CellResult, FieldResult
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import DISPLAY_NAMES, UNIDENTIFIED
from hemascope.reporting.pictures import crop_cell

REASONS = {
    AbstentionReason.LOW_CONFIDENCE: "low confidence",
    AbstentionReason.ANOMALY: "unlike training",
    AbstentionReason.NOT_NUCLEATED: "not nucleated",
    AbstentionReason.DISPUTED: "models disagree",
}
"""Why a cell is unidentified, in words."""


class Portrait(NamedTuple):
    """One cell of a gallery; the first three say where it stands, and no two are equal.

    Attributes
    ----------
    uncertainty
        1 - confidence; 1 where nothing answered.
    field, cell
        Minus the numbers of field and cell, so that the earlier of two equals counts as greater.
    picture
        WebP.
    likely
        The most likely type, for a reader; "" where nothing answered.
    anomaly
        In units of the threshold.
    reason
        Why it is unidentified, in words; "" where it is not.
    excluded
        Whether its field failed quality control.
    others
        The other types that cannot be excluded, in words; "" where there are none.
    subtype, looks
        The subtype and the attributes with their probabilities, in words; "" where none were told.
    judged
        What a generative model says, in words; "" where none was asked.
    strange
        Whether the cell is unlike everything that this model learned.
    disputed
        The type it takes the cell for where that is another one; "" else.
    """

    uncertainty: float
    field: int
    cell: int
    picture: bytes
    likely: str
    anomaly: float
    reason: str
    excluded: bool
    others: str = ""
    subtype: str = ""
    looks: str = ""
    judged: str = ""
    strange: bool = False
    disputed: str = ""

    @property
    def anchor(self) -> str:
        """The cell's anchor in its field."""
        return f"c{-self.field}-{-self.cell}"

    @property
    def confidence(self) -> float:
        """The highest probability."""
        return 1 - self.uncertainty


class Galleries:
    """Keeps the ``cap`` most uncertain cells of each type with their pictures, and counts all.

    Parameters
    ----------
    cap
        Most cells to keep of each type.
    """

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.totals: Counter[str] = Counter()
        self._kept: dict[str, list[Portrait]] = {}

    def add(self, result: FieldResult, number: int) -> None:
        """Take the nucleated cells of field ``number``; only those that are kept are cut out."""
        for index, cell in enumerate(result.cells):
            label = cell.label
            if label is None:
                continue
            self.totals[label] += 1
            kept = self._kept.setdefault(label, [])
            place = (cell.prediction.uncertainty if cell.prediction else 1.0, -number, -index)
            if len(kept) < self.cap:
                heapq.heappush(kept, _portrait(result, cell, place))
            elif place > kept[0][:3]:
                heapq.heapreplace(kept, _portrait(result, cell, place))

    def of(self, label: str) -> list[Portrait]:
        """Return the kept cells of one type, most uncertain first."""
        return sorted(self._kept.get(label, []), reverse=True)


def _portrait(result: FieldResult, cell: CellResult, place: tuple[float, int, int]) -> Portrait:
    """Return the picture of one cell with what a reader needs."""
    prediction, picture = cell.prediction, crop_cell(result.field, cell.cell.outline)
    excluded = result.verdict.status is QcStatus.FAIL
    if prediction is None:
        return Portrait(*place, picture, "", 0.0, "no answer", excluded)
    reason = REASONS[prediction.abstention] if prediction.abstention else ""
    if not reason and cell.label == UNIDENTIFIED:
        reason = REASONS[AbstentionReason.NOT_NUCLEATED]
    likely, others = DISPLAY_NAMES[prediction.most_likely], _others(prediction.prediction_set)
    subtype, looks = _looks(cell.attributes)
    judged, strange, disputed = _judged(prediction)
    portrait = Portrait(*place, picture, likely, float(prediction.anomaly), reason, excluded, others, subtype, looks)
    return portrait._replace(judged=judged, strange=strange, disputed=disputed)


def _others(found: PredictionSet | None) -> str:
    """Return the types of a set but the first, two by name."""
    names = [DISPLAY_NAMES[cell_type] for cell_type in found.types[1:]] if found else []
    more = [f"{len(names) - 2} more"] if len(names) > 2 else []
    return ", ".join([*names[:2], *more])


def _looks(found: CellAttributes | None) -> tuple[str, str]:
    """Return the subtype and the attributes of a cell, in words."""
    if found is None:
        return "", ""
    told = (f"{name.replace('_', ' ')} {_said(answer)}" for name, answer in found.attributes.items())
    return _said(found.subtype) if found.subtype else "", ", ".join(told)


def _judged(prediction: CellPrediction) -> tuple[str, bool, str]:
    """Return what a generative model says, whether it finds the cell strange, and the other type it names."""
    found = prediction.judgement
    if found is None:
        return "", False, ""
    name = DISPLAY_NAMES[found.cell_type]
    words = f"generative model: {name} {100 * found.confidence:.0f}%, anomaly {found.anomaly:.2f}"
    return words, found.badly_explained, name if prediction.disputed else ""


def _said(answer: AttributeAnswer) -> str:
    """Return an answer with its probability."""
    return f"{answer.value} {100 * answer.probability:.0f}%"
