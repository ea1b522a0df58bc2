"""How full the field is."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

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


def outlined_fraction(field: Field, view: View, cells: Sequence[Cell]) -> float:
    """Return the fraction of the field inside its frame that lies in the outline of a cell, 0 to 1."""
    inside = np.zeros(view.cells.shape, np.uint8)
    corner = np.array((view.margins.left, view.margins.top), np.float32)
    ratio = np.array(view.cells.shape[::-1]) / np.array(view.margins.inside(field.pixels).shape[1::-1])
    for cell in cells:
        outline = np.rint((cell.outline.points - corner) * ratio - 0.5).astype(np.int32)
        cv2.fillPoly(inside, [outline], 1)
    return float(inside.mean())
