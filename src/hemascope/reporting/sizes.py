"""Sizes and shapes by type: median and middle half, absolute only where the scale is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemascope.core.report import CellResult, FieldResult
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import DISPLAY_NAMES, CellKind
from hemascope.reporting.reading import READING_ORDER
from hemascope.reporting.spool import FieldSpool

MEASURES = ("area_um2", "perimeter_um", "circularity", "eccentricity", "nucleus_area_um2", "nucleus_to_cell_ratio")
GROUPS = (*READING_ORDER, CellKind.RED_CELL.value, CellKind.PLATELET.value)
_AREAS, _LENGTHS = (0, 4), (1,)


class Spread(NamedTuple):
    """Median, 25th and 75th percentile."""

    median: float
    low: float
    high: float


class SizeRow(NamedTuple):
    """One type: its value, its name, how many cells were measured, and a spread for each measure, or None."""

    group: str
    name: str
    cells: int
    spreads: tuple[Spread | None, ...]


class SizeTable(NamedTuple):
    """Sizes by type.

    Attributes
    ----------
    absolute
        Whether lengths are um; else areas and lengths are relative to the median red cell, and left out where there is
        none.
    rows
        Types of which a cell was measured.
    """

    absolute: bool
    rows: tuple[SizeRow, ...]


class Sizes:
    """Collects measures on disk; cells cut by the edge and fields that failed quality control are left out."""

    def __init__(self) -> None:
        self._absolute = True

    def add(self, result: FieldResult, spool: FieldSpool) -> None:
        """Take the cells of one field; may raise ``OSError``."""
        if result.verdict.status is QcStatus.FAIL:
            return
        groups: dict[str, list[list[float]]] = {}
        for cell in result.cells:
            if not cell.cell.touches_border:
                groups.setdefault(cell.label or cell.cell.kind.value, []).append(_row(cell))
        for group, rows in groups.items():
            spool.add_numbers(group, rows)
        if groups and not (result.field.scale and result.field.scale.is_absolute):
            self._absolute = False

    def table(self, spool: FieldSpool) -> SizeTable:
        """Return the finished table; may raise ``OSError``."""
        divisors = np.ones(len(MEASURES))
        if not self._absolute:
            red = _spreads(spool.numbers(CellKind.RED_CELL.value, len(MEASURES)))
            divisors[list(_AREAS)] = red[0].median if red[0] else np.nan
            divisors[list(_LENGTHS)] = red[1].median if red[1] else np.nan
        rows = []
        for group in GROUPS:
            numbers = spool.numbers(group, len(MEASURES))
            if len(numbers):
                rows.append(SizeRow(group, DISPLAY_NAMES[group], len(numbers), _spreads(numbers / divisors)))
        return SizeTable(self._absolute, tuple(rows))


def _row(cell: CellResult) -> list[float]:
    """Return the measures of one cell, NaN where unknown."""
    values = (getattr(cell.morphometry, name) for name in MEASURES)
    return [float("nan") if value is None else float(value) for value in values]


def _spreads(numbers: NDArray[np.floating]) -> tuple[Spread | None, ...]:
    """Return the spread of each column over its finite numbers, None where there is none."""
    found: list[Spread | None] = []
    for column in numbers.T:
        known = column[np.isfinite(column)]
        low, median, high = np.quantile(known, (0.25, 0.5, 0.75)).tolist() if len(known) else (0, 0, 0)
        found.append(Spread(median, low, high) if len(known) else None)
    return tuple(found)
