"""What all measures share: a small picture of the field, even in light, split into cells and background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.smear import Field
from hemascope.core.units import RED_CELL_DIAMETER
from hemascope.qc.artifacts import Margins, frame_margins

VIEW_PIXELS = 120_000
"""Pixels of the small picture: 400 x 300 of a 640 x 480 field; red cells stay above 10 pixels wide at usual scales,
and a 10,000 x 10,000 field costs no more than a small one."""

_BLOCKS = 8  # a side, for the light: a block of a usual field is wider than a red cell, so it sees background
_BRIGHT_PERCENTILE = 85.0
_MIN_LEVEL = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A field made small.

    Attributes
    ----------
    rgb
        h x w x 3 uint8, without the frame that was burnt in.
    even
        h x w float32: the channel in which cells stand out most, divided by the light; background about 1.
    light
        h x w float32: the level of the background in that channel, 0 to 255, as a smooth surface.
    light_misfit
        Median distance of the blocks of the picture from that surface, as a fraction of it.
    cells
        h x w bool: darker than the background by more than the threshold that splits the two best (Otsu), holes
        filled.
    separation
        How much darker than the background those pixels are, as a fraction of it (0 to 1).
    shrink
        Side of a view pixel in field pixels, >= 1.
    margins
        The frame that was cut off.
    """

    rgb: NDArray[np.uint8]
    even: NDArray[np.float32]
    light: NDArray[np.float32]
    light_misfit: float
    cells: NDArray[np.bool_]
    separation: float
    shrink: float
    margins: Margins


def view_of(field: Field) -> View:
    """Return the small picture of ``field`` inside its frame, if one was burnt in."""
    margins = frame_margins(field.pixels)
    inner = margins.inside(field.pixels)
    shrink = max(1.0, float(np.sqrt(inner.shape[0] * inner.shape[1] / VIEW_PIXELS)))
    rgb = _shrunk(inner, shrink)
    channel = _telling_channel(rgb)
    light, misfit = light_surface(channel)
    even = (channel / np.maximum(light, _MIN_LEVEL)).astype(np.float32)
    cells, separation = _split(even)
    return View(rgb, even, light, misfit, cells, separation, shrink, margins)


def object_diameter(view: View) -> float | None:
    """Return the typical width of what stands out, in view pixels: a stand-in for the red cell where no scale is known.

    It is twice the median height of the peaks of the distance to the background, in which touching cells are apart.
    None if nothing is wider than a few pixels.
    """
    distance = cv2.distanceTransform(view.cells.astype(np.uint8), cv2.DIST_L2, 3)
    if float(distance.max(initial=0)) < 3:
        return None
    reach = 2 * round(0.5 * float(np.percentile(distance[distance >= 2], 90))) + 1
    peaks = (distance >= cv2.dilate(distance, np.ones((reach, reach), np.uint8))) & (distance >= 2.5)
    heights = distance[peaks]
    return 2 * float(np.median(heights[heights >= 0.4 * heights.max()])) if heights.size else None


def microns_per_view_pixel(field: Field, view: View) -> float | None:
    """Return the scale of the view: the field's, or one under which the typical object is a red cell."""
    if field.scale is not None:
        return field.scale.mpp * view.shrink
    diameter = object_diameter(view)
    return None if diameter is None else RED_CELL_DIAMETER / diameter


