"""Cells to measures, in um."""

from __future__ import annotations

import math

import cv2
import numpy as np

from hemascope.core.cell import Morphometry, Nucleus
from hemascope.core.geometry import Polygon


def circularity(outline: Polygon) -> float:
    """Return 4 pi A / P^2, clipped to 1; 0 for an outline without length."""
    perimeter = outline.perimeter
    return min(4 * math.pi * outline.area / perimeter**2, 1.0) if perimeter > 0 else 0.0


def eccentricity(outline: Polygon) -> float:
    """Return sqrt(1 - b^2 / a^2) of the ellipse with the outline's second moments; 0 for a disk, below 1."""
    origin = outline.points[:1]
    moments = cv2.moments(np.ascontiguousarray(outline.points - origin)[:, None, :])
    xx, yy, xy = moments["mu20"], moments["mu02"], moments["mu11"]
    spread = math.hypot(xx - yy, 2 * xy)
    major, minor = abs(xx + yy) + spread, abs(xx + yy) - spread
    return math.sqrt(1 - max(minor, 0.0) / major) if major > 0 else 0.0


def measure(outline: Polygon, mpp: float, nucleus: Nucleus | None = None) -> Morphometry:
    """Return the measures of one cell.

    Parameters
    ----------
    outline
        In pixels of the field.
    mpp
        Um per pixel of the field.
    nucleus
        What was found inside, in the same pixels.
    """
    area = outline.area * mpp**2
    nuclear = min(nucleus.area * mpp**2, area) if nucleus else None
    cytoplasm = area - nuclear if nuclear is not None else None
    return Morphometry(
        area_um2=area,
        perimeter_um=outline.perimeter * mpp,
        circularity=circularity(outline),
        eccentricity=eccentricity(outline),
        nucleus_area_um2=nuclear,
        cytoplasm_area_um2=cytoplasm,
        nucleus_to_cell_ratio=nuclear / area if nuclear is not None and area > 0 else None,
        nucleus_to_cytoplasm_ratio=nuclear / cytoplasm if nuclear is not None and cytoplasm else None,
        nucleus_lobes=nucleus.lobes if nucleus else None,
    )
