"""The classical finder: thresholds on absorbed light and distances; needs no weights.

It is the baseline in every table and the fallback where no weights are installed. Steps: Otsu's threshold on absorbed
light gives everything stained; light absorbed in red and green but not in blue gives nuclei and platelets; large
nuclei grow into white cells over what is not red cell; the rest is split into the disks of its distance map.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hemascope.cells.outlines import cells_from_outlines
from hemascope.core.cell import Cell
from hemascope.core.optics import MIN_BACKGROUND, background_color, transmittance
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind

WORKING_MPP = 0.2
NUCLEUS_UM2 = 14.0
"""Least area of a nucleus: one of 4.2 um diameter, smaller than a small lymphocyte's."""
WHITE_CELL_UM2 = 700.0
"""Greatest area of a white cell: one of 30 um diameter. What is larger is ink, a frame or a dark field."""
PLATELET_UM2 = (1.2, 14.0)
"""A platelet of 1.2 um to a giant one; between the two limits purple things are platelets."""
RED_CELL_UM2 = (8.0, 120.0)
"""A cut red cell to two that nothing divides."""
GROWTH_UM = 2.4
"""How far cytoplasm reaches beyond the nucleus at most."""
MIN_STAINED = 14
"""Gray levels of absorbed light below which nothing is stained, whatever Otsu's threshold says."""
MAX_STAINED = 72
"""Gray levels at which absorbed light is cut off for that threshold: dark nuclei must not push pale cells out."""
MIN_NUCLEAR = 110
"""Gray levels of red + green - blue absorption below which nothing is nuclear: red cells stay under 80."""

Mask = NDArray[np.uint8]


