"""A crop to its regions: background out, nucleus, cell, cytoplasm; by absorbed light, without a trained network.

Azure and methylene blue absorb red and green light, eosin green, hemoglobin blue and green. So the red channel tells
the nucleus from cytoplasm and red cells, and green and red over blue tell a white cell from the red cells beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.optics import background_color

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]

MIN_TRANSMITTANCE = 0.02
"""Caps the optical density at 1.7: darker pixels are dirt or the end of the camera's range."""

PAINTED_OUT = 12
"""Gray level up to which pixels joined to the edge of a crop are paint around a cell that was cut out."""

NUCLEUS_REACH_UM = 4.0
"""A nucleus comes within this distance of the center of its crop."""

NUCLEUS_SEARCH_UM = 9.0
"""Nothing farther from the center than this is nucleus."""

CELL_REACH_UM = 6.5
"""No cytoplasm is farther from its nucleus than this."""

MIN_NUCLEUS_UM2 = 2.0
"""Less than this is noise; the fallback is a disk."""

FALLBACK_RADIUS_UM = 2.5
"""Radius of the disk in the center that stands in for a nucleus where none is found."""

MARGIN_UM = 4.5
"""What is measured around a cell lies within this distance of its bounds."""

MIN_CONTRAST = 0.035
"""Optical density above the surroundings below which nothing is found."""


@dataclass(frozen=True, slots=True, eq=False)
class CellView:
    """A crop as the descriptors see it.

    Attributes
    ----------
    density
        H x W x 3 float32 optical density -log10(I / I0) of red, green, blue, around the cell; 0 is background.
    nucleus, cell
        H x W masks in the same part of the crop; the nucleus is not empty and lies inside the cell.
    outside, depth
        H x W float32: each pixel's distance to the nucleus, 0 inside; and inside it the distance to the nearest pixel
        outside, at least 1. In pixels.
    red_cells
        Median density, red, green, blue, of what is stained away from the cell; 0 where there is nothing.
    mpp
        Um per pixel.
    found
        Whether a nucleus was found; False where a disk stands in for it.
    """

    density: Map
    nucleus: Mask
    cell: Mask
    outside: Map
    depth: Map
    red_cells: Map
    mpp: float
    found: bool

    @property
    def cytoplasm(self) -> Mask:
        """The cell without its nucleus; may be empty."""
        return self.cell & ~self.nucleus


def view_cell(pixels: NDArray[np.uint8], mpp: float) -> CellView:
    """Return the regions of a crop with a cell in its center.

    Parameters
    ----------
    pixels
        H x W x 3 uint8 RGB.
    mpp
        Um per pixel, positive.
    """
    density = optical_density(whitened(pixels))
    smooth = np.asarray(cv2.GaussianBlur(density, (0, 0), max(0.25 / mpp, 0.4)), np.float32)
    nucleus, found = find_nucleus(smooth, mpp)
    foreground = find_foreground(smooth)
    outside = distance_to(nucleus)
    cell = find_cell(smooth, nucleus, foreground, outside * np.float32(mpp), mpp)
    around = density_around(density, foreground, cell, mpp)
    window = _window(cell, mpp)
    inside = nucleus[window].copy()
    return CellView(
        density=np.ascontiguousarray(density[window]),
        nucleus=inside,
        cell=cell[window].copy(),
        outside=outside[window],
        depth=inner_distance(inside),
        red_cells=around,
        mpp=mpp,
        found=found,
    )


def _window(cell: Mask, mpp: float) -> tuple[slice, slice]:
    """Return the part of a crop that descriptors look at: the cell's bounds and a margin."""
    margin = math.ceil(MARGIN_UM / mpp)
    rows, columns = np.flatnonzero(cell.any(axis=1)), np.flatnonzero(cell.any(axis=0))
    top, left = max(int(rows[0]) - margin, 0), max(int(columns[0]) - margin, 0)
    return slice(top, int(rows[-1]) + margin + 1), slice(left, int(columns[-1]) + margin + 1)


