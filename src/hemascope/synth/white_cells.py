"""Nucleated cells of every type: body, nucleus, chromatin, cytoplasm and granules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.taxonomy import CellType
from hemascope.synth.nucleus import NUCLEI
from hemascope.synth.outline import RadialOutline, wavy_outline
from hemascope.synth.patch import Patch
from hemascope.synth.red_cells import fringes, soft_edge
from hemascope.synth.style import SmearStyle
from hemascope.synth.texture import grains, patch_noise

Samples = NDArray[np.float32]

DIAMETERS_UM: dict[CellType, tuple[float, float]] = {
    CellType.BASOPHIL: (10.0, 13.5),
    CellType.EOSINOPHIL: (12.0, 15.5),
    CellType.ERYTHROBLAST: (7.5, 11.5),
    CellType.IMMATURE_GRANULOCYTE: (12.5, 17.5),
    CellType.LYMPHOCYTE: (7.5, 11.0),
    CellType.MONOCYTE: (13.5, 18.0),
    CellType.NEUTROPHIL: (11.5, 15.0),
}
"""Smallest and largest diameter on a dried smear; a fifth of the lymphocytes are larger, up to 14 um."""

_WAVES = {
    CellType.BASOPHIL: 0.018,
    CellType.ERYTHROBLAST: 0.022,
    CellType.LYMPHOCYTE: 0.024,
    CellType.MONOCYTE: 0.040,
}
"""Relative height of the waves on a body; 0.014 for the types not named."""

_CLUMPING = {
    CellType.ERYTHROBLAST: 0.26,
    CellType.LYMPHOCYTE: 0.20,
    CellType.MONOCYTE: 0.30,
    CellType.IMMATURE_GRANULOCYTE: 0.30,
}
"""How uneven the chromatin is; 0.22 for the types not named."""

_DENSENESS = {
    CellType.BASOPHIL: 0.80,
    CellType.ERYTHROBLAST: 1.12,
    CellType.LYMPHOCYTE: 1.0,
    CellType.MONOCYTE: 0.72,
    CellType.IMMATURE_GRANULOCYTE: 0.78,
}
"""Mean density of the chromatin; 0.95 for the types not named."""


@dataclass(frozen=True, slots=True, eq=False)
class WhiteCell:
    """One nucleated cell, before it has a place.

    Attributes
    ----------
    cell_type
        One of the seven nucleated types.
    outline
        Of its body, around its center.
    seed
        Decides its nucleus and texture.
    """

    cell_type: CellType
    outline: RadialOutline
    seed: int


def draw_white_cell(rng: np.random.Generator, cell_type: CellType) -> WhiteCell:
    """Return a cell of a nucleated type with a size and an outline."""
    low, high = DIAMETERS_UM[cell_type]
    if cell_type is CellType.LYMPHOCYTE and rng.random() < 0.2:
        low, high = 11.0, 14.0
    height = _WAVES.get(cell_type, 0.014)
    waves = {2: height, 3: height, 4: 0.7 * height, 5: 0.5 * height, 7: 0.35 * height, 11: 0.2 * height}
    elongation = 1 + abs(rng.normal(0, 0.12 if cell_type is CellType.MONOCYTE else 0.06))
    outline = wavy_outline(rng, rng.uniform(low, high) / 2, waves=waves, elongation=min(elongation, 1.5))
    return WhiteCell(cell_type, outline, int(rng.integers(2**63)))


def paint_white_cell(cell: WhiteCell, patch: Patch, style: SmearStyle) -> tuple[Samples, NDArray[np.bool_], Samples]:
    """Return what a nucleated cell absorbs, where it lies, and its nucleus.

    Parameters
    ----------
    cell
        Its center is that of ``patch``.
    patch
        Where to paint.
    style
        Gives the colors.

    Returns
    -------
    Density of every sample as H x W x 3 float32, H x W bool of the samples inside the outline, and the signed
    distance to the nucleus's edge in um, H x W float32, negative inside.
    """
    rng = np.random.default_rng(cell.seed)
    distance, edge = cell.outline.polar(patch)
    depth = edge - distance
    nucleus = _nucleus(rng, cell, patch, depth)
    stain = style.stain
    inside = soft_edge(depth, max(0.3, patch.pitch))
    core = soft_edge(-nucleus, max(0.22, patch.pitch))
    density = _cytoplasm(rng, cell, patch, depth, nucleus, style) * (inside * (1 - 0.75 * core))[..., None]
    chromatin, pink = _chromatin(rng, cell, patch, nucleus)
    density += (chromatin * core)[..., None] * np.array(stain.chromatin, np.float32)
    density += (pink * core)[..., None] * np.array(stain.granule, np.float32)
    if cell.cell_type is CellType.BASOPHIL:
        dark = grains(rng, patch, int(rng.integers(140, 320)), (0.18, 0.42), cell.outline.reach, depth > 0.15)
        density += (0.75 * dark)[..., None] * np.array(stain.chromatin, np.float32)
    if style.refraction:
        density += (0.4 * style.refraction * fringes(depth))[..., None] * np.array(stain.azure, np.float32)
    return density.astype(np.float32), depth >= 0, nucleus


def _nucleus(rng: np.random.Generator, cell: WhiteCell, patch: Patch, depth: Samples) -> Samples:
    """Return the signed distance to the nucleus's edge, roughened and kept inside the body."""
    x, y = patch.coordinates()
    radius = cell.outline.radius
    nucleus = NUCLEI[cell.cell_type](rng, x, y, radius)
    nucleus = nucleus + np.float32(0.022 * radius) * patch_noise(rng, patch, 0.2 * radius)
    return np.asarray(np.maximum(nucleus, np.float32(0.3) - depth), np.float32)


