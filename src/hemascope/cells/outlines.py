"""Outlines to cells: clipped to the field, numbered, and marked where the border cuts them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import Cell, Nucleus
from hemascope.core.geometry import Polygon
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind

BORDER = 1.5
"""Pixels: an outline this close to the field's edge is taken as cut by it."""

MIN_AREA_UM2 = 0.5
"""Less than a platelet of 0.8 um: below it an outline is noise or a cell of which nothing is left."""


_FINE = 4
"""Outlines of regions are traced on a grid this much finer: a contour runs through pixel centers, not around pixels."""


def region_outlines(mask: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Return the outer outline N x 2 of every region of an H x W mask, in its pixels, whole pixels inside."""
    fine = cv2.resize(mask, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(np.asarray(fine, np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [((c[:, 0, :] + 0.5) / _FINE).astype(np.float32) for c in contours if len(c) >= 3]


def cells_from_outlines(
    field: Field,
    outlines: Iterable[NDArray[np.floating]],
    kinds: Sequence[CellKind],
    scores: Iterable[float],
    nuclei: Sequence[Nucleus | None] | None = None,
) -> list[Cell]:
    """Return cells for outlines N x 2 in pixels of ``field``; those with next to no area in it are left out.

    Parameters
    ----------
    kinds, scores
        One for each outline.
    nuclei
        One for each outline; None where nothing is known of any.
    """
    mpp = field.scale.mpp if field.scale else 0.0
    cells: list[Cell] = []
    known = nuclei if nuclei is not None else [None] * len(kinds)
    for points, kind, score, nucleus in zip(outlines, kinds, scores, known, strict=True):
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
                nucleus=_within(nucleus, field),
                touches_border=is_cut(outline, field),
            )
        )
    return cells


def _within(nucleus: Nucleus | None, field: Field) -> Nucleus | None:
    if nucleus is None:
        return None
    parts = (part.clipped(field.width, field.height) for part in nucleus.parts)
    kept = tuple(part for part in parts if part.area > 0)
    return Nucleus(kept) if kept else None


def is_cut(outline: Polygon, field: Field) -> bool:
    """Return whether the edge of the field cuts ``outline``."""
    box = outline.bounds
    return bool(
        box.x0 <= BORDER or box.y0 <= BORDER or box.x1 >= field.width - BORDER or box.y1 >= field.height - BORDER
    )