def density_around(density: Map, foreground: Mask, cell: Mask, mpp: float) -> Map:
    """Return the median density of what is stained 1 um and more away from the cell; 0 where it is less than 5 um2."""
    grown = cv2.dilate(cell.astype(np.uint8), disk_kernel(odd(2.0 / mpp))).astype(bool)
    beside = foreground & ~grown
    if beside.sum() * mpp**2 < 5:
        return np.zeros(3, np.float32)
    return np.asarray(np.median(density[beside], axis=0), np.float32)


def whitened(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a crop with black paint that reaches its edge made white; others as they are."""
    black = (pixels.max(axis=2) <= PAINTED_OUT).astype(np.uint8)
    if not black.any():
        return pixels
    _, labels = cv2.connectedComponents(black, connectivity=8)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    paint = _chosen(labels, edge)
    grown = cv2.dilate(paint.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    white = pixels.copy()
    white[grown] = 255
    return white


def optical_density(pixels: NDArray[np.uint8]) -> Map:
    """Return H x W x 3 float32 optical density against the crop's own background, 0 to 1.7."""
    passed = np.arange(256)[:, None] / background_color(pixels)
    table = -np.log10(np.clip(passed, MIN_TRANSMITTANCE, 1.0)).astype(np.float32)
    return np.stack([table[:, c][pixels[..., c]] for c in range(3)], axis=2)


def find_nucleus(smooth: Map, mpp: float) -> tuple[Mask, bool]:
    """Return the nucleus in the center and True, or a disk and False where nothing stands out.

    Otsu's threshold of red absorption over the disk in which a nucleus may lie; then parts that come near the center.
    """
    away = center_distance(smooth.shape[:2]) * mpp
    red = smooth[..., 0]
    disk = away <= NUCLEUS_SEARCH_UM
    level = otsu(red[disk])
    dark = disk & (red > level)
    if contrast(red[disk], level) >= MIN_CONTRAST:
        parts = _central_parts(dark, away, mpp)
        if parts.sum() * mpp**2 >= MIN_NUCLEUS_UM2:
            return _refined(red, parts, away, mpp), True
    return away <= FALLBACK_RADIUS_UM, False


def _refined(red: Map, first: Mask, away: Map, mpp: float) -> Mask:
    """Return the darker phase of what was found, where it holds two: cytoplasm that was dark, too, goes."""
    inside = red[first]
    around = red[(away <= NUCLEUS_SEARCH_UM) & ~first]
    level = otsu(inside)
    dark = inside > level
    if not around.size or not dark.any() or dark.all():
        return first
    # Chromatin itself has dark and pale parts: a second phase only counts as cytoplasm where it is far paler.
    if inside[~dark].mean() - around.mean() < 0.55 * (inside[dark].mean() - around.mean()):
        second = _central_parts(first & (red > level), away, mpp)
        if second.sum() >= 0.15 * first.sum() and second.sum() * mpp**2 >= MIN_NUCLEUS_UM2:
            return second
    return first


def _central_parts(dark: Mask, away: Map, mpp: float) -> Mask:
    """Return the parts of a mask that come near the center, with those close to them; holes are filled."""
    side = odd(0.6 / mpp)
    opened = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, disk_kernel(side))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    large = (stats[:, cv2.CC_STAT_AREA] >= 0.8 / mpp**2)[labels]
    kept = _chosen(labels, labels[large & (away <= NUCLEUS_REACH_UM)])
    return filled(kept, 1.5 / mpp**2)


def find_foreground(smooth: Map) -> Mask:
    """Return what absorbs more than background: Otsu's threshold of the mean density, held within bounds."""
    mean = smooth.mean(axis=2)
    level = min(max(0.5 * otsu(np.minimum(mean, 0.25)), 0.025), 0.08)
    return filled(mean > level, mean.size)