def _chromatin(rng: np.random.Generator, cell: WhiteCell, patch: Patch, nucleus: Samples) -> tuple[Samples, Samples]:
    """Return the density of the chromatin, and of the pink that shows where it is loose."""
    clumping = _CLUMPING.get(cell.cell_type, 0.22)
    grain = 0.34 if cell.cell_type is CellType.ERYTHROBLAST else 0.16
    clumps = np.tanh(1.2 * patch_noise(rng, patch, grain)) + 0.3 * patch_noise(rng, patch, 0.6)
    rim = np.exp(-(((nucleus + 0.18) / 0.2) ** 2))
    base = _DENSENESS.get(cell.cell_type, 0.95) * rng.uniform(0.9, 1.12)
    gaps = np.clip(patch_noise(rng, patch, 0.15) - 0.75, 0, 1.2) * np.float32(1.9 * clumping)
    dense = base * (1 + 0.8 * clumping * clumps - gaps) * (1 + 0.35 * rim)
    loose = np.clip(-clumps - 0.7, 0, None) * np.float32(0.3) + np.float32(0.25) * gaps
    return np.maximum(dense, 0.2).astype(np.float32), loose.astype(np.float32)


def _cytoplasm(
    rng: np.random.Generator, cell: WhiteCell, patch: Patch, depth: Samples, nucleus: Samples, style: SmearStyle
) -> Samples:
    """Return the density of the body without its nucleus, H x W x 3."""
    azure, eosin, granule = _CYTOPLASM[cell.cell_type](rng, cell, patch, depth, nucleus)
    stain = style.stain
    layers = ((azure, stain.azure), (eosin, stain.eosin), (granule, stain.granule))
    total = np.zeros((*patch.sample_shape, 3), np.float32)
    for amount, color in layers:
        total += np.maximum(amount, 0)[..., None] * np.array(color, np.float32)
    return total


Layers = tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]
"""Amounts of azure, eosin and granule stain, samples of a patch."""


def _neutrophil(rng: np.random.Generator, cell: WhiteCell, patch: Patch, depth: Samples, _: Samples) -> Layers:
    cloud = patch_noise(rng, patch, 0.8)
    dust = np.clip(patch_noise(rng, patch, 0.13) - 0.7, 0, None)
    azure = 0.25 + 0.03 * cloud + 0.10 * np.exp(-((depth / 0.4) ** 2))
    return azure, 0.18 + 0.03 * cloud, np.float32(rng.uniform(0.10, 0.34)) * dust


