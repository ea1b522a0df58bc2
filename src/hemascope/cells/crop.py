"""Cells to crops: a square view of fixed physical width, centered on the cell."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import Cell, CellCrop
from hemascope.core.smear import Field
from hemascope.core.units import Microns


def cut_square(pixels: NDArray[np.uint8], center: tuple[float, float], width: float, side: int) -> NDArray[np.uint8]:
    """Return a square view of an image, resampled.

    Parameters
    ----------
    pixels
        H x W x 3 uint8.
    center
        ``(x, y)`` of the view in pixels.
    width
        Width of the view in pixels of the image; at least 1.
    side
        Width of the result in pixels.

    Returns
    -------
    side x side x 3 uint8. What lies beyond the image's edge is mirrored.
    """
    x0 = round(center[0] - width / 2)
    y0 = round(center[1] - width / 2)
    span = max(round(width), 1)
    height_px, width_px = pixels.shape[:2]
    left, top = max(-x0, 0), max(-y0, 0)
    right, bottom = max(x0 + span - width_px, 0), max(y0 + span - height_px, 0)
    window = pixels[max(y0, 0) : max(y0 + span, 0), max(x0, 0) : max(x0 + span, 0)]
    if left or top or right or bottom:
        window = np.pad(window, ((top, bottom), (left, right), (0, 0)), mode="symmetric")
    method = cv2.INTER_AREA if span > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(window, (side, side), interpolation=method), np.uint8)


def crop_cell(field: Field, cell: Cell, side: int, width: Microns) -> CellCrop:
    """Return the crop of one cell.

    Parameters
    ----------
    field
        The field it was found in, with its scale.
    side, width
        Of the crop, in pixels and um.

    Raises
    ------
    ValueError
        If the scale of the field is not known.
    """
    if field.scale is None:
        raise ValueError(f"{field.id}: a crop of fixed width in um needs the scale of its field")
    bounds = cell.outline.bounds
    pixels = cut_square(field.pixels, bounds.center, field.scale.pixels(width), side)
    return CellCrop(cell.id, pixels, width)
