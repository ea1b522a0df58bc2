"""Profiles of absorbed light: along the distance to the nucleus's edge, and in disks about its centroid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemascope.embed.descriptors.descriptor import Descriptor
from hemascope.embed.descriptors.regions import CellView
from hemascope.embed.descriptors.shapes import ellipse_axes

FAMILY = "profile"
CHANNELS = ("red", "green", "blue")
BANDS_UM = ((-9.0, -1.0), (-1.0, 0.0), (0.0, 0.75), (0.75, 1.75), (1.75, 3.0))
RINGS_UM = ((0.0, 1.5), (1.5, 3.0), (3.0, 4.5), (4.5, 6.0))


def _band_name(band: tuple[float, float]) -> str:
    return "inner" if band[0] < -1 else "edge" if band[0] < 0 else f"outside_{band[1]:g}um"


DESCRIPTORS = (
    *(
        Descriptor(
            f"band_{_band_name(band)}_{channel}",
            FAMILY,
            "od",
            f"mean density of {channel} from {max(band[0], -9):g} to {band[1]:g} um from the nucleus's edge "
            "(negative: inside), cell or not",
        )
        for band in BANDS_UM
        for channel in CHANNELS
    ),
    *(
        Descriptor(
            f"ring_{ring[1]:g}um_{channel}",
            FAMILY,
            "od",
            f"mean density of {channel} from {ring[0]:g} to {ring[1]:g} um from the nucleus's centroid, cell or not",
        )
        for ring in RINGS_UM
        for channel in CHANNELS
    ),
    *(
        Descriptor(f"ring_{ring[1]:g}um_nucleus", FAMILY, "1", f"share of nucleus from {ring[0]:g} to {ring[1]:g} um")
        for ring in RINGS_UM
    ),
)


def measure(view: CellView) -> dict[str, float]:
    """Return the descriptors of this family by name."""
    edge = (view.outside - view.depth) * view.mpp
    _, _, x, y = ellipse_axes(view.nucleus)
    rows, columns = np.ogrid[: edge.shape[0], : edge.shape[1]]
    away = np.hypot(columns - x, rows - y) * view.mpp
    values: dict[str, float] = {}
    # A band holds its upper limit, a ring its lower one.
    by_band = np.searchsorted([band[0] for band in BANDS_UM] + [BANDS_UM[-1][1]], edge.ravel(), side="left") - 1
    by_ring = np.searchsorted([ring[0] for ring in RINGS_UM] + [RINGS_UM[-1][1]], away.ravel(), side="right") - 1
    for band, mean in zip(BANDS_UM, _means(view, by_band, len(BANDS_UM)), strict=True):
        values |= {f"band_{_band_name(band)}_{c}": float(m) for c, m in zip(CHANNELS, mean, strict=False)}
    for ring, mean in zip(RINGS_UM, _means(view, by_ring, len(RINGS_UM)), strict=True):
        values |= {f"ring_{ring[1]:g}um_{c}": float(m) for c, m in zip(CHANNELS, mean, strict=False)}
        values[f"ring_{ring[1]:g}um_nucleus"] = float(mean[3])
    return values


def _means(view: CellView, parts: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Return count x 4 means over parts: density of red, green, blue, and share of nucleus.

    A part without pixels has the nucleus's densities and no nucleus.
    """
    used = (parts >= 0) & (parts < count)
    kept = parts[used]
    pixels = np.bincount(kept, minlength=count)
    columns = [view.density[..., channel].ravel()[used] for channel in range(3)] + [view.nucleus.ravel()[used]]
    sums = np.stack([np.bincount(kept, weights=column, minlength=count) for column in columns], axis=1)
    instead = np.append(view.density[view.nucleus].mean(axis=0), 0.0)
    return np.where(pixels[:, None] > 0, sums / np.maximum(pixels, 1)[:, None], instead)