def _eosinophil(rng: np.random.Generator, cell: WhiteCell, patch: Patch, depth: Samples, _: Samples) -> Layers:
    beads = grains(rng, patch, int(11 * cell.outline.radius**2), (0.30, 0.48), cell.outline.reach, depth > 0.25)
    texture = patch_noise(rng, patch, 0.2)
    thin = np.clip(0.5 + 0.5 * patch_noise(rng, patch, 1.6) + 0.7, 0.25, 1)
    eosin = (0.42 + 0.52 * beads + 0.08 * texture) * thin
    return np.full_like(depth, 0.16), eosin, np.float32(0.10) * beads


def _basophil(rng: np.random.Generator, cell: WhiteCell, patch: Patch, depth: Samples, _: Samples) -> Layers:
    violet = grains(rng, patch, int(rng.integers(60, 200)), (0.15, 0.4), cell.outline.reach, depth > 0.1)
    return np.full_like(depth, 0.22), np.full_like(depth, 0.10), 0.12 + 0.8 * violet


def _lymphocyte(rng: np.random.Generator, cell: WhiteCell, patch: Patch, depth: Samples, nucleus: Samples) -> Layers:
    halo = np.exp(-((nucleus / 0.6) ** 2))
    azure = np.float32(rng.uniform(0.5, 1.15)) * (1 + 0.12 * patch_noise(rng, patch, 0.35) - 0.25 * halo)
    few = int(rng.integers(0, 12)) if cell.outline.radius > 5.4 else 0
    return azure, np.zeros_like(depth), 0.7 * grains(rng, patch, few, (0.15, 0.28), cell.outline.reach, depth > 0.2)


def _monocyte(rng: np.random.Generator, cell: WhiteCell, patch: Patch, depth: Samples, nucleus: Samples) -> Layers:
    ground = 1 + 0.20 * patch_noise(rng, patch, 0.2) + 0.10 * patch_noise(rng, patch, 1.0)
    holes = grains(rng, patch, int(rng.choice((0, 6, 25))), (0.25, 0.75), cell.outline.reach, depth > 0.5)
    dust = np.clip(patch_noise(rng, patch, 0.14) - 1.2, 0, None)
    full = np.float32(rng.uniform(0.7, 1.1)) * ground * (1 - 0.9 * holes)
    return full, 0.08 * ground * (1 - holes), 0.16 * dust * (1 - holes)


def _immature_granulocyte(
    rng: np.random.Generator, cell: WhiteCell, patch: Patch, depth: Samples, nucleus: Samples
) -> Layers:
    age = rng.random()
    cloud = 1 + 0.12 * patch_noise(rng, patch, 0.5) + 0.14 * patch_noise(rng, patch, 0.18)
    azure = (1.05 - 0.65 * age) * cloud
    dots = grains(rng, patch, int(rng.integers(60, 600)), (0.10, 0.24), cell.outline.reach, depth > 0.15)
    return azure, np.float32(0.22 * age) * cloud, 0.55 * dots


def _erythroblast(rng: np.random.Generator, cell: WhiteCell, patch: Patch, depth: Samples, nucleus: Samples) -> Layers:
    age = rng.random()
    cloud = 1 + 0.08 * patch_noise(rng, patch, 0.5) + 0.10 * patch_noise(rng, patch, 0.18)
    return np.float32(1.25 - 0.9 * age) * cloud, np.float32(0.30 * age) * cloud, np.zeros_like(depth)


_CYTOPLASM = {
    CellType.BASOPHIL: _basophil,
    CellType.EOSINOPHIL: _eosinophil,
    CellType.ERYTHROBLAST: _erythroblast,
    CellType.IMMATURE_GRANULOCYTE: _immature_granulocyte,
    CellType.LYMPHOCYTE: _lymphocyte,
    CellType.MONOCYTE: _monocyte,
    CellType.NEUTROPHIL: _neutrophil,
}
