"""The most certain red cells of each type that is not normal, in bounded memory."""

from __future__ import annotations

import heapq
from typing import NamedTuple

from hemascope.core.report import FieldResult
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import RedCellType
from hemascope.core.units import Microns
from hemascope.reporting.pictures import crop_cell

VIEW = Microns(13.0)
"""Width of a picture: a macrocyte of 11 um fits with a rim."""

VIEW_PIXELS = 80


class RedCellPortrait(NamedTuple):
    """One red cell; the first three say where it stands, and no two are equal.

    Attributes
    ----------
    confidence
        The highest probability.
    field, cell
        Minus the numbers of field and cell, so that the earlier of two equals counts as greater.
    picture
        WebP.
    """

    confidence: float
    field: int
    cell: int
    picture: bytes

    @property
    def anchor(self) -> str:
        """The anchor of its field."""
        return f"f{-self.field}"


class RedCellGallery:
    """Keeps the ``cap`` most certain red cells of each type but normal, of fields that did not fail quality control.

    Parameters
    ----------
    cap
        Most cells to keep of each type.
    """

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self._kept: dict[str, list[RedCellPortrait]] = {}

    def add(self, result: FieldResult, number: int) -> None:
        """Take the typed red cells of field ``number``; only those that are kept are cut out."""
        if result.verdict.status is QcStatus.FAIL:
            return
        for index, cell in enumerate(result.cells):
            if cell.red_cell is None or cell.red_cell.label is RedCellType.NORMAL:
                continue
            kept = self._kept.setdefault(cell.red_cell.label.value, [])
            place = (cell.red_cell.confidence, -number, -index)
            if len(kept) >= self.cap and place <= kept[0][:3]:
                continue
            picture = crop_cell(result.field, cell.cell.outline, VIEW, VIEW_PIXELS)
            push = heapq.heappush if len(kept) < self.cap else heapq.heapreplace
            push(kept, RedCellPortrait(*place, picture))

    def of(self, label: str) -> list[RedCellPortrait]:
        """Return the kept cells of one type, most certain first."""
        return sorted(self._kept.get(label, []), reverse=True)
