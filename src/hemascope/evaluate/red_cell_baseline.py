"""What a dozen numbers of size, shape and color tell of a red cell: the baseline its types must stand beside."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.evaluate.color_baseline import color_features

LEAST_PIXELS = 9
"""A center component of fewer pixels is no cell: then the whole view is described."""


def red_cell_features(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return twelve numbers of the cell in the center of a view of fixed scale.

    They are its area in pixels, the ratio of its minor to its major axis (of the ellipse with its second moments), its
    area over that of its convex hull, and ``color_features`` of its pixels. The cell is what Otsu's threshold of the
    green channel leaves dark around the center, touching cells included.

    Parameters
    ----------
    pixels
        H x W x 3 uint8.
    """
    mask = _center_component(pixels)
    moments = cv2.moments(mask, binaryImage=True)
    spread = np.array([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]]) / moments["m00"]
    minor, major = np.sqrt(np.maximum(np.linalg.eigvalsh(spread), 1e-9))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros_like(mask)
    cv2.fillPoly(hull, [cv2.convexHull(np.concatenate(contours))], 1)
    shape = [moments["m00"], minor / major, moments["m00"] / hull.sum()]
    return np.concatenate([shape, color_features(pixels[mask > 0][:, None])])


def _center_component(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an H x W mask of what is stained in the center, 0 or 1; of everything where there is nothing."""
    green = np.ascontiguousarray(pixels[..., 1])
    _, stained = cv2.threshold(green, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    _, labels = cv2.connectedComponents(stained)
    height, width = labels.shape
    around = labels[height // 2 - 3 : height // 2 + 4, width // 2 - 3 : width // 2 + 4]
    counts = np.bincount(around[around > 0].ravel(), minlength=1)
    mask = (labels == np.argmax(counts)) if counts.any() else np.zeros(labels.shape, np.bool_)
    if mask.sum() < LEAST_PIXELS:
        mask = np.ones(labels.shape, np.bool_)
    return np.asarray(mask, np.uint8)
