"""Size and shape of the nucleus: lobes, necks, concavities, contour."""

from __future__ import annotations

import math

import cv2
import numpy as np

from hemascope.embed.descriptors.descriptor import Descriptor
from hemascope.embed.descriptors.regions import CellView, Map, Mask, inner_distance
from hemascope.embed.descriptors.shapes import (
    circularity,
    contours_of,
    eccentricity,
    ellipse_axes,
    fourier_magnitudes,
    hu_moments,
    hull_of,
    perimeter_of,
    radius_variation,
    rectangularity,
)

FAMILY = "nucleus"
HU = "Hu, IRE Trans Inf Theory 1962;8:179"
FOURIER = "Granlund, IEEE Trans Comput 1972;C-21:195"
ORDERS = (-1, 2, -2, 3, -3, 4, -4)
WIDTH_SHARES = (0.4, 0.5, 0.6, 0.7, 0.8)
MIN_LOBE_UM2 = 0.25
MIN_CONCAVITY_UM2 = 0.5

DESCRIPTORS = (
    Descriptor("nucleus_area", FAMILY, "um2", "pixels of the nucleus x (um per pixel)^2"),
    Descriptor("nucleus_perimeter", FAMILY, "um", "length of the smoothed outlines of all parts"),
    Descriptor("nucleus_circularity", FAMILY, "1", "4 pi A / P^2, at most 1", "Cox, J Paleontol 1927;1:179"),
    Descriptor("nucleus_eccentricity", FAMILY, "1", "sqrt(1 - b^2 / a^2) of the ellipse with the same second moments"),
    Descriptor("nucleus_major_axis", FAMILY, "um", "2 a of that ellipse"),
    Descriptor("nucleus_minor_axis", FAMILY, "um", "2 b of that ellipse"),
    Descriptor("nucleus_solidity", FAMILY, "1", "A / area of the convex hull of all parts"),
    Descriptor("nucleus_rectangularity", FAMILY, "1", "A / area of the smallest rectangle around it"),
    Descriptor("nucleus_radius_variation", FAMILY, "1", "SD / mean of the distances from centroid to longest outline"),
    Descriptor("nucleus_parts", FAMILY, "count", "separate parts, at most 8"),
    Descriptor(
        "nucleus_lobes",
        FAMILY,
        "count",
        "most parts of {d > f max d} over f = 0.4 ... 0.8, d the distance to the edge; parts of 0.25 um2 and more",
    ),
    Descriptor("nucleus_largest_part", FAMILY, "1", "area of the largest part / A"),
    Descriptor("nucleus_neck", FAMILY, "1", "smallest f at which {d > f max d} falls apart further, 1 if it does not"),
    Descriptor("nucleus_inscribed_radius", FAMILY, "um", "max d"),
    Descriptor("nucleus_roundness", FAMILY, "1", "max d / sqrt(A / pi): 1 for a disk"),
    Descriptor("nucleus_thickness", FAMILY, "um", "4 mean d: the width of a long strip"),
    Descriptor("nucleus_length_over_width", FAMILY, "1", "A / (4 mean d)^2"),
    Descriptor("nucleus_concavities", FAMILY, "count", "parts of 0.5 um2 and more of the hull without the nucleus"),
    Descriptor("nucleus_largest_concavity", FAMILY, "1", "area of the largest of them / A"),
    Descriptor("nucleus_deepest_concavity", FAMILY, "um", "greatest distance from the hull's edge to a pixel of them"),
    Descriptor("nucleus_center_filled", FAMILY, "1", "share of nucleus in a disk of 0.3 sqrt(A / pi) on its centroid"),
    Descriptor("nucleus_hu_1", FAMILY, "1", "first Hu moment of the mask", HU),
    Descriptor("nucleus_hu_2", FAMILY, "1", "second Hu moment, square root", HU),
    Descriptor("nucleus_hu_3", FAMILY, "1", "third Hu moment, cube root", HU),
    Descriptor("nucleus_hu_4", FAMILY, "1", "fourth Hu moment, cube root", HU),
    *(
        Descriptor(f"nucleus_fourier_{k:+d}", FAMILY, "1", f"|c({k:+d})| / |c(+1)| of the longest outline", FOURIER)
        for k in ORDERS
    ),
)


