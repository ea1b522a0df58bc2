"""Sharpness: how wide the edges of cells are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.smear import Field
from hemascope.qc.view import View

FOCUS_MPP = 0.12
"""Edges are measured at this many um per pixel, or at the field's own where that is coarser."""

_TILE_UM = 45.0
_TILES_A_SIDE = 3
_SMOOTHING = 0.8  # pixels; takes the noise of single pixels out of the gradient
_STEEPEST = 90.0  # percentile: the outlines of cells in the plane of focus, not those that overlap or lie flat
_MIN_EDGE_PIXELS = 60


def edge_width_um(field: Field, view: View, view_mpp: float) -> float | None:
    """Return the median over tiles of the width of cell edges in um, or None where no tile has enough edges.

    The width is the step in level between cells and background divided by the steepest slope along the cells'
    outlines, so it depends neither on contrast nor on stain. It is measured at a fixed um per pixel, on at most
    nine tiles of 45 um spread over the field.

    Parameters
    ----------
    field
        The field at full resolution.
    view
        Its small picture, which tells where cells are.
    view_mpp
        um per pixel of the view.
    """
    inner = view.margins.inside(field.pixels)

    def measured(tiles: list[tuple[slice, slice]]) -> list[float]:
        widths = []
        for rows, columns in tiles:
            top, left = round(rows.start * view.shrink), round(columns.start * view.shrink)
            bottom, right = round(rows.stop * view.shrink), round(columns.stop * view.shrink)
            width = _edge_width(inner[top:bottom, left:right], view.cells[rows, columns], view_mpp)
            if width is not None:
                widths.append(width)
        return widths

    side = _TILE_UM / view_mpp
    widths = measured(_tiles(view.cells.shape, side)) or measured([_fullest_tile(view.cells, side)])
    return float(np.median(widths)) if widths else None


def _fullest_tile(cells: NDArray[np.bool_], side: float) -> tuple[slice, slice]:
    """Return the square of ``side`` with most cells, for a field whose few cells lie between the usual ones."""
    high, wide = (min(length, max(8, round(side))) for length in cells.shape)
    sums = cv2.integral(cells.astype(np.uint8))
    inside = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    top, left = (int(i) for i in np.unravel_index(int(np.argmax(inside)), inside.shape))
    return slice(top, top + high), slice(left, left + wide)


def _edge_width(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], mask_mpp: float) -> float | None:
    if min(pixels.shape[:2]) < 8 or not 0.01 < float(mask.mean()) < 0.99:
        return None
    mpp = mask_mpp * mask.shape[0] / pixels.shape[0]
    factor = min(1.0, mpp / FOCUS_MPP)
    size = (max(8, round(pixels.shape[1] * factor)), max(8, round(pixels.shape[0] * factor)))
    small = pixels if factor == 1 else np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    inside = cv2.resize(
        mask.astype(np.uint8), size if factor < 1 else pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST
    )
    level = cv2.GaussianBlur(small[..., 1].astype(np.float32), (0, 0), _SMOOTHING)
    band = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((7, 7), np.uint8)).astype(bool)
    if int(band.sum()) < _MIN_EDGE_PIXELS:
        return None
    core = inside.astype(bool)
    step = float(np.median(level[~core]) - np.median(level[core]))
    slope_x = cv2.Sobel(level, cv2.CV_32F, 1, 0, scale=1 / 8)
    slope_y = cv2.Sobel(level, cv2.CV_32F, 0, 1, scale=1 / 8)
    steepest = float(np.percentile(cv2.magnitude(slope_x, slope_y)[band], _STEEPEST))
    return None if step <= 0 or steepest <= 0 else step / steepest * max(mpp, FOCUS_MPP)


def _tiles(shape: tuple[int, int], side: float) -> list[tuple[slice, slice]]:
    """Return up to nine squares of ``side`` spread evenly over ``shape``."""
    spans = []
    for length in shape:
        size = min(length, max(8, round(side)))
        count = min(_TILES_A_SIDE, max(1, length // size))
        starts = [
            round(i * (length - size) / max(1, count - 1)) if count > 1 else (length - size) // 2 for i in range(count)
        ]
        spans.append([slice(start, start + size) for start in starts])
    return [(rows, columns) for rows in spans[0] for columns in spans[1]]
