"""The cells of a run whose two likeliest types are closest, kept as they come, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hemascope.app.explain_cells import AskedCell, Explainer, cell_regions
from hemascope.cells.crop import crop_cell
from hemascope.core.prediction import CellPrediction
from hemascope.core.report import CellResult, FieldResult
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import NUCLEATED_TYPES, CellKind, CellType
from hemascope.core.units import Microns

Size = tuple[int, float]


class ClosestCells:
    """Keeps ``count`` cells with what is asked of each: its second likeliest type, and those named.

    Cells that the border cuts, cells of fields that failed quality control and cells taken for a platelet are left out.

    Parameters
    ----------
    count
        Most cells to keep.
    toward
        Types asked about besides, of every cell that is taken for another.
    denoiser_size, classifier_size
        Side in pixels and width in um of the crops that both take.
    """

    def __init__(self, count: int, toward: Sequence[CellType], denoiser_size: Size, classifier_size: Size) -> None:
        self._count = count
        self._toward = tuple(toward)
        self._sizes = denoiser_size, classifier_size
        self._kept: list[tuple[tuple[float, int, int], AskedCell]] = []
        self._fields = 0

    def add(self, result: FieldResult) -> None:
        """Take one field; only the cells that are kept are cut out."""
        self._fields += 1
        if result.verdict.status is QcStatus.FAIL:
            return
        for number, cell in enumerate(result.cells):
            if cell.cell.kind is not CellKind.WHITE_CELL or cell.cell.touches_border or cell.prediction is None:
                continue
            best, second, margin = two_likeliest(cell.prediction)
            place = (-margin, -self._fields, -number)  # the first of the heap is the least close
            if cell.prediction.most_likely is CellType.PLATELET:
                continue
            if len(self._kept) < self._count:
                heapq.heappush(self._kept, (place, self._asked(result, cell, best, second)))
            elif self._kept and place > self._kept[0][0]:
                heapq.heapreplace(self._kept, (place, self._asked(result, cell, best, second)))

    def cells(self) -> list[AskedCell]:
        """Return the cells kept, the closest first."""
        return [cell for _, cell in sorted(self._kept, key=lambda kept: kept[0], reverse=True)]

    def _asked(self, result: FieldResult, cell: CellResult, best: CellType, second: CellType) -> AskedCell:
        (side, width), (classifier_side, classifier_width) = self._sizes
        scale = result.field.scale
        if scale is None:
            raise ValueError(f"{result.field.id}: explaining cells needs the scale of their field")
        return AskedCell(
            current=best,
            targets=tuple(dict.fromkeys((second, *(named for named in self._toward if named is not best)))),
            crop=crop_cell(result.field, cell.cell, side, Microns(width)),
            classifier_crop=crop_cell(result.field, cell.cell, classifier_side, Microns(classifier_width)),
            regions=cell_regions(cell.cell, scale.mpp, side, width),
        )


@dataclass(frozen=True, slots=True)
class Explaining:
    """Which cells of a run are explained, and by what.

    Attributes
    ----------
    explainer
        Explains them.
    count
        How many, those whose two likeliest types are closest.
    toward
        Types asked about besides the second likeliest.

    Raises
    ------
    RecipeError
        If a type is none of the denoiser's.
    """

    explainer: Explainer
    count: int
    toward: tuple[CellType, ...] = ()

    def __post_init__(self) -> None:
        for cell_type in self.toward:  # before hours of work, not after
            self.explainer.number_of(cell_type)

    def closest(self) -> ClosestCells:
        """Return what keeps them, empty."""
        sizes = self.explainer.denoiser.crop_size, self.explainer.classifier.crop_size
        return ClosestCells(self.count, self.toward, *sizes)


def two_likeliest(prediction: CellPrediction) -> tuple[CellType, CellType, float]:
    """Return the two likeliest types that a nucleated cell can have, and the difference of their probabilities."""
    order = list(CellType)
    shares = np.array([prediction.probabilities[order.index(cell_type)] for cell_type in NUCLEATED_TYPES])
    best, second = np.argsort(-shares, kind="stable")[:2]
    return NUCLEATED_TYPES[best], NUCLEATED_TYPES[second], float(shares[best] - shares[second])
