"""Fields whose red cells are made by hand, for the tests of morphology."""

from __future__ import annotations

import numpy as np
from painted_results import verdict

from hemascope.core.morphology import PlateletCounts, RedCellCounts
from hemascope.core.report import FieldSummary
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import RedCellType
from hemascope.reporting.red_cell_counts import measure_diameters


def red_cells(labels: dict[str, int], diameters: list[float] | None = None, **expected: float) -> RedCellCounts:
    counts = {t.value: labels.get(t.value, 0) for t in RedCellType}
    sums = {name: float(count) for name, count in counts.items()} | expected
    areas = np.pi * (np.array(diameters or []) / 2) ** 2
    return RedCellCounts(sum(counts.values()), counts, sums, measure_diameters(areas.tolist()))


def summary(
    cells: RedCellCounts | None = None,
    *,
    name: str = "f",
    red: int | None = None,
    platelets: int = 0,
    of_platelets: PlateletCounts | None = None,
    scale: str = "stated",
    mpp: float = 0.1,
    status: QcStatus = QcStatus.PASS,
) -> FieldSummary:
    cells = cells or RedCellCounts()
    counts = {
        "white_cell": 0,
        "red_cell": max(cells.judged, cells.diameters.cells) if red is None else red,
        "platelet": platelets,
    }
    return FieldSummary(
        id=name,
        path=f"{name}.png",
        sha256="",
        width=1000,
        height=1000,
        mpp=mpp,
        scale_source=scale,
        verdict=verdict(status),
        counts=counts,
        types={},
        red_cells=cells,
        platelets=of_platelets or PlateletCounts(),
    )
