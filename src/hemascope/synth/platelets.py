"""Platelets: small, granular, violet; single, in clumps, large and giant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.synth.outline import RadialOutline, wavy_outline
from hemascope.synth.patch import Patch
from hemascope.synth.red_cells import soft_edge
from hemascope.synth.style import SmearStyle
from hemascope.synth.texture import grains, patch_noise

DIAMETERS_UM = (1.6, 3.8)
LARGE_DIAMETERS_UM = (4.5, 7.5)
GIANT_DIAMETERS_UM = (7.5, 9.5)
"""A giant platelet has the size of a red cell, or is larger."""


@dataclass(frozen=True, slots=True, eq=False)
class Platelet:
    """One platelet, before it has a place.

    Attributes
    ----------
    outline
        Around its center.
    seed
        Decides its granules.
    """

    outline: RadialOutline
    seed: int


def draw_platelet(rng: np.random.Generator, *, giant: bool = False) -> Platelet:
    """Return a platelet; three in a hundred are large, and giant ones come when asked for."""
    low, high = LARGE_DIAMETERS_UM if rng.random() < 0.03 else DIAMETERS_UM
    if giant:
        low, high = GIANT_DIAMETERS_UM
    waves = {2: 0.05, 3: 0.05, 4: 0.04, 5: 0.03, 7: 0.03}
    elongation = 1 + abs(rng.normal(0, 0.2))
    outline = wavy_outline(rng, rng.uniform(low, high) / 2, waves=waves, elongation=min(elongation, 1.8))
    return Platelet(outline, int(rng.integers(2**63)))


def paint_platelet(cell: Platelet, patch: Patch, style: SmearStyle) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what a platelet absorbs (H x W x 3 float32 density) and where it lies (H x W bool), for every sample."""
    rng = np.random.default_rng(cell.seed)
    distance, edge = cell.outline.polar(patch)
    depth = edge - distance
    radius = cell.outline.radius
    dots = grains(rng, patch, int(6 + 9 * radius**2), (0.14, 0.30), 0.85 * cell.outline.reach, depth > 0.12)
    middle = np.exp(-((distance / (0.75 * edge)) ** 4))
    amount = rng.uniform(0.35, 0.8) * (0.18 + 0.35 * middle + 0.9 * dots * (0.5 + 0.5 * middle))
    amount = amount * (1 + 0.15 * patch_noise(rng, patch, 0.2))
    body = soft_edge(depth, max(0.35, patch.pitch))
    density = np.maximum(amount, 0.1)[..., None] * np.array(style.stain.granule, np.float32)
    density = density + np.float32(rng.uniform(0.2, 0.5)) * np.array(style.stain.azure, np.float32)
    return (density * body[..., None]).astype(np.float32), depth >= 0
