"""Drawn cells of known shape and color, and crops around them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop

Lobe = tuple[float, float, float, float]
"""Center x, y from the center of the crop, and both radii, in um."""

NUCLEUS_DENSITY = (0.45, 0.75, 0.2)
CYTOPLASM_DENSITY = (0.12, 0.2, 0.05)
RED_CELL_DENSITY = (0.05, 0.12, 0.14)
WIDTH_UM = 32.0
SMOOTH = 8


def drawn_cell(
    lobes: tuple[Lobe, ...] = ((0, 0, 3, 3),),
    cell: Lobe = (0, 0, 6, 6),
    side: int = 128,
    red_cells: tuple[Lobe, ...] = ((-11, -10, 3.6, 3.6), (10, 11, 3.6, 3.6)),
    cytoplasm: tuple[float, float, float] = CYTOPLASM_DENSITY,
) -> NDArray[np.uint8]:
    """Return side x side x 3 pixels of a 32 um view: red cells, cytoplasm, and a nucleus of ellipses, anti-aliased."""
    density = np.zeros((side * SMOOTH, side * SMOOTH, 3), np.float32)
    for shapes, color in ((red_cells, RED_CELL_DENSITY), ((cell,), cytoplasm), (lobes, NUCLEUS_DENSITY)):
        for shape in shapes:
            density[_ellipse(shape, side * SMOOTH)] = color
    passed = 240 * 10.0**-density
    reduced = cv2.resize(passed, (side, side), interpolation=cv2.INTER_AREA)
    return np.round(reduced).astype(np.uint8)


def _ellipse(shape: Lobe, side: int) -> NDArray[np.bool_]:
    x, y, a, b = (value * side / WIDTH_UM for value in shape)
    center = (side - 1) / 2
    rows, columns = np.ogrid[:side, :side]
    return ((columns - center - x) / a) ** 2 + ((rows - center - y) / b) ** 2 <= 1


def crop_of(pixels: NDArray[np.uint8], width: float = WIDTH_UM) -> CellCrop:
    return CellCrop("f#1", np.ascontiguousarray(pixels), width)
