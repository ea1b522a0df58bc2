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
BLOB = "maxima of G(0.25 um) - G(0.5 um) above 0.015 od"

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
    Descriptor("nucleus_palest_spot", FAMILY, "od", "greatest negative difference, 0.5 um and more inside the nucleus"),
)


def measure(view: CellView) -> dict[str, float]:
    """Return the descriptors of this family by name."""
    green = _blobs(np.ascontiguousarray(view.density[..., 1]), view.mpp)
    red = _blobs(np.ascontiguousarray(view.density[..., 0]), view.mpp)
    cytoplasm = cytoplasm_or_rim(view)
    area = float(cytoplasm.sum()) * view.mpp**2
    nuclear = float(view.nucleus.sum()) * view.mpp**2
    spots = peaks(green) & cytoplasm
    count = float(spots.sum())
    colors = view.density[spots if count else cytoplasm].mean(axis=0)
    total = max(float(colors.sum()), 0.03)
    inner = cv2.erode(view.nucleus.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    clumps = float((peaks(green) & view.nucleus).sum())
    return {
        "granules": count,
        "granule_density": count / area,
        "granule_contrast": float(green[spots].mean()) if count else 0.0,
        "granule_red_share": float(colors[0]) / total,
        "granule_blue_share": float(colors[2]) / total,
        "granule_darkness": float(colors[1]),
        "granule_area_share": float((green[cytoplasm] > MIN_RESPONSE).mean()),
        "granules_purple": float((peaks(red) & cytoplasm).sum()),
        "vacuoles": float((peaks(-green) & cytoplasm).sum()),
        "vacuole_area_share": float((green[cytoplasm] < -MIN_RESPONSE).mean()),
        "chromatin_clumps": clumps,
        "chromatin_clump_density": clumps / nuclear,
        "nucleus_pale_spots": float((peaks(-green) & inner).sum()),
        "nucleus_palest_spot": max(float(-green[inner].min()), 0.0) if inner.any() else 0.0,
    }


def _blobs(values: Map, mpp: float) -> Map:
    narrow = cv2.GaussianBlur(values, (0, 0), max(INNER_UM / mpp, 0.5))
    wide = cv2.GaussianBlur(values, (0, 0), max(OUTER_UM / mpp, 1.0))
    return np.asarray(narrow - wide, np.float32)


def peaks(response: Map) -> Mask:
    """Return the pixels that are greatest among their 8 neighbors and above the least response."""
    greatest = cv2.dilate(response, np.ones((3, 3), np.uint8))
    return np.asarray((response >= greatest) & (response > MIN_RESPONSE), bool)
