"""What is marked in the parts of a cell, measured: shares of area, light and optical density."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hemascope.core.explanation import RegionChange

LEAST_TRANSMITTANCE = 0.02
"""Below this an optical density is the camera's noise; 1.7."""


def density_change(transmittance: NDArray[np.floating], change: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the change of optical density, the mean over color channels; positive where more light is absorbed.

    Parameters
    ----------
    transmittance
        H x W x 3, 0 to 1.
    change
        Of the transmittance, of the same shape.
    """
    before = np.clip(transmittance, LEAST_TRANSMITTANCE, 1)
    after = np.clip(transmittance + change, LEAST_TRANSMITTANCE, 1)
    return np.asarray(np.log10(before / after).mean(axis=2), np.float32)


def measure_regions(
    regions: Mapping[str, NDArray[np.bool_]],
    marked: NDArray[np.bool_],
    transmittance: NDArray[np.floating],
    change: NDArray[np.floating],
    edit: NDArray[np.floating],
) -> tuple[RegionChange, ...]:
    """Return what is marked in each part; parts without a pixel are left out.

    Parameters
    ----------
    regions
        Name to H x W bool.
    marked
        H x W bool.
    transmittance
        H x W x 3, of the cell as it is.
    change, edit
        H x W x 3, the marked change of it, and that of the edited cell.
    """
    light = change.mean(axis=2)
    density, edited_density = density_change(transmittance, change), density_change(transmittance, edit)
    found = []
    for name, region in regions.items():
        area = int(region.sum())
        if not area:
            continue
        inside = region & marked
        darker, lighter = int((inside & (light < 0)).sum()), int((inside & (light >= 0)).sum())
        means = (float(light[inside].mean()), float(density[inside].mean())) if inside.any() else (0.0, 0.0)
        red, green, blue = (float(value) for value in edit[region].mean(axis=0))
        edited = (red, green, blue), float(edited_density[region].mean())
        found.append(RegionChange(name, area / region.size, darker / area, lighter / area, *means, *edited))
    return tuple(found)