class ClassicalSegmenter:
    """Finds cells by thresholds and distances; a ``Segmenter``. Scores are fixed: it has no confidence."""

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return ModelIdentity("classical-finder", "1", "", "opencv", "Apache-2.0")

    def find(self, field: Field) -> list[Cell]:
        """Return every cell of a field whose scale is known.

        Raises
        ------
        ValueError
            If the scale of the field is not known.
        """
        if field.scale is None:
            raise ValueError(f"{field.id}: finding cells needs the scale of the field")
        factor = field.scale.mpp / WORKING_MPP
        size = (max(round(field.width * factor), 1), max(round(field.height * factor), 1))
        image = np.asarray(cv2.resize(field.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        if background_color(image).max() <= MIN_BACKGROUND:
            return []  # no light passes: a threshold would divide the camera's noise
        absorbed = np.round((1 - transmittance(image)) * 255).astype(np.uint8)
        stained = _otsu(np.minimum(absorbed.max(axis=2), MAX_STAINED), MIN_STAINED)
        nuclear = _otsu(nuclear_stain(absorbed), MIN_NUCLEAR) & stained
        white, platelets = _purple_cells(absorbed, nuclear, stained)
        red = _red_cells(stained, [*white, *platelets])
        outlines = [*white, *red, *platelets]
        kinds = (
            [CellKind.WHITE_CELL] * len(white) + [CellKind.RED_CELL] * len(red) + [CellKind.PLATELET] * len(platelets)
        )
        return cells_from_outlines(field, [o / factor for o in outlines], kinds, [0.5] * len(outlines))


def nuclear_stain(absorbed: Mask) -> Mask:
    """Return how much of the nuclear dye lies where, 0 to 255, smoothed.

    Azure and methylene blue absorb red and green light and let blue pass; hemoglobin and eosin absorb blue and green
    and let red pass: red + green - blue is high in nuclei and low in red cells.

    Parameters
    ----------
    absorbed
        H x W x 3 uint8, absorbed light * 255.
    """
    red, green, blue = np.moveaxis(absorbed.astype(np.int16), 2, 0)
    return np.asarray(cv2.GaussianBlur(np.clip(red + green - blue, 0, 255).astype(np.uint8), (3, 3), 0), np.uint8)


def _otsu(gray: Mask, least: int) -> Mask:
    level, _ = cv2.threshold(gray, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return (gray > max(level, least)).astype(np.uint8)


def _pixels(um2: float) -> float:
    return um2 / WORKING_MPP**2


def _outlines(mask: Mask) -> list[NDArray[np.float32]]:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [c[:, 0, :].astype(np.float32) + np.float32(0.5) for c in contours if len(c) >= 4]


def _disk(radius_um: float) -> Mask:
    radius = max(round(radius_um / WORKING_MPP), 1)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _purple_cells(
    absorbed: Mask, nuclear: Mask, stained: Mask
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Return outlines of white cells and of platelets from what takes red light."""
    # Opened first: the colored fringes of an uncorrected lens are thin.
    solid = cv2.morphologyEx(nuclear, cv2.MORPH_OPEN, _disk(0.4))
    joined = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, _disk(0.8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    areas = stats[:, cv2.CC_STAT_AREA]
    big = [i for i in range(1, count) if areas[i] >= _pixels(NUCLEUS_UM2)]
    seeds = np.isin(labels, big).astype(np.uint8)
    grown = np.asarray(cv2.dilate(seeds, _disk(GROWTH_UM)), np.uint8)
    # Hemoglobin takes blue light far more than red light; cytoplasm takes both alike.
    hemoglobin = absorbed[..., 2].astype(np.int16) - absorbed[..., 0] > 35
    body = np.asarray((grown & stained & ~hemoglobin) | seeds, np.uint8)
    body = np.asarray(cv2.morphologyEx(body, cv2.MORPH_OPEN, _disk(0.6)), np.uint8) | seeds
    smallest, largest = _pixels(NUCLEUS_UM2), _pixels(WHITE_CELL_UM2)
    white = [o for o in _outlines(body) if smallest <= cv2.contourArea(o) <= largest]
    low, high = map(_pixels, PLATELET_UM2)
    small = [i for i in range(1, count) if low <= areas[i] < high and not body[labels == i].any()]
    return white, _outlines(np.isin(labels, small).astype(np.uint8))


def _red_cells(stained: Mask, others: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Return outlines of red cells: what is stained and nothing else, holes filled, split into disks."""
    rest = stained.copy()
    cv2.fillPoly(rest, [np.round(o).astype(np.int32) for o in others], 0)
    contours, _ = cv2.findContours(rest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(rest)
    cv2.drawContours(filled, contours, -1, 1, -1)
    filled = np.asarray(cv2.morphologyEx(filled, cv2.MORPH_OPEN, _disk(0.6)), np.uint8)
    distance = np.asarray(cv2.GaussianBlur(cv2.distanceTransform(filled, cv2.DIST_L2, 5), (0, 0), 2), np.float64)
    peaks = (distance >= cv2.dilate(distance, _disk(1.6))) & (distance > 1.2 / WORKING_MPP)
    count, basins = _nearest_disk(filled, distance, peaks)
    low, high = map(_pixels, RED_CELL_UM2)
    found: list[NDArray[np.float32]] = []
    for label, (x, y, w, h) in _windows(basins, count):
        window = (basins[y : y + h, x : x + w] == label).astype(np.uint8)
        for outline in _outlines(cv2.copyMakeBorder(window, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)):
            if low <= cv2.contourArea(outline) <= high:
                found.append(outline + np.array((x - 1, y - 1), np.float32))
    return found


def _nearest_disk(
    filled: Mask, distance: NDArray[np.float64], peaks: NDArray[np.bool_]
) -> tuple[int, NDArray[np.int32]]:
    """Return the number of cells and H x W labels: each stained pixel goes to the disk it lies deepest in.

    A disk stands on every peak of the distance map, with that distance as its radius; two that overlap are cut along
    the line where both circles cross (the power diagram of the disks). Label 0 is no cell.
    """
    count, marks, _, centers = cv2.connectedComponentsWithStats(peaks.astype(np.uint8))
    basins = np.zeros(filled.shape, np.int32)
    if count < 2:
        return 0, basins
    centers = centers[1:]
    radii = np.zeros(count - 1)
    np.maximum.at(radii, np.asarray(marks, np.intp)[peaks] - 1, distance[peaks])
    ys, xs = np.nonzero(filled)
    near = min(4, count - 1)
    gaps, owners = cKDTree(centers).query(np.stack([xs, ys], axis=1), k=near)
    gaps, owners = gaps.reshape(len(xs), near), owners.reshape(len(xs), near)
    power = gaps**2 - radii[owners] ** 2
    best = np.argmin(power, axis=1)
    rows = np.arange(len(xs))
    reached = gaps[rows, best] <= 1.7 * radii[owners[rows, best]] + 2
    basins[ys, xs] = np.where(reached, owners[rows, best] + 1, 0)
    return count - 1, basins


def _windows(basins: NDArray[np.int32], count: int) -> list[tuple[int, tuple[int, int, int, int]]]:
    """Return each basin's label and box ``x, y, width, height``, without a pass over the image for each."""
    ys, xs = np.nonzero(basins)
    labels = basins[ys, xs]
    low_x, low_y = np.full(count + 1, basins.shape[1]), np.full(count + 1, basins.shape[0])
    high_x, high_y = np.full(count + 1, -1), np.full(count + 1, -1)
    np.minimum.at(low_x, labels, xs)
    np.minimum.at(low_y, labels, ys)
    np.maximum.at(high_x, labels, xs)
    np.maximum.at(high_y, labels, ys)
    return [
        (i, (int(low_x[i]), int(low_y[i]), int(high_x[i] - low_x[i] + 1), int(high_y[i] - low_y[i] + 1)))
        for i in range(1, count + 1)
        if high_x[i] >= 0
    ]