def measure(view: CellView) -> dict[str, float]:
    """Return the descriptors of this family by name."""
    mpp, window = view.mpp, _bounds(view.nucleus)
    mask, depth = view.nucleus[window], view.depth[window]
    pixels = float(mask.sum())
    contours = contours_of(mask)
    perimeter = perimeter_of(contours)
    major, minor, x, y = ellipse_axes(mask)
    hull = hull_of(contours, mask.shape)
    radius = math.sqrt(pixels / math.pi)
    values = {
        "nucleus_area": pixels * mpp**2,
        "nucleus_perimeter": perimeter * mpp,
        "nucleus_circularity": circularity(pixels, perimeter),
        "nucleus_eccentricity": eccentricity(major, minor),
        "nucleus_major_axis": major * mpp,
        "nucleus_minor_axis": minor * mpp,
        "nucleus_solidity": pixels / max(float(hull.sum()), pixels),
        "nucleus_rectangularity": rectangularity(contours, pixels),
        "nucleus_radius_variation": radius_variation(contours[0], (x, y)),
        "nucleus_center_filled": _filling(mask, (x, y), 0.3 * radius),
    }
    values |= _lobes(mask, depth, radius, mpp) | _concavities(mask, hull, mpp)
    values |= {f"nucleus_hu_{k + 1}": value for k, value in enumerate(hu_moments(mask, 4))}
    magnitudes = fourier_magnitudes(contours[0], ORDERS)
    return values | {f"nucleus_fourier_{k:+d}": value for k, value in zip(ORDERS, magnitudes, strict=True)}


def _bounds(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _lobes(mask: Mask, depth: Map, radius: float, mpp: float) -> dict[str, float]:
    deepest = float(depth.max())
    sizes = _part_sizes(mask)
    whole = _count(mask, mpp)
    counts = [_count(depth > share * deepest, mpp) for share in WIDTH_SHARES]
    apart = [share for share, count in zip(WIDTH_SHARES, counts, strict=True) if count > whole]
    mean = float(depth[mask].mean()) - 0.5
    thickness = 4 * max(mean, 0.25)
    return {
        "nucleus_parts": min(float(whole), 8.0),
        "nucleus_lobes": min(float(max(whole, *counts)), 8.0),
        "nucleus_largest_part": float(sizes.max()) / float(mask.sum()),
        "nucleus_neck": apart[0] if apart else 1.0,
        "nucleus_inscribed_radius": (deepest - 0.5) * mpp,
        "nucleus_roundness": (deepest - 0.5) / radius,
        "nucleus_thickness": thickness * mpp,
        "nucleus_length_over_width": float(mask.sum()) / thickness**2,
    }


def _concavities(mask: Mask, hull: Mask, mpp: float) -> dict[str, float]:
    outside = hull & ~mask
    sizes = _part_sizes(outside)
    depth = inner_distance(hull | mask)
    # The hull's chord and the pixel stairs of a straight edge differ by about a pixel.
    return {
        "nucleus_concavities": min(float((sizes * mpp**2 >= MIN_CONCAVITY_UM2).sum()), 8.0),
        "nucleus_largest_concavity": float(sizes.max()) / float(mask.sum()) if sizes.size else 0.0,
        "nucleus_deepest_concavity": float(depth[outside].max()) * mpp if outside.any() else 0.0,
    }


def _part_sizes(mask: Mask) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return np.asarray(stats[1:, cv2.CC_STAT_AREA], np.int64)


def _count(mask: Mask, mpp: float) -> int:
    sizes = _part_sizes(mask)
    return max(int((sizes * mpp**2 >= MIN_LOBE_UM2).sum()), 1)


def _filling(mask: Mask, center: tuple[float, float], radius: float) -> float:
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    disk = (x - center[0]) ** 2 + (y - center[1]) ** 2 <= max(radius, 1.0) ** 2
    return float(mask[disk].mean())
