"""Labels to maps of nucleus and whole white cell, each with where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.nucleus import find_nucleus
from hemascope.core.geometry import Box, Polygon
from hemascope.train.outlines import MASK_LEVEL

NUCLEUS_LEVEL = 200
"""Gray level in the masks of bccd above which a pixel is nucleus."""

UNSURE = 0.14
"""Share of an outline's diameter: this close to an outline taught from a box nobody knows what is cell."""

LEAST_COVERED = 0.3
"""Share of a white cell's box that a mask must cover for the mask to speak of that cell."""

CLEAR = np.full(3, 255, np.float32)
"""Light of an image that is normalized already."""


@dataclass(frozen=True, slots=True, eq=False)
class TissueMap:
    """Where nuclei and white cells lie.

    Attributes
    ----------
    values
        2 x H x W uint8: 1 in nuclei, and in white cells.
    known
        2 x H x W uint8: 1 where the labels tell.
    """

    values: NDArray[np.uint8]
    known: NDArray[np.uint8]

    @classmethod
    def empty(cls, shape: tuple[int, int], unknown: NDArray[np.bool_]) -> Self:
        """Return a map of a field without white cells, known but where ``unknown`` says."""
        known = np.repeat((~unknown).astype(np.uint8)[None], 2, axis=0)
        return cls(np.zeros((2, *shape), np.uint8), known)


def tissue_from_mask(
    mask: NDArray[np.uint8], boxes: Sequence[Box], shape: tuple[int, int], unknown: NDArray[np.bool_]
) -> TissueMap:
    """Return the map of a field with a mask image.

    Parameters
    ----------
    mask
        Gray levels: 0 other, about half cytoplasm, 255 nucleus; any size.
    boxes
        The labeled white cells in pixels of the map; one that the mask leaves out is unknown.
    shape
        Height and width of the map.
    unknown
        H x W: where an unlabeled white cell may lie.
    """
    found = TissueMap.empty(shape, unknown)
    for index, level in enumerate((NUCLEUS_LEVEL, MASK_LEVEL)):
        share = cv2.resize((mask > level).astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
        found.values[index] = np.asarray(share) > 0.5
    for box in boxes:
        window = _window(box, shape)
        if found.values[1][window].mean() < LEAST_COVERED:
            found.known[(slice(None), *window)] = 0
    found.known[:, found.values[1] > 0] = 1
    return found


def tissue_from_outlines(
    outlines: Sequence[NDArray[np.float32]], image: NDArray[np.uint8], unknown: NDArray[np.bool_], *, nuclei: bool
) -> TissueMap:
    """Return the map of a field with boxes: cells from their outlines, nuclei from the classical threshold in them.

    Parameters
    ----------
    outlines
        The labeled white cells in pixels of the image, taught from boxes.
    image
        H x W x 3 uint8, transmittance * 255.
    unknown
        H x W: where an unlabeled white cell may lie.
    nuclei
        Whether the optics are good enough for the threshold; else nuclei are unknown inside cells.
    """
    shape = image.shape[:2]
    found = TissueMap.empty((shape[0], shape[1]), unknown)
    for points in outlines:
        inner, outer = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        middle = (points.max(axis=0) + points.min(axis=0)) / 2
        for canvas, share in ((inner, 1 - UNSURE), (outer, 1 + UNSURE)):
            cv2.fillPoly(canvas, [np.round(middle + (points - middle) * share).astype(np.int32)], 1)
        found.known[1][(outer > 0) & (inner == 0) & (found.values[1] == 0)] = 0
        found.known[1][inner > 0] = 1
        found.values[1][inner > 0] = 1
        nucleus = find_nucleus(image, Polygon(points), CLEAR) if nuclei else None
        found.known[0][outer > 0] = nucleus is not None
        for part in nucleus.parts if nucleus else ():
            cv2.fillPoly(found.values[0], [np.round(part.points - 0.5).astype(np.int32)], 1)
    return found


def _window(box: Box, shape: tuple[int, int]) -> tuple[slice, slice]:
    y0, x0 = max(int(box.y0), 0), max(int(box.x0), 0)
    return slice(y0, max(min(round(box.y1), shape[0]), y0 + 1)), slice(x0, max(min(round(box.x1), shape[1]), x0 + 1))
