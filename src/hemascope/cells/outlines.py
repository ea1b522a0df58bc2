"""Outlines to cells: clipped to the field, numbered, and marked where the border cuts them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import Cell
from hemascope.core.geometry import Polygon
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind

BORDER = 1.5
"""Pixels: an outline this close to the field's edge is taken as cut by it."""

MIN_AREA_UM2 = 0.5
"""Less than a platelet of 0.8 um: below it an outline is noise or a cell of which nothing is left."""


def cells_from_outlines(
    field: Field,
    outlines: Iterable[NDArray[np.floating]],
    kinds: Sequence[CellKind],
    scores: Iterable[float],
) -> list[Cell]:
    """Return cells for outlines N x 2 in pixels of ``field``; those with next to no area in it are left out."""
    mpp = field.scale.mpp if field.scale else 0.0
    cells: list[Cell] = []
    for points, kind, score in zip(outlines, kinds, scores, strict=True):
        outline = Polygon(np.asarray(points, np.float32)).clipped(field.width, field.height)
        if outline.area < 1 or outline.area * mpp**2 < MIN_AREA_UM2:
            continue
        cells.append(
            Cell(
                id=f"{field.id}#{len(cells) + 1}",
                field_id=field.id,
                kind=kind,
                outline=outline,
                score=float(np.clip(score, 0, 1)),
                touches_border=_is_cut(outline, field),
            )
        )
    return cells


def _is_cut(outline: Polygon, field: Field) -> bool:
    box = outline.bounds
    return bool(
        box.x0 <= BORDER or box.y0 <= BORDER or box.x1 >= field.width - BORDER or box.y1 >= field.height - BORDER
    )
