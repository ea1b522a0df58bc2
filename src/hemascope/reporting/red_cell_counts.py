"""Red cells and platelets of a field as sums that can be added up: bounded, whatever the number of cells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from hemascope.core.morphology import BIN_UM, BINS, Diameters, PlateletCounts, RedCellCounts
from hemascope.core.report import CellResult, FieldResult
from hemascope.core.taxonomy import CellKind, RedCellType

_ORDER = tuple(t.value for t in RedCellType)


def count_red_cells(result: FieldResult) -> RedCellCounts:
    """Return the red cells of one field; those that the border cuts are not measured."""
    predictions = [cell.red_cell for cell in result.cells if cell.red_cell is not None]
    labels = Counter(prediction.label.value for prediction in predictions)
    expected = np.zeros(len(_ORDER))
    for prediction in predictions:
        expected += prediction.probabilities
    return RedCellCounts(
        judged=len(predictions),
        labels={name: labels[name] for name in _ORDER},
        expected=dict(zip(_ORDER, expected.tolist(), strict=True)),
        diameters=measure_diameters(_whole_areas(result.cells, CellKind.RED_CELL)),
    )


def count_platelets(result: FieldResult) -> PlateletCounts:
    """Return the platelets of one field; those that the border cuts are not measured."""
    sizes = [len(clump.cell_ids) for clump in result.clumps]
    return PlateletCounts(
        clumps=len(sizes),
        clumped=sum(sizes),
        largest=max(sizes, default=0),
        diameters=measure_diameters(_whole_areas(result.cells, CellKind.PLATELET)),
    )


def measure_diameters(areas_um2: Sequence[float]) -> Diameters:
    """Return the diameters of disks of these areas, each finite and not negative, as sums and as a histogram."""
    if not len(areas_um2):
        return Diameters()
    diameters = 2 * np.sqrt(np.asarray(areas_um2, np.float64) / math.pi)
    places = np.minimum((diameters / BIN_UM + 1e-9).astype(int), BINS - 1)
    return Diameters(
        cells=len(diameters),
        total=float(diameters.sum()),
        squares=float((diameters**2).sum()),
        fourths=float((diameters**4).sum()),
        bins=tuple(np.bincount(places, minlength=BINS).tolist()),
    )


def add_diameters(parts: Iterable[Diameters]) -> Diameters:
    """Return the diameters of several fields taken together."""
    known = [part for part in parts if part.cells]
    if not known:
        return Diameters()
    return Diameters(
        cells=sum(part.cells for part in known),
        total=math.fsum(part.total for part in known),
        squares=math.fsum(part.squares for part in known),
        fourths=math.fsum(part.fourths for part in known),
        bins=tuple(np.sum([part.bins for part in known], axis=0).tolist()),
    )


def add_red_cells(parts: Iterable[RedCellCounts]) -> RedCellCounts:
    """Return the red cells of several fields taken together."""
    known = list(parts)
    return RedCellCounts(
        judged=sum(part.judged for part in known),
        labels={name: sum(part.labels.get(name, 0) for part in known) for name in _ORDER},
        expected={name: math.fsum(part.expected.get(name, 0.0) for part in known) for name in _ORDER},
        diameters=add_diameters(part.diameters for part in known),
    )


def _whole_areas(cells: Iterable[CellResult], kind: CellKind) -> list[float]:
    """Return the areas in um^2 of the cells of one kind that the border does not cut."""
    return [cell.morphometry.area_um2 for cell in cells if cell.cell.kind is kind and not cell.cell.touches_border]
