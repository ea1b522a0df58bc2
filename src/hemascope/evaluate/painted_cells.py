"""Single cells painted black outside: what their size, color and outline alone tell."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BLACK = 15
"""Brightest gray level that counts as painted: compression leaves a little light beyond the outline."""

_OPENING = 11
"""Pixels across; thinner pieces are remains of neighbors and debris, not the cell."""

OUTLINE_FEATURES = ("log_area", "circularity", "solidity", "axis_ratio")


def area_and_color(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the number of pixels that are not black, and their mean red, green and blue: four numbers, no shape.

    Parameters
    ----------
    pixels
        H x W x 3 uint8.

    Raises
    ------
    ValueError
        If all is black.
    """
    inside = pixels.max(axis=2) > BLACK
    if not inside.any():
        raise ValueError("the image is black throughout: it holds no cell")
    return np.array([inside.sum(), *pixels[inside].mean(axis=0)], np.float64)


def cell_mask(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the largest piece that is not black, without thin remains and without holes; H x W."""
    inside = (pixels.max(axis=2) > BLACK).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_OPENING, _OPENING))
    opened = cv2.morphologyEx(inside, cv2.MORPH_OPEN, kernel)
    contours, _ = cv2.findContours(opened if opened.any() else inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(inside)
    if contours:
        cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return np.asarray(filled, np.bool_)


def outline_features(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return ``OUTLINE_FEATURES`` of a mask of one piece.

    These are ln of the area in pixels; 4 pi A / P^2, clipped to 1; area over that of the convex hull; minor over major
    axis of the ellipse with the same second moments.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        raise ValueError("the mask is empty: there is no outline")
    outline = max(contours, key=cv2.contourArea)
    area, perimeter = float(mask.sum()), max(cv2.arcLength(outline, closed=True), 1.0)
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(outline), 1)
    ys, xs = np.nonzero(mask)
    moments = np.cov(np.stack([xs, ys])) if len(xs) > 1 else np.zeros((2, 2))
    least, greatest = np.linalg.eigvalsh(moments + np.eye(2) / 12)  # a pixel is a square, not a point
    return np.array(
        [np.log(area), min(4 * np.pi * area / perimeter**2, 1.0), area / hull.sum(), np.sqrt(least / greatest)]
    )


def on_white(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the cell on white, as on a slide without neighbors: for encoders that expect a bright background."""
    return np.where(mask[..., None], pixels, np.uint8(255))
