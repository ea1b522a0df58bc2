"""How full the field is."""

from __future__ import annotations

from collections.abc import Sequence

from hemascope.core.cell import Cell
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.qc.view import View


def cell_area_fraction(view: View) -> float:
    """Return the fraction of the field that is darker than the background, 0 to 1."""
    return float(view.cells.mean())


def red_cells_per_10000_um2(field: Field, cells: Sequence[Cell], margins_fraction: float = 0.0) -> float | None:
    """Return red cells per 10,000 um^2 of the field inside its frame, or None where no scale is known.

    About 226 disks of 7.5 um would fill that area if they tiled it without gaps.
    """
    if field.scale is None:
        return None
    area = field.width * field.height * field.scale.mpp**2 * (1 - margins_fraction)
    return sum(cell.kind is CellKind.RED_CELL for cell in cells) / area * 1e4
