"""Small red cells as numbers: dark and bright spots at several scales, relative to the cell's own gray.

For gray pictures of cells painted black outside, of some 50 pixels. All gray values are differences from the cell's own
median, so that how strongly a slide was stained says little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SCALES = (1.0, 1.6, 2.5, 4.0)
"""Standard deviations of the inner Gaussian of a spot filter, pixels; the outer one is 1.8 times as wide."""

HATS = (5, 9)
"""Sides of the squares of top-hats, pixels."""

PEAKS = 5
"""Strongest spots of a scale that are told one by one."""

LEAST_PEAK = 2.0
"""Gray levels by which a spot must stand out to be counted."""

RIM = 2
"""Pixels taken off a cell's edge: there a halo of the segmentation lies."""

LEAST_AREA = 60
"""Pixels below which a cell keeps its rim."""

_BACKGROUND = 5.0
_PERCENTILES = (0.5, 1, 2, 5, 10, 25, 75, 90, 95, 98, 99)


def standardized_gray(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return gray levels less the median of the cell, over 20; 0 outside the cell and on its outermost pixel.

    Parameters
    ----------
    image
        H x W uint8, 0 outside the cell.

    Returns
    -------
    numpy.ndarray
        H x W float32; all 0 where fewer than 50 pixels are left.
    """
    inside = ndimage.binary_erosion(image > 0)
    if inside.sum() < 50:
        return np.zeros(image.shape, np.float32)
    gray = image.astype(np.float32)
    return np.where(inside, (gray - np.median(gray[inside])) / 20, 0).astype(np.float32)


def dark_spot_numbers(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    r"""Return 116 numbers of a cell: spots, top-hats, gray levels, edges, area.

    Every number x becomes sign(x) ln(1 + \|x\|), because few cells have very strong spots.

    Parameters
    ----------
    image
        H x W uint8, 0 outside the cell.

    Raises
    ------
    ValueError
        If no pixel belongs to the cell.
    """
    whole = ndimage.binary_fill_holes(image > 0)
    if not whole.any():
        raise ValueError("a picture without a cell has no numbers")
    inside = ndimage.binary_erosion(whole, iterations=RIM)
    if inside.sum() < LEAST_AREA:
        inside = whole
    gray = image.astype(np.float32)
    median = np.median(gray[inside])
    difference = np.where(inside, gray - median, 0.0)
    share = inside.astype(np.float32)
    slow = ndimage.gaussian_filter(difference, _BACKGROUND) / (ndimage.gaussian_filter(share, _BACKGROUND) + 1e-3)
    filled = np.where(inside, gray, median)
    numbers = [*_all_spots(difference, inside), *_all_hats(filled, inside)]
    numbers += [*_levels(difference[inside]), *_levels((difference - slow)[inside])]
    numbers += [*_edges(filled, inside), float(whole.sum())]
    told = np.array(numbers, np.float64)
    return (np.sign(told) * np.log1p(np.abs(told))).astype(np.float32)


def _all_spots(difference: NDArray[np.float64], inside: NDArray[np.bool_]) -> list[float]:
    share = inside.astype(np.float32)
    rows, columns = np.nonzero(inside)
    center, radius = (rows.mean(), columns.mean()), np.sqrt(inside.sum() / np.pi)
    numbers: list[float] = []
    for scale in SCALES:
        inner, outer = (
            ndimage.gaussian_filter(difference, width) / (ndimage.gaussian_filter(share, width) + 1e-3)
            for width in (scale, 1.8 * scale)
        )
        darker = np.where(inside, outer - inner, 0.0)
        ordered = np.sort(darker[inside])
        numbers += [_from_top(ordered, place) for place in (0, 4, 19)]
        numbers += [ordered[int(0.9 * len(ordered))], ordered[0], ordered[min(5, len(ordered) - 1)], ordered.std()]
        peaks = (ndimage.maximum_filter(darker, 5) == darker) & (darker > LEAST_PEAK) & inside
        strongest = np.sort(darker[peaks])[::-1]
        numbers += [*np.pad(strongest, (0, PEAKS))[:PEAKS], float(peaks.sum())]
        row, column = np.unravel_index(int(darker.argmax()), darker.shape)
        numbers.append(float(np.hypot(row - center[0], column - center[1]) / radius))
    return numbers


def _all_hats(filled: NDArray[np.float32], inside: NDArray[np.bool_]) -> list[float]:
    """Return how far small dark and small bright things stand out."""
    numbers: list[float] = []
    for side in HATS:
        dark = ndimage.grey_closing(filled, size=(side, side)) - filled
        bright = filled - ndimage.grey_opening(filled, size=(side, side))
        for hat in (dark, bright):
            ordered = np.sort(hat[inside])
            numbers += [_from_top(ordered, place) for place in (0, 5, 19)]
            numbers += [ordered[int(0.9 * len(ordered))], ordered.mean()]
            numbers += [float((ordered > 12).sum()), float((ordered > 25).sum())]
    return numbers


def _levels(values: NDArray[np.float64]) -> list[float]:
    spread = values.std()
    skew = ((values - values.mean()) ** 3).mean() / (spread + 1) ** 3
    return [*np.percentile(values, _PERCENTILES), spread, skew]


def _edges(filled: NDArray[np.float32], inside: NDArray[np.bool_]) -> list[float]:
    strength = ndimage.gaussian_gradient_magnitude(filled, 1.0)
    core = ndimage.binary_erosion(inside, iterations=2)
    values = strength[core] if core.any() else strength[inside]
    return [float(value) for value in np.percentile(values, [50, 75, 90, 97, 99.5])]


def _from_top(ordered: NDArray[np.floating], place: int) -> float:
    return float(ordered[max(len(ordered) - 1 - place, 0)])
