"""Views of a field of taleqani_all: scale bar masked, stain normalized, cells alone, or everything but the cells."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.optics import background_color, transmittance
from hemascope.data.taleqani import SCALE_BAR_PX

View = Literal["whole", "hsv", "background"]
"""``whole`` field, ``hsv``: what the color threshold keeps, ``background``: the cells of dark nuclei painted out."""

VIEWS: tuple[View, ...] = ("whole", "hsv", "background")

HSV_HUE = (110, 172)
"""Hues kept, in OpenCV's units of 2 degrees: violet to magenta."""

HSV_SATURATION = 55
"""Least saturation kept, of 255."""

DARK_GROWTH_PX = 7
"""Pixels by which a nucleus is grown before it is painted out, so that no rim tells its size."""


def mask_scale_bar(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy with the scale bar under the field's background color.

    Parameters
    ----------
    pixels
        H x W x 3 uint8 at the set's own size.
    """
    masked = pixels.copy()
    width, height = SCALE_BAR_PX
    masked[-height:, -width:] = background_color(pixels).astype(np.uint8)
    return masked


def keep_by_hsv(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what a color threshold in HSV keeps, the rest black, as published segmentations of the set do it."""
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    low, high = (HSV_HUE[0], HSV_SATURATION, 0), (HSV_HUE[1], 255, 255)
    mask = cv2.inRange(hsv, np.array(low, np.uint8), np.array(high, np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.bitwise_and(pixels, pixels, mask=mask), np.uint8)


def nucleated_mask(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where violet dye is: green light taken beyond blue light, split by Otsu's threshold.

    Azure and eosin together take green; gray-blue red cells of this set take both alike.
    """
    density = -np.log(np.maximum(transmittance(pixels), np.float32(1 / 255)))
    violet = cv2.GaussianBlur(np.clip(density[..., 1] - density[..., 2], 0, 1), (0, 0), 0.7)
    levels = (violet * 255).astype(np.uint8)
    level, _ = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    mask = cv2.morphologyEx((levels > level).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(mask, np.bool_)


def paint_out_cells(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the field with its nucleated cells under its background color: what is left tells nothing of blasts."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * DARK_GROWTH_PX + 1,) * 2)
    grown = cv2.dilate(nucleated_mask(pixels).astype(np.uint8), kernel) > 0
    painted = pixels.copy()
    painted[grown] = background_color(pixels).astype(np.uint8)
    return painted


def view_of(pixels: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    """Return a view of a field, its scale bar masked; H x W x 3 uint8 in and out."""
    masked = mask_scale_bar(pixels)
    if view == "hsv":
        return keep_by_hsv(masked)
    return paint_out_cells(masked) if view == "background" else masked
