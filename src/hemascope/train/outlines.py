"""Labels to outlines: from boxes, masks and points, with what the stained area adds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.star_decode import unit_rays
from hemascope.core.errors import DataSetError
from hemascope.core.geometry import Box
from hemascope.core.taxonomy import CellKind

MASK_LEVEL = 100
"""Gray level in the masks of bccd above which a pixel is cytoplasm (128 or 155) or nucleus (255)."""

LEAST_SHARE = {CellKind.WHITE_CELL: 0.75, CellKind.RED_CELL: 0.88, CellKind.PLATELET: 0.92}
"""How far inside the ellipse of its box an outline may lie: labels leave a margin around what is stained, and the
smaller the object, the more of it is blur."""

CUT_SHARE = 1.45
"""A cell that the border cuts fills its box further than an ellipse, up to the corners."""

PLAUSIBLE_AREA = (0.4, 2.0)
"""Areas of a red cell, in units of the median of the field's single ones."""


def read_gray(path: Path) -> NDArray[np.uint8]:
    """Return a mask image H x W.

    Raises
    ------
    DataSetError
        If the file is missing or no image.
    """
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise DataSetError(f"{path}: missing or not an image; restore this file of the data set")
    return np.asarray(mask, np.uint8)


def outline_from_box(
    box: Box, stained: NDArray[np.bool_], kind: CellKind = CellKind.WHITE_CELL, points: int = 48
) -> NDArray[np.float32]:
    """Return an outline for an object of which only the box is known.

    The ellipse inscribed in the box, with every ray moved to where the stained area ends if that is within
    ``LEAST_SHARE`` of the kind to 1.1 of the ellipse: ovals that lie across their box get their shape, cells in
    contact keep the ellipse. A cell that the border cuts fills its box further, up to the corners.

    Parameters
    ----------
    box
        Pixels of ``stained``.
    stained
        H x W foreground.
    kind
        What lies in the box.
    """
    center = np.array(box.center)
    rays = unit_rays(points)
    half = np.array([max(box.width / 2, 0.5), max(box.height / 2, 0.5)])
    ellipse = 1 / np.sqrt((rays[:, 0] / half[0]) ** 2 + (rays[:, 1] / half[1]) ** 2)
    height, width = stained.shape
    is_cut = box.x0 < 2 or box.y0 < 2 or box.x1 > width - 2 or box.y1 > height - 2
    shares = np.linspace(LEAST_SHARE[kind], CUT_SHARE, 29) if is_cut else np.linspace(LEAST_SHARE[kind], 1.1, 15)
    sample = center + rays[:, None] * (ellipse[:, None] * shares)[..., None]
    xs = np.clip(sample[..., 0].astype(int), 0, width - 1)
    ys = np.clip(sample[..., 1].astype(int), 0, height - 1)
    outside = ~stained[ys, xs]
    share = np.where(outside.any(axis=1), shares[np.argmax(outside, axis=1)], shares[-1] if is_cut else 1.0)
    smooth = np.convolve(np.concatenate([share[-2:], share, share[:2]]), np.ones(5) / 5, mode="valid")
    outline = center + rays * (ellipse * smooth)[:, None]
    return np.asarray(np.clip(outline, (box.x0, box.y0), (box.x1, box.y1)), np.float32)


def outlines_from_mask(mask: NDArray[np.uint8], factor: float) -> list[NDArray[np.float32]]:
    """Return the outlines in a mask image, scaled by ``factor``."""
    contours, _ = cv2.findContours((mask > MASK_LEVEL).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [((c[:, 0, :] + 0.5) * factor).astype(np.float32)[:: max(len(c) // 64, 1)] for c in contours if len(c) > 20]


def outlines_from_points(
    points: Sequence[tuple[float, float]], stained: NDArray[np.bool_]
) -> list[tuple[NDArray[np.float32], bool]]:
    """Return an outline for every labeled red cell of which only a point is known, and whether it is more than a guess.

    A stained region that holds one point, off the border and of plausible area, is that cell: its contour is exact.
    Every other point gets a disk of the median size, which tells where the center is and nothing else.

    Parameters
    ----------
    points
        ``(x, y)`` in pixels of ``stained``.
    stained
        H x W foreground; central pallors are filled here.
    """
    labels, contours = _regions(stained)
    height, width = stained.shape
    owners = [int(labels[min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)]) for x, y in points]
    single = {o: _contour_area(contours[o]) for o in owners if o and owners.count(o) == 1 and contours[o] is not None}
    median = float(np.median(list(single.values()))) if single else 0.0
    radius = np.sqrt(median / np.pi) if median else 18.0
    found: list[tuple[NDArray[np.float32], bool]] = []
    for point, owner in zip(points, owners, strict=True):
        contour = contours[owner] if owner in single else None
        plausible = PLAUSIBLE_AREA[0] * median < single.get(owner, 0.0) < PLAUSIBLE_AREA[1] * median
        if contour is not None and plausible:
            found.append((contour, True))
        else:
            found.append(((np.array(point) + unit_rays(24) * radius).astype(np.float32), False))
    return found


def _contour_area(contour: NDArray[np.float32] | None) -> float:
    return 0.0 if contour is None else float(cv2.contourArea(contour))


def _regions(stained: NDArray[np.bool_]) -> tuple[NDArray[np.int32], list[NDArray[np.float32] | None]]:
    """Return the labels of the filled stained regions, and the contour of each; None where the border cuts it."""
    opened = cv2.morphologyEx(stained.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outer, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    labels = np.zeros(stained.shape, np.int32)
    contours: list[NDArray[np.float32] | None] = [None]
    height, width = stained.shape
    for number, contour in enumerate(outer, 1):
        cv2.drawContours(labels, [contour], -1, number, -1)
        x, y, w, h = cv2.boundingRect(contour)
        is_cut = x < 2 or y < 2 or x + w > width - 2 or y + h > height - 2
        contours.append(None if is_cut or len(contour) < 12 else (contour[:, 0, :] + 0.5).astype(np.float32))
    return labels, contours
