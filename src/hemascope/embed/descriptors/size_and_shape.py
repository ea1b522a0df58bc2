"""Size and shape of the whole cell, and the nucleus's part of it."""

from __future__ import annotations

import math

from hemascope.embed.descriptors.descriptor import Descriptor
from hemascope.embed.descriptors.regions import CellView
from hemascope.embed.descriptors.shapes import (
    circularity,
    contours_of,
    eccentricity,
    ellipse_axes,
    hu_moments,
    hull_of,
    perimeter_of,
    radius_variation,
    rectangularity,
)

FAMILY = "size and shape of the cell"
HU = "Hu, IRE Trans Inf Theory 1962;8:179"

DESCRIPTORS = (
    Descriptor("cell_area", FAMILY, "um2", "pixels of the cell x (um per pixel)^2"),
    Descriptor("cell_perimeter", FAMILY, "um", "length of the smoothed outline"),
    Descriptor("cell_circularity", FAMILY, "1", "4 pi A / P^2, at most 1", "Cox, J Paleontol 1927;1:179"),
    Descriptor("cell_eccentricity", FAMILY, "1", "sqrt(1 - b^2 / a^2) of the ellipse with the same second moments"),
    Descriptor("cell_major_axis", FAMILY, "um", "2 a of that ellipse"),
    Descriptor("cell_minor_axis", FAMILY, "um", "2 b of that ellipse"),
    Descriptor("cell_solidity", FAMILY, "1", "A / area of the convex hull"),
    Descriptor("cell_rectangularity", FAMILY, "1", "A / area of the smallest rectangle around it"),
    Descriptor("cell_radius_variation", FAMILY, "1", "SD / mean of the distances from centroid to outline"),
    Descriptor("cell_hu_1", FAMILY, "1", "first Hu moment of the mask", HU),
    Descriptor("cell_hu_2", FAMILY, "1", "second Hu moment, square root", HU),
    Descriptor("cytoplasm_area", FAMILY, "um2", "cell area - nucleus area"),
    Descriptor("nucleus_to_cell_ratio", FAMILY, "1", "nucleus area / cell area"),
    Descriptor("nucleus_to_cytoplasm_ratio", FAMILY, "1", "nucleus area / cytoplasm area, at most 20"),
    Descriptor("nucleus_offset", FAMILY, "1", "distance of the centroids of nucleus and cell / sqrt(A / pi)"),
    Descriptor(
        "cytoplasm_width", FAMILY, "um", "mean distance of cytoplasm pixels to the nucleus; 0 without cytoplasm"
    ),
    Descriptor("nucleus_found", FAMILY, "1", "1; 0 where no nucleus stood out and a disk stands in for it"),
)

MAX_RATIO = 20.0


def measure(view: CellView) -> dict[str, float]:
    """Return the descriptors of this family by name."""
    mpp = view.mpp
    pixels, nuclear = float(view.cell.sum()), float(view.nucleus.sum())
    contours = contours_of(view.cell)
    perimeter = perimeter_of(contours)
    major, minor, x, y = ellipse_axes(view.cell)
    _, _, nucleus_x, nucleus_y = ellipse_axes(view.nucleus)
    hu = hu_moments(view.cell, 2)
    cytoplasm = view.cytoplasm
    width = float(view.outside[cytoplasm].mean()) if cytoplasm.any() else 0.0
    return {
        "cell_area": pixels * mpp**2,
        "cell_perimeter": perimeter * mpp,
        "cell_circularity": circularity(pixels, perimeter),
        "cell_eccentricity": eccentricity(major, minor),
        "cell_major_axis": major * mpp,
        "cell_minor_axis": minor * mpp,
        "cell_solidity": pixels / max(float(hull_of(contours, view.cell.shape).sum()), pixels),
        "cell_rectangularity": rectangularity(contours, pixels),
        "cell_radius_variation": radius_variation(contours[0], (x, y)),
        "cell_hu_1": hu[0],
        "cell_hu_2": hu[1],
        "cytoplasm_area": (pixels - nuclear) * mpp**2,
        "nucleus_to_cell_ratio": nuclear / pixels,
        "nucleus_to_cytoplasm_ratio": min(nuclear / max(pixels - nuclear, 1.0), MAX_RATIO),
        "nucleus_offset": math.hypot(nucleus_x - x, nucleus_y - y) / math.sqrt(pixels / math.pi),
        "cytoplasm_width": width * mpp,
        "nucleus_found": float(view.found),
    }
