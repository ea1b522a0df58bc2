"""What is wrong with found cells as records, whatever lies in the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import Cell
from hemascope.core.geometry import Polygon
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind

NEAR_EDGE_UM = 1.0
"""An outline further than this and than four pixels from every edge is cut by none."""
SIMPLE_SHARE = 0.1
"""Share of an outline's area by which crossing edges may distort it; contours of pixels touch themselves at times."""
OUTSIDE_SHARE = 0.05
"""Share of a nucleus that may lie outside of its cell's outline."""

_GRID = 256


def cell_faults(field: Field, cells: Sequence[Cell]) -> Iterator[str]:
    """Yield what is wrong with the cells found in ``field``, in words that name the cell."""
    numbers: list[int] = []
    for cell in cells:
        stem, _, number = cell.id.rpartition("#")
        if stem != field.id or not number.isdecimal():
            yield f"id '{cell.id}' is not '{field.id}#' and a number"
        else:
            numbers.append(int(number))
        yield from (f"{cell.id}: {fault}" for fault in _record_faults(field, cell))
        yield from (f"{cell.id}: {fault}" for fault in _outline_faults(field, cell))
        yield from (f"{cell.id}: {fault}" for fault in _nucleus_faults(cell))
    if any(after <= before for before, after in pairwise(numbers)):
        yield "cells are not in the order of their numbers, or a number comes twice"


def _record_faults(field: Field, cell: Cell) -> Iterator[str]:
    if cell.field_id != field.id:
        yield f"field_id is '{cell.field_id}'"
    kind: object = cell.kind
    if not isinstance(kind, CellKind):
        yield f"kind is {kind!r}, not a CellKind"
    if not (np.isfinite(cell.score) and 0 <= cell.score <= 1):
        yield f"score {cell.score} is not in 0 to 1"


def _outline_faults(field: Field, cell: Cell) -> Iterator[str]:
    outline = cell.outline
    if not np.isfinite(outline.points).all():
        yield "a vertex is not finite"
        return
    box = outline.bounds
    if min(box.x0, box.y0) < 0 or box.x1 > field.width or box.y1 > field.height:
        yield f"outline {box} leaves the field of {field.width} x {field.height}"
    if outline.area <= 0:
        yield "outline has no area"
        return
    covered = _covered(outline, outline)
    if abs(covered - outline.area) > SIMPLE_SHARE * max(covered, outline.area):
        yield f"outline crosses itself: it encloses {outline.area:.1f} px2 and covers {covered:.1f}"
    gap = min(box.x0, box.y0, field.width - box.x1, field.height - box.y1)
    if gap <= 0 and not cell.touches_border:
        yield "outline reaches the field's edge, but touches_border is False"
    mpp = field.scale.mpp if field.scale else 0.1
    if gap > max(4.0, NEAR_EDGE_UM / mpp) and cell.touches_border:
        yield f"outline stays {gap:.1f} px inside the field, but touches_border is True"


def _nucleus_faults(cell: Cell) -> Iterator[str]:
    if cell.nucleus is None:
        return
    if cell.kind is not CellKind.WHITE_CELL:
        yield f"a {cell.kind} has a nucleus"
    for part in cell.nucleus.parts:
        inside, whole = _covered(part, cell.outline), _covered(part, part)
        if whole and inside < (1 - OUTSIDE_SHARE) * whole:
            yield f"{1 - inside / whole:.0%} of a part of the nucleus lie outside of the cell"


def _covered(part: Polygon, outline: Polygon) -> float:
    """Return the area in square pixels that two outlines both cover, on a grid laid over the first."""
    box = part.bounds
    if not box.area:
        return 0.0
    both = _filled(part, part) & _filled(outline, part)
    return float(both.mean()) * box.area


def _filled(outline: Polygon, frame: Polygon) -> NDArray[np.bool_]:
    """Return which points of a grid over the box of ``frame`` lie in an outline, by crossings (even-odd)."""
    box = frame.bounds
    size = np.array((box.width, box.height))
    points = (outline.points.astype(np.float64) - (box.x0, box.y0)) / size * _GRID - 0.5
    canvas = np.zeros((_GRID, _GRID), np.uint8)
    cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return canvas.astype(bool)
