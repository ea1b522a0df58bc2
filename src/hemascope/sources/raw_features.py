"""Features as a file of another tool gives them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class RawFeatures:
    """Features as a file gives them, before they are checked.

    Attributes
    ----------
    tool, encoder, tile_px, tile_um, notes
        As in ``feature_files.FeatureFile``.
    values
        N x D, or 1 x N x D; D for one vector of a whole slide or patient.
    centers
        N x 2 or 1 x N x 2; None where they are not known.
    unit
        Of ``centers``: ``px`` at full resolution, or ``um``.
    level
        ``tile``, ``slide`` or ``patient``, as the file says.
    """

    tool: str
    values: NDArray[np.generic]
    centers: NDArray[np.generic] | None = None
    unit: str = "px"
    level: str = "tile"
    encoder: str = ""
    tile_px: float | None = None
    tile_um: float | None = None
    notes: tuple[str, ...] = ()
