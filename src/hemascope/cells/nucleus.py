"""The nucleus inside a nucleated cell: Otsu's threshold on the light that the nuclear dye takes.

Azure and methylene blue absorb red light, eosin and hemoglobin hardly do: the red channel's absorption tells the
nucleus from cytoplasm, granules of eosinophils and red cells underneath.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.outlines import region_outlines
from hemascope.core.cell import Nucleus
from hemascope.core.geometry import Polygon

MAX_SIDE = 128
"""Pixels: larger cells are reduced to this before thresholding; outlines do not need more."""

MIN_CONTRAST = 0.12
"""Difference of mean red transmittance below which a cell is one phase: all nucleus, or smudged."""

MIN_LOBE_SHARE = 0.06
"""Parts of the nucleus smaller than this share of its area are granules or dirt, not lobes."""


def find_nucleus(pixels: NDArray[np.uint8], outline: Polygon, light: NDArray[np.float32]) -> Nucleus | None:
    """Return the nucleus of a cell, or None where the cell is too small to show one.

    Parameters
    ----------
    pixels
        H x W x 3 uint8, the whole field.
    outline
        The cell, in pixels of the field.
    light
        Background color of the field (``core.optics.background_color``).
    """
    box = outline.bounds.clipped(pixels.shape[1], pixels.shape[0])
    x0, y0, x1, y1 = int(box.x0), int(box.y0), int(np.ceil(box.x1)), int(np.ceil(box.y1))
    if x1 - x0 < 6 or y1 - y0 < 6:
        return None
    factor = min(1.0, MAX_SIDE / max(x1 - x0, y1 - y0))
    window = cv2.resize(pixels[y0:y1, x0:x1], None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    cell = np.zeros(window.shape[:2], np.uint8)
    local = (outline.points - np.array((x0, y0), np.float32)) * np.float32(factor) - np.float32(0.5)
    cv2.fillPoly(cell, [np.round(local).astype(np.int32)], 1)
    red = np.clip(255 - np.asarray(window[..., 0], np.float32) / light[0] * 255, 0, 255).astype(np.uint8)
    mask = _threshold(cv2.GaussianBlur(red, (3, 3), 0), cell.astype(bool))
    return _parts(mask, factor, (x0, y0))


def _threshold(red: NDArray[np.uint8], cell: NDArray[np.bool_]) -> NDArray[np.uint8]:
    inside = red[cell]
    if inside.size == 0:
        return np.zeros(red.shape, np.uint8)
    level, _ = cv2.threshold(inside[None], 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = inside > level
    if dark.any() and not dark.all():
        contrast = (inside[dark].mean() - inside[~dark].mean()) / 255
        if contrast < MIN_CONTRAST:
            return cell.astype(np.uint8)
    mask = ((red > level) & cell).astype(np.uint8)
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    return np.asarray(closed, np.uint8)


def _parts(mask: NDArray[np.uint8], factor: float, origin: tuple[int, int]) -> Nucleus | None:
    found = [Polygon(outline) for outline in region_outlines(mask)]
    sized = sorted(found, key=lambda part: -part.area)
    if not sized or sized[0].area < 4:
        return None
    least = MIN_LOBE_SHARE * sum(part.area for part in sized)
    return Nucleus(tuple(p.scaled(1 / factor).translated(*origin) for p in sized if p.area >= least))
