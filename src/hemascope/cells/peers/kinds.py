"""Kinds for finders that know none: by size, and by how much of an object takes the nuclear dye.

White cells are told by a nucleus. In a Romanowsky stain azure and methylene blue color nuclei and platelets, eosin and
hemoglobin do not (Horobin, Biotech Histochem 2011;86:36-51). Laboratories differ in the color of hemoglobin, so the dye
is measured from the level of the field's own red cells. Limits of size are those of ``hemascope.cells.classical``.
The margins were chosen on painted fields and on 60 fields of the train split of bccd; see docs/segmenters.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.classical import NUCLEUS_UM2, PLATELET_UM2, WORKING_MPP, nuclear_stain
from hemascope.core.optics import transmittance
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind

NUCLEAR_MARGIN, PLATELET_MARGIN = 50, 30
"""Gray levels of nuclear dye above the level of red cells from which on something is nuclear, or of a platelet."""
PLATELET_SHARE = 0.2
"""Share of a platelet's area that takes the dye, at least."""
MAX_RED_CELL_LEVEL = 130
"""Gray levels: the median object of a field with more dye than this is no red cell."""


def kinds_of(field: Field, outlines: Sequence[NDArray[np.floating]]) -> list[CellKind]:
    """Return the kind of every object.

    A white cell has at least 14 um2 of nuclear dye in its outline, less than the nucleus of a small lymphocyte. Of the
    others, a platelet measures at most 14 um2 and takes the dye on a fifth of its area. The rest are red cells. The
    level of red cells is the median over objects larger than a platelet.

    Parameters
    ----------
    field
        With its scale.
    outlines
        N x 2 each, in pixels of the field.

    Raises
    ------
    ValueError
        If the scale of the field is not known.
    """
    if field.scale is None:
        raise ValueError(f"{field.id}: telling kinds needs the scale of the field")
    factor = field.scale.mpp / WORKING_MPP
    dye = _dye(field, factor)
    levels = [_levels(dye, np.asarray(outline, np.float64) * factor) for outline in outlines]
    large = [float(np.median(level)) for level in levels if _um2(level.size) > PLATELET_UM2[1]]
    red_cells = min(float(np.median(large)), MAX_RED_CELL_LEVEL) if large else 0.0
    return [_kind(level, red_cells) for level in levels]


def _um2(pixels: float) -> float:
    return pixels * WORKING_MPP**2


def _dye(field: Field, factor: float) -> NDArray[np.uint8]:
    """Return how much nuclear dye lies where, H x W of 0 to 255 at the working scale."""
    size = (max(round(field.width * factor), 1), max(round(field.height * factor), 1))
    image = np.asarray(cv2.resize(field.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return nuclear_stain(np.round((1 - transmittance(image)) * 255).astype(np.uint8))


def _levels(dye: NDArray[np.uint8], outline: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the levels of dye of every pixel in an outline, at least one."""
    height, width = dye.shape
    x0, y0 = (int(v) for v in np.clip(np.floor(outline.min(axis=0)), 0, (width - 1, height - 1)))
    x1, y1 = (int(v) for v in np.clip(np.ceil(outline.max(axis=0)), (x0 + 1, y0 + 1), (width, height)))
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(inside, [np.round((outline - (x0, y0) - 0.5) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    window = dye[y0:y1, x0:x1]
    return window[inside > 0] if inside.any() else window[:1, 0]


def _kind(levels: NDArray[np.uint8], red_cells: float) -> CellKind:
    if _um2(int(np.count_nonzero(levels > red_cells + NUCLEAR_MARGIN))) >= NUCLEUS_UM2:
        return CellKind.WHITE_CELL
    dyed = np.count_nonzero(levels > red_cells + PLATELET_MARGIN) / levels.size
    if _um2(levels.size) <= PLATELET_UM2[1] and dyed >= PLATELET_SHARE:
        return CellKind.PLATELET
    return CellKind.RED_CELL
