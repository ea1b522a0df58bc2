"""The finder's tissue maps to the outline and the nucleus of each white cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.outlines import region_outlines

FINE = 2
"""The maps are enlarged to this many points a pixel of the network's input before they are cut."""

REACH = 1.25
"""How far beyond its star a cell's body may lie, as a factor of the star's size."""

LEAST_AGREEMENT = 0.7
"""Intersection over union of body and star below which the star stands: the maps do not know this cell."""

THREAD = 5.5
"""Pixels of the network's input: what is thinner is no part of a cell but noise of the map or a fiber."""

MIN_LOBE_SHARE = 0.06
"""Parts of a nucleus smaller than this share of its area are granules or dirt, not lobes."""

MIN_NUCLEUS_SHARE = 0.04
"""A nucleus smaller than this share of its cell is none."""

TOLERANCE = 0.25
"""Greatest distance in pixels of the network's input between a region and its outline."""

NUCLEUS, BODY = 0, 1
"""Order of the tissue maps."""


@dataclass(frozen=True, slots=True, eq=False)
class WhiteCellBody:
    """A white cell in pixels of the network's input.

    Attributes
    ----------
    outline
        N x 2 float32.
    nucleus
        Outlines of the parts of the nucleus, the largest first; empty for none.
    """

    outline: NDArray[np.float32]
    nucleus: tuple[NDArray[np.float32], ...]


def outline_body(
    star: NDArray[np.float32], others: Sequence[NDArray[np.float32]], tissue: NDArray[np.uint8], stride: int
) -> WhiteCellBody:
    """Return one white cell as the tissue maps show it, or as its star does where they disagree.

    Parameters
    ----------
    star
        rays x 2, its star-convex outline in pixels of the network's input.
    others
        The stars of the other white cells: what lies in them is theirs.
    tissue
        2 x h x w uint8, probability * 255 of nucleus and white cell for the whole image.
    stride
        Pixels of the network's input for each place of the maps.
    """
    middle = star.mean(axis=0)
    reach = (middle + (star - middle) * REACH).astype(np.float32)
    x0, y0, maps = _window(reach, tissue, stride)
    if maps.shape[1] == 0 or maps.shape[2] == 0:
        return WhiteCellBody(star, ())
    origin = np.array((x0, y0), np.float32)
    own = _painted([star], maps.shape[1:], origin)
    allowed = _painted([reach], maps.shape[1:], origin) & ~(_painted(others, maps.shape[1:], origin) & ~own)
    body = _largest(_smoothed((maps[BODY] > 127) & allowed))
    shared, union = int(np.count_nonzero(body & own)), int(np.count_nonzero(body | own))
    if shared < LEAST_AGREEMENT * max(union, 1):
        body = own
    outline = star if body is own else _outlines(body, origin)[0]
    return WhiteCellBody(outline, _nucleus((maps[NUCLEUS] > 127) & body, int(np.count_nonzero(body)), origin))


def _window(reach: NDArray[np.float32], tissue: NDArray[np.uint8], stride: int) -> tuple[int, int, NDArray[np.uint8]]:
    """Return the left and top of the part of the maps that holds an outline, in pixels of the input, and it, fine."""
    height, width = tissue.shape[1:]
    low = np.clip(np.floor(reach.min(axis=0) / stride).astype(int) - 1, 0, (width, height))
    high = np.clip(np.ceil(reach.max(axis=0) / stride).astype(int) + 1, 0, (width, height))
    part = tissue[:, low[1] : high[1], low[0] : high[0]]
    if part.size == 0:
        return int(low[0]) * stride, int(low[1]) * stride, np.zeros((2, 0, 0), np.uint8)
    size = ((high - low) * stride * FINE).astype(int)
    fine = [cv2.resize(layer, (int(size[0]), int(size[1])), interpolation=cv2.INTER_LINEAR) for layer in part]
    return int(low[0]) * stride, int(low[1]) * stride, np.stack(fine).astype(np.uint8)


def _painted(
    outlines: Sequence[NDArray[np.float32]], shape: tuple[int, ...], origin: NDArray[np.float32]
) -> NDArray[np.bool_]:
    canvas = np.zeros(shape, np.uint8)
    for points in outlines:
        cv2.fillPoly(canvas, [np.round((points - origin) * FINE - 0.5).astype(np.int32)], 1)
    return canvas > 0


def _smoothed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask without threads thinner than ``THREAD``."""
    side = round(THREAD * FINE)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)) > 0


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest region of a mask with its holes filled."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    canvas = np.zeros(mask.shape, np.uint8)
    if contours:
        cv2.drawContours(canvas, [max(contours, key=cv2.contourArea)], -1, 1, -1)
    return canvas > 0


def _outlines(mask: NDArray[np.bool_], origin: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the outlines of a fine mask's regions in pixels of the input, the largest first."""
    found = []
    for points in region_outlines(mask.astype(np.uint8)):
        kept = cv2.approxPolyDP(points[:, None, :], TOLERANCE * FINE, True)[:, 0, :]
        if len(kept) >= 3:
            found.append((float(cv2.contourArea(kept)), (kept / FINE + origin).astype(np.float32)))
    return [points for _, points in sorted(found, key=lambda pair: -pair[0])]


def _nucleus(mask: NDArray[np.bool_], body_area: int, origin: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    area = int(np.count_nonzero(mask))
    if area < MIN_NUCLEUS_SHARE * max(body_area, 1):
        return ()
    parts = _outlines(mask, origin)
    least = MIN_LOBE_SHARE * area / FINE**2
    return tuple(part for part in parts if cv2.contourArea(part) >= least)