def light_surface(channel: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Return the level of the background everywhere, and how badly it fits.

    The level is a quadratic surface through the bright part of each block. Blocks far below it are full of cells and
    are left out of a second fit, for which the light of the first is divided out, so that a block in which light
    falls off does not count as its brightest corner. The misfit is the median distance of all blocks from the
    surface as a fraction of it: small wherever light is the cause, large where blocks hold no background.
    """
    first = np.full(channel.shape, max(_MIN_LEVEL, float(channel.max())), np.float32)
    for keep_all in (True, False):
        surface, misfit = _fitted(channel, first, keep_all=keep_all)
        first = surface
    return surface, misfit


def _fitted(
    channel: NDArray[np.float32], light: NDArray[np.float32], *, keep_all: bool
) -> tuple[NDArray[np.float32], float]:
    level, y, x = _block_levels(channel / light)
    height, width = channel.shape
    level = level * light[(y * height).astype(int), (x * width).astype(int)]
    terms = _quadratic(y - 0.5, x - 0.5)
    factors = np.linalg.lstsq(terms, level, rcond=None)[0]
    off = level - terms @ factors
    keep = off >= -max(2.0, float(np.median(np.abs(off))) * 1.5)
    if keep.sum() >= 2 * terms.shape[1]:
        factors = np.linalg.lstsq(terms[keep], level[keep], rcond=None)[0]
    misfit = float(np.median(np.abs(level / np.maximum(terms @ factors, _MIN_LEVEL) - 1)))
    rows = (np.arange(height) + 0.5)[:, None] / height - 0.5
    columns = (np.arange(width) + 0.5)[None, :] / width - 0.5
    one, by_y, by_x, by_yy, by_xy, by_xx = factors
    surface = one + by_y * rows + by_yy * rows * rows + columns * (by_x + by_xy * rows) + by_xx * columns * columns
    return np.asarray(np.clip(surface, _MIN_LEVEL, 255), np.float32), misfit


def _block_levels(channel: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the bright level of each block and its center as fractions of height and width."""
    step = 2 if min(channel.shape) >= 4 * _BLOCKS else 1
    sample = channel[::step, ::step]
    rows, columns = min(_BLOCKS, sample.shape[0]), min(_BLOCKS, sample.shape[1])
    high, wide = sample.shape[0] // rows, sample.shape[1] // columns
    blocks = sample[: rows * high, : columns * wide].reshape(rows, high, columns, wide).swapaxes(1, 2)
    flat = blocks.reshape(rows * columns, high * wide)
    levels: NDArray[np.float64] = np.percentile(flat, _BRIGHT_PERCENTILE, axis=1).astype(np.float64)
    y = (np.arange(rows) + 0.5) * high / sample.shape[0]
    x = (np.arange(columns) + 0.5) * wide / sample.shape[1]
    return levels, np.repeat(y, columns), np.tile(x, rows)


def _quadratic(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.ones_like(y), y, x, y * y, x * y, x * x], axis=1)


def _shrunk(pixels: NDArray[np.uint8], shrink: float) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    if size == (width, height):
        return np.ascontiguousarray(pixels)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _telling_channel(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the color channel with the largest spread relative to its level: green on most stains."""
    sample = rgb[::4, ::4].reshape(-1, 3).astype(np.float32)
    low, high = np.percentile(sample, (10, 90), axis=0)
    best = int(np.argmax((high - low) / np.maximum(high, 40.0)))
    telling: NDArray[np.float32] = rgb[..., best].astype(np.float32)
    return telling


def _split(even: NDArray[np.float32]) -> tuple[NDArray[np.bool_], float]:
    levels = np.clip(even * 200, 0, 255).astype(np.uint8)
    _threshold, dark = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    dark = cv2.morphologyEx(np.asarray(dark, np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    # Only holes the size of a pallor are filled: a ring of touching cells around background stays a ring.
    filled = dark.copy()
    holes, labels, stats, _ = cv2.connectedComponentsWithStats(1 - dark, connectivity=4)
    limit = _pallor_area(contours)
    small = [i for i in range(1, holes) if stats[i, cv2.CC_STAT_AREA] <= limit]
    if small:
        filled[np.isin(labels, small)] = 1
    # In a packed field the last background is no wider than a pallor: there, nothing is filled.
    cells = (dark if filled.all() else filled).astype(bool)
    if not cells.any() or cells.all():
        return np.zeros(even.shape, bool), 0.0
    background, cell = float(np.median(even[~cells])), float(np.median(even[dark.astype(bool)]))
    return cells, max(0.0, 1 - cell / background) if background > 0 else 0.0


def _pallor_area(contours: Sequence[NDArray[Any]]) -> float:
    """Return the area under which a hole counts as a pallor: a third of the median object."""
    areas = [a for a in (cv2.contourArea(c) for c in contours) if a >= 20]
    return float(np.median(areas)) / 3 if areas else 0.0
