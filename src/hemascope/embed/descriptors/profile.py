"""Profiles of absorbed light: along the distance to the nucleus's edge, and in disks about its centroid."""

from __future__ import annotations

import numpy as np

from hemascope.embed.descriptors.descriptor import Descriptor
from hemascope.embed.descriptors.nucleus import inner_distance
from hemascope.embed.descriptors.regions import CellView, distance_to
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
    edge = (distance_to(view.nucleus) - inner_distance(view.nucleus)) * view.mpp
    _, _, x, y = ellipse_axes(view.nucleus)
    rows, columns = np.ogrid[: edge.shape[0], : edge.shape[1]]
    away = np.hypot(columns - x, rows - y) * view.mpp
    values: dict[str, float] = {}
    fallback = view.density[view.nucleus].mean(axis=0)
    for band in BANDS_UM:
        inside = (edge > band[0]) & (edge <= band[1])
        mean = view.density[inside].mean(axis=0) if inside.any() else fallback
        values |= {f"band_{_band_name(band)}_{c}": float(m) for c, m in zip(CHANNELS, mean, strict=True)}
    for ring in RINGS_UM:
        inside = (away >= ring[0]) & (away < ring[1])
        mean = view.density[inside].mean(axis=0) if inside.any() else fallback
        values |= {f"ring_{ring[1]:g}um_{c}": float(m) for c, m in zip(CHANNELS, mean, strict=True)}
        values[f"ring_{ring[1]:g}um_nucleus"] = float(view.nucleus[inside].mean()) if inside.any() else 0.0
    return values
