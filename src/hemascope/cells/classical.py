"""The classical finder: thresholds on absorbed light and a watershed; needs no weights.

It is the baseline in every table and the fallback where no weights are installed. Steps: Otsu's threshold on total
absorption gives everything stained; the red channel's absorption gives nuclei and platelets (see ``cells.nucleus``);
large nuclei grow into white cells over what is not red cell; the rest is split at the necks of its distance map.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.outlines import cells_from_outlines
from hemascope.core.cell import Cell
from hemascope.core.optics import transmittance
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind

WORKING_MPP = 0.2
NUCLEUS_UM2 = 14.0
"""Least area of a nucleus: one of 4.2 um diameter, smaller than a small lymphocyte's."""
PLATELET_UM2 = (1.2, 14.0)
"""A platelet of 1.2 um to a giant one; between the two limits purple things are platelets."""
RED_CELL_UM2 = (8.0, 120.0)
"""A cut red cell to two that no neck divides."""
GROWTH_UM = 2.4
"""How far cytoplasm reaches beyond the nucleus at most."""
MIN_RED_ABSORPTION = 28
"""Gray levels of red light absorbed below which nothing is nuclear, whatever Otsu's threshold says."""

Mask = NDArray[np.uint8]


class ClassicalSegmenter:
    """Finds cells by thresholds and a watershed; a ``Segmenter``. Scores are fixed: it has no confidence."""

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
        absorbed = np.round((1 - transmittance(image)) * 255).astype(np.uint8)
        stained = _otsu(absorbed.max(axis=2), least=12)
        smooth = np.asarray(cv2.GaussianBlur(absorbed[..., 0], (3, 3), 0), np.uint8)
        nuclear = _otsu(smooth, least=MIN_RED_ABSORPTION) & stained
        white, platelets = _purple_cells(absorbed, nuclear, stained)
        red = _red_cells(stained, [*white, *platelets])
        outlines = [*white, *red, *platelets]
        kinds = (
            [CellKind.WHITE_CELL] * len(white) + [CellKind.RED_CELL] * len(red) + [CellKind.PLATELET] * len(platelets)
        )
        return cells_from_outlines(field, [o / factor for o in outlines], kinds, [0.5] * len(outlines))


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
    joined = cv2.morphologyEx(nuclear, cv2.MORPH_CLOSE, _disk(0.8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    areas = stats[:, cv2.CC_STAT_AREA]
    big = [i for i in range(1, count) if areas[i] >= _pixels(NUCLEUS_UM2)]
    seeds = np.isin(labels, big).astype(np.uint8)
    grown = np.asarray(cv2.dilate(seeds, _disk(GROWTH_UM)), np.uint8)
    # Hemoglobin takes blue light far more than red light; cytoplasm takes both alike.
    hemoglobin = absorbed[..., 2].astype(np.int16) - absorbed[..., 0] > 35
    body = np.asarray((grown & stained & ~hemoglobin) | seeds, np.uint8)
    body = np.asarray(cv2.morphologyEx(body, cv2.MORPH_OPEN, _disk(0.6)), np.uint8) | seeds
    white = [o for o in _outlines(body) if cv2.contourArea(o) >= _pixels(NUCLEUS_UM2)]
    low, high = map(_pixels, PLATELET_UM2)
    small = [i for i in range(1, count) if low <= areas[i] < high and not body[labels == i].any()]
    return white, _outlines(np.isin(labels, small).astype(np.uint8))


def _red_cells(stained: Mask, others: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Return outlines of red cells: what is stained and nothing else, holes filled, split at necks."""
    rest = stained.copy()
    cv2.fillPoly(rest, [np.round(o).astype(np.int32) for o in others], 0)
    contours, _ = cv2.findContours(rest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(rest)
    cv2.drawContours(filled, contours, -1, 1, -1)
    filled = np.asarray(cv2.morphologyEx(filled, cv2.MORPH_OPEN, _disk(0.6)), np.uint8)
    distance = cv2.GaussianBlur(cv2.distanceTransform(filled, cv2.DIST_L2, 5), (0, 0), 2)
    peaks = (distance >= cv2.dilate(distance, _disk(2.0))) & (distance > 1.2 / WORKING_MPP)
    count, markers = cv2.connectedComponents(peaks.astype(np.uint8))
    markers = markers + 1
    markers[(filled == 1) & (markers == 1)] = 0
    relief = np.clip(255 - distance * 4, 0, 255).astype(np.uint8)
    basins = np.asarray(cv2.watershed(cv2.merge([relief] * 3), markers.astype(np.int32)), np.int32)
    low, high = map(_pixels, RED_CELL_UM2)
    found: list[NDArray[np.float32]] = []
    for label, (x, y, w, h) in _windows(basins, count):
        window = (basins[y : y + h, x : x + w] == label).astype(np.uint8)
        for outline in _outlines(cv2.copyMakeBorder(window, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)):
            if low <= cv2.contourArea(outline) <= high:
                found.append(outline + np.array((x - 1, y - 1), np.float32))
    return found


def _windows(basins: NDArray[np.int32], count: int) -> list[tuple[int, tuple[int, int, int, int]]]:
    """Return each basin's label and box ``x, y, width, height``, without a pass over the image for each."""
    ys, xs = np.nonzero(basins > 1)
    labels = basins[ys, xs]
    low_x, low_y = np.full(count + 2, basins.shape[1]), np.full(count + 2, basins.shape[0])
    high_x, high_y = np.full(count + 2, -1), np.full(count + 2, -1)
    np.minimum.at(low_x, labels, xs)
    np.minimum.at(low_y, labels, ys)
    np.maximum.at(high_x, labels, xs)
    np.maximum.at(high_y, labels, ys)
    return [
        (i, (int(low_x[i]), int(low_y[i]), int(high_x[i] - low_x[i] + 1), int(high_y[i] - low_y[i] + 1)))
        for i in range(2, count + 2)
        if high_x[i] >= 0
    ]