def find_cell(smooth: Map, nucleus: Mask, foreground: Mask, to_nucleus: Map, mpp: float) -> Mask:
    """Return the whole cell: foreground nearer to the nucleus than to the core of any other object.

    ``to_nucleus`` is each pixel's distance to the nucleus in um.
    """
    near = foreground & (to_nucleus <= CELL_REACH_UM)
    purple = 0.5 * (smooth[..., 0] + smooth[..., 1]) - smooth[..., 2]
    others = foreground & (to_nucleus > 1.0)
    depth = distance_inside(others) * mpp
    beside = foreground & (to_nucleus > CELL_REACH_UM)
    reference = float(np.median(purple[beside])) if beside.sum() * mpp**2 > 10 else 0.0
    cores = others & (purple < reference + 0.035) & (depth > 0.8)
    to_core = distance_to(cores) * mpp if cores.any() else np.full(near.shape, np.inf, np.float32)
    cell = near & ((to_nucleus < to_core) | (purple > reference + 0.07)) & ~cores | nucleus
    opened = cv2.morphologyEx(cell.astype(np.uint8), cv2.MORPH_OPEN, disk_kernel(odd(1.5 / mpp))).astype(bool) | nucleus
    _, labels = cv2.connectedComponents(opened.astype(np.uint8), connectivity=4)
    return filled(_chosen(labels, labels[nucleus]), nucleus.size)


def _chosen(labels: NDArray[Any], wanted: NDArray[Any]) -> Mask:
    """Return where a map of labels holds one of those wanted; 0 is none."""
    chosen = np.zeros(int(labels.max()) + 1, bool)
    chosen[wanted] = True
    chosen[0] = False
    return np.asarray(chosen[labels], bool)


def otsu(values: Map) -> float:
    """Return Otsu's threshold of values between 0 and 1.7, to 1/150 (Otsu, IEEE Trans SMC 1979;9:62)."""
    if values.size == 0:
        return 0.0
    coded = np.clip(values.reshape(1, -1) * np.float32(150), 0, 255).astype(np.uint8)
    level, _ = cv2.threshold(coded, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float((level + 1) / 150)


def contrast(values: Map, level: float) -> float:
    """Return the difference of the means above and below a level; 0 where one side is empty."""
    above = values > level
    if not above.any() or above.all():
        return 0.0
    return float(values[above].mean() - values[~above].mean())


def filled(mask: Mask, most: float) -> Mask:
    """Return a mask with its holes of at most ``most`` pixels filled."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] <= most
    small[0] = False
    height, width = mask.shape
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    inside = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    return np.asarray(mask | (small & inside)[labels], bool)


def distance_to(mask: Mask) -> Map:
    """Return each pixel's distance to a mask in pixels, 0 inside."""
    return distance_inside(~mask)


def distance_inside(mask: Mask) -> Map:
    """Return each pixel's distance in pixels to the nearest one outside a mask, 0 outside.

    Squares of distances between pixels are whole numbers; rounded to these, the answer is the same each time, while the
    last digit of the library's depends on where its image lies in memory.
    """
    rough = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.sqrt(np.rint(rough * rough)), np.float32)


def inner_distance(mask: Mask) -> Map:
    """Return each pixel's distance to the nearest pixel outside, at least 1 inside, as if all beyond were outside."""
    return distance_inside(np.pad(mask, 1))[1:-1, 1:-1]


def center_distance(shape: tuple[int, ...]) -> Map:
    """Return each pixel's distance to the center of an image, in pixels."""
    y = np.arange(shape[0], dtype=np.float32) - np.float32((shape[0] - 1) / 2)
    x = np.arange(shape[1], dtype=np.float32) - np.float32((shape[1] - 1) / 2)
    return np.asarray(np.hypot(y[:, None], x[None, :]), np.float32)


def odd(size: float) -> int:
    """Return the odd number of pixels nearest to a size, at least 1."""
    return 2 * max(round((size - 1) / 2), 0) + 1


def disk_kernel(side: int) -> NDArray[np.uint8]:
    """Return a disk for morphology, symmetric under rotation by 90 degrees."""
    offset = np.arange(side) - (side - 1) / 2
    return np.asarray(offset[:, None] ** 2 + offset[None, :] ** 2 <= (side / 2) ** 2, np.uint8)
