"""Granules, vacuoles and nucleoli: blobs darker or paler than what surrounds them."""

from __future__ import annotations

import cv2
import numpy as np

from hemascope.embed.descriptors.color import cytoplasm_or_rim
from hemascope.embed.descriptors.descriptor import Descriptor
from hemascope.embed.descriptors.regions import CellView, Map, Mask

FAMILY = "granules"
INNER_UM, OUTER_UM = 0.25, 0.5
MIN_RESPONSE = 0.015
LINDEBERG = "Lindeberg, Int J Comput Vis 1998;30:79 (difference of Gaussians at one scale)"
BLOB = "maxima of G(0.25 um) - G(0.5 um), smoothings within the region, above 0.015 od"

DESCRIPTORS = (
    Descriptor("granules", FAMILY, "count", f"{BLOB}, of green in the cytoplasm", LINDEBERG),
    Descriptor("granule_density", FAMILY, "1/um2", "granules / area of cytoplasm"),
    Descriptor("granule_contrast", FAMILY, "od", "mean of that difference over the granules; 0 without"),
    Descriptor("granule_red_share", FAMILY, "1", "red / (red + green + blue) at the granules; the cytoplasm's without"),
    Descriptor("granule_blue_share", FAMILY, "1", "blue / (red + green + blue) there"),
    Descriptor("granule_darkness", FAMILY, "od", "density of green at the granules; the cytoplasm's without"),
    Descriptor("granule_area_share", FAMILY, "1", "share of cytoplasm where that difference is above 0.015 od"),
    Descriptor("granules_purple", FAMILY, "count", f"{BLOB}, of red in the cytoplasm", LINDEBERG),
    Descriptor(
        "vacuoles", FAMILY, "count", "maxima of the negative difference above 0.015 od in the cytoplasm", LINDEBERG
    ),
    Descriptor("vacuole_area_share", FAMILY, "1", "share of cytoplasm where it is above 0.015 od"),
    Descriptor("chromatin_clumps", FAMILY, "count", f"{BLOB}, of green in the nucleus", LINDEBERG),
    Descriptor("chromatin_clump_density", FAMILY, "1/um2", "chromatin clumps / area of nucleus"),
    Descriptor("nucleus_pale_spots", FAMILY, "count", "maxima of the negative difference in the nucleus", LINDEBERG),
    Descriptor("nucleus_palest_spot", FAMILY, "od", "greatest negative difference in the nucleus"),
)


def measure(view: CellView) -> dict[str, float]:
    """Return the descriptors of this family by name."""
    cytoplasm = cytoplasm_or_rim(view)
    area = float(cytoplasm.sum()) * view.mpp**2
    nuclear = float(view.nucleus.sum()) * view.mpp**2
    red, green = (np.ascontiguousarray(view.density[..., channel]) for channel in (0, 1))
    outer, inner = blobs(green, cytoplasm, view.mpp), blobs(green, view.nucleus, view.mpp)
    spots = peaks(outer, cytoplasm)
    count = float(spots.sum())
    colors = view.density[spots if count else cytoplasm].mean(axis=0)
    total = max(float(colors.sum()), 0.03)
    clumps = float(peaks(inner, view.nucleus).sum())
    return {
        "granules": count,
        "granule_density": count / area,
        "granule_contrast": float(outer[spots].mean()) if count else 0.0,
        "granule_red_share": float(colors[0]) / total,
        "granule_blue_share": float(colors[2]) / total,
        "granule_darkness": float(colors[1]),
        "granule_area_share": float((outer[cytoplasm] > MIN_RESPONSE).mean()),
        "granules_purple": float(peaks(blobs(red, cytoplasm, view.mpp), cytoplasm).sum()),
        "vacuoles": float(peaks(-outer, cytoplasm).sum()),
        "vacuole_area_share": float((outer[cytoplasm] < -MIN_RESPONSE).mean()),
        "chromatin_clumps": clumps,
        "chromatin_clump_density": clumps / nuclear,
        "nucleus_pale_spots": float(peaks(-inner, view.nucleus).sum()),
        "nucleus_palest_spot": max(float(-inner[view.nucleus].min()), 0.0),
    }


def blobs(values: Map, mask: Mask, mpp: float) -> Map:
    """Return the difference of two Gaussian smoothings that see a mask's pixels only; 0 outside it.

    Each is a smoothing of the values divided by one of the mask (Knutsson and Westin, CVPR 1993), so that the edge of a
    region is no blob.
    """
    inside = mask.astype(np.float32)
    narrow, wide = (_within(values * inside, inside, size / mpp) for size in (INNER_UM, OUTER_UM))
    return np.asarray((narrow - wide) * inside, np.float32)


def _within(values: Map, inside: Map, sigma: float) -> Map:
    size = (0, 0)
    sums, weights = cv2.GaussianBlur(values, size, max(sigma, 0.5)), cv2.GaussianBlur(inside, size, max(sigma, 0.5))
    return np.asarray(sums / np.maximum(weights, np.float32(1e-3)), np.float32)


def peaks(response: Map, mask: Mask) -> Mask:
    """Return the pixels of a mask that are greatest among their 8 neighbors and above the least response."""
    greatest = cv2.dilate(response, np.ones((3, 3), np.uint8))
    return np.asarray(mask & (response >= greatest) & (response > MIN_RESPONSE), bool)
