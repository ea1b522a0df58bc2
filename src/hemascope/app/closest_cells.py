"""The cells of a run whose two likeliest types are closest, kept as they come, in bounded memory."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from hemascope.app.explain_cells import AskedCell, Explainer, cell_regions
from hemascope.cells.crop import crop_cell
from hemascope.core.prediction import CellPrediction
from hemascope.core.report import CellResult, FieldResult
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import NUCLEATED_TYPES, CellKind, CellType
from hemascope.core.units import Microns

Size = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a cell that is taken for a type.

    Attributes
    ----------
    toward
        Types that it could be, asked of every cell that is taken for another.
    second
        Whether its second likeliest type is asked about, before those.
    """

    toward: tuple[CellType, ...] = ()
    second: bool = True

    def of(self, prediction: CellPrediction) -> tuple[CellType, tuple[CellType, ...], float]:
        """Return the likeliest type of a nucleated cell, the types asked about, and the least gap between them.

        The gap is that of their probabilities; 1 where nothing is asked.
        """
        order = list(CellType)
        shares = {cell_type: float(prediction.probabilities[order.index(cell_type)]) for cell_type in order}
        ranked = sorted(NUCLEATED_TYPES, key=lambda cell_type: -shares[cell_type])
        best = ranked[0]
        asked = (*((ranked[1],) if self.second else ()), *(named for named in self.toward if named is not best))
        gap = min((shares[best] - shares[target] for target in asked), default=1.0)
        return best, tuple(dict.fromkeys(asked)), gap


class ClosestCells:
    """Keeps the ``count`` cells whose type is closest to one that is asked about.

    Cells that the border cuts, cells of fields that failed quality control and cells taken for a platelet are left out.

    Parameters
    ----------
    count
        Most cells to keep.
    question
        What is asked of each.
    denoiser_size, classifier_size
        Side in pixels and width in um of the crops that both take.
    """

    def __init__(self, count: int, question: Question, denoiser_size: Size, classifier_size: Size) -> None:
        self._count = count
        self._question = question
        self._sizes = denoiser_size, classifier_size
        self._kept: list[tuple[tuple[float, int, int], AskedCell]] = []
        self._fields = 0

    def add(self, result: FieldResult) -> None:
        """Take one field; only the cells that are kept are cut out."""
        self._fields += 1
        if result.verdict.status is QcStatus.FAIL:
            return
        for number, cell in enumerate(result.cells):
            prediction = cell.prediction
            if not _is_askable(cell) or prediction is None:
                continue
            best, asked, gap = self._question.of(prediction)
            place = (-gap, -self._fields, -number)  # the first of the heap is the least close
            if not asked:
                continue
            if len(self._kept) < self._count:
                heapq.heappush(self._kept, (place, self._asked(result, cell, best, asked)))
            elif self._kept and place > self._kept[0][0]:
                heapq.heapreplace(self._kept, (place, self._asked(result, cell, best, asked)))

    def cells(self) -> list[AskedCell]:
        """Return the cells kept, the closest first."""
        return [cell for _, cell in sorted(self._kept, key=lambda kept: kept[0], reverse=True)]

    def _asked(self, result: FieldResult, cell: CellResult, best: CellType, targets: tuple[CellType, ...]) -> AskedCell:
        (side, width), (classifier_side, classifier_width) = self._sizes
        scale = result.field.scale
        if scale is None:
            raise ValueError(f"{result.field.id}: explaining cells needs the scale of their field")
        return AskedCell(
            current=best,
            targets=targets,
            crop=crop_cell(result.field, cell.cell, side, Microns(width)),
            classifier_crop=crop_cell(result.field, cell.cell, classifier_side, Microns(classifier_width)),
            regions=cell_regions(cell.cell, scale.mpp, side, width),
        )


def _is_askable(cell: CellResult) -> bool:
    whole = cell.cell.kind is CellKind.WHITE_CELL and not cell.cell.touches_border
    return whole and cell.prediction is not None and cell.prediction.most_likely is not CellType.PLATELET


@dataclass(frozen=True, slots=True)
class Explaining:
    """Which cells of a run are explained, and by what.

    Attributes
    ----------
    explainer
        Explains them.
    count
        How many, those whose type is closest to one that is asked about.
    question
        What is asked of each.

    Raises
    ------
    RecipeError
        If a type is none of the denoiser's.
    """

    explainer: Explainer
    count: int
    question: Question = Question()

    def __post_init__(self) -> None:
        for cell_type in self.question.toward:  # before hours of work, not after
            self.explainer.number_of(cell_type)

    def closest(self) -> ClosestCells:
        """Return what keeps them, empty."""
        sizes = self.explainer.denoiser.crop_size, self.explainer.classifier.crop_size
        return ClosestCells(self.count, self.question, *sizes)
