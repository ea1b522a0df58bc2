"""How a generated smear looks: stain, densities, light, optics and camera."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hemascope.core.taxonomy import NUCLEATED_TYPES, CellType
from hemascope.core.units import RED_CELL_DIAMETER
from hemascope.synth.stain import CREAM, Stain, sample_stain

TypeShares = tuple[tuple[CellType, float], ...]

MIXED_TYPES: TypeShares = (
    (CellType.NEUTROPHIL, 0.42),
    (CellType.LYMPHOCYTE, 0.24),
    (CellType.MONOCYTE, 0.10),
    (CellType.EOSINOPHIL, 0.08),
    (CellType.BASOPHIL, 0.05),
    (CellType.IMMATURE_GRANULOCYTE, 0.06),
    (CellType.ERYTHROBLAST, 0.05),
)
"""Every type, the rare ones more often than in normal blood, so that a small set shows them all."""


@dataclass(frozen=True, slots=True)
class SmearStyle:
    """Everything that is the same all over one smear; the default is a clean, sharp, evenly lit one.

    Attributes
    ----------
    stain
        Colors as optical density.
    strength
        Factor on every density.
    coverage
        Share of the field's area under red cells, 0 (none) to about 0.6.
    red_cell_diameter, red_cell_spread
        Mean in um and relative standard deviation of the diameter.
    pallor
        Depth of the pale center, 0 (none) to 1 (empty).
    irregularity
        Factor on ovals, dents and waves of the red cells' outlines.
    crenated
        Share of red cells with a scalloped rim.
    overlap
        Share of red cells allowed to lie over others.
    rouleaux, clumps
        Share of red cells in rolls of coins, and in heaps.
    white_cells, platelets
        Mean number per 10,000 um^2 (in real blood a white cell is 20 to 100 times rarer).
    types
        Shares of the types of nucleated cells.
    debris, precipitate, smudges
        Mean number per 10,000 um^2 of dust, stain deposits and remnants of crushed cells; these have no truth.
    film
        Density of the uneven stained plasma behind the cells.
    refraction
        Density of the dark and bright fringes around edges: 0 in a good preparation.
    vignetting, slope, color_shift
        Relative fall of light to the corners, along one direction, and its difference between channels.
    defocus
        Standard deviation of the blur in um; 0.1 is sharp.
    fringe
        Shift between the color channels in um.
    sharpening
        Strength of the camera's own sharpening.
    exposure
        Factor on the light.
    noise
        Standard deviation in gray levels.
    jpeg_quality
        1 to 100; 100 leaves the pixels as they are.
    """

    stain: Stain = field(default_factory=lambda: CREAM)
    strength: float = 1.0
    coverage: float = 0.42
    red_cell_diameter: float = float(RED_CELL_DIAMETER)
    red_cell_spread: float = 0.055
    pallor: float = 0.66
    irregularity: float = 1.0
    crenated: float = 0.0
    overlap: float = 0.25
    rouleaux: float = 0.0
    clumps: float = 0.05
    white_cells: float = 4.0
    platelets: float = 8.0
    types: TypeShares = MIXED_TYPES
    debris: float = 0.0
    precipitate: float = 0.0
    smudges: float = 0.0
    film: float = 0.008
    refraction: float = 0.0
    vignetting: float = 0.0
    slope: float = 0.0
    color_shift: float = 0.0
    defocus: float = 0.09
    fringe: float = 0.0
    sharpening: float = 0.0
    exposure: float = 1.0
    noise: float = 1.0
    jpeg_quality: int = 100

    @classmethod
    def sample(cls, rng: np.random.Generator) -> SmearStyle:
        """Return the style of some laboratory, drawn at random: most are good, some are poor in one way or several."""

        def sometimes(chance: float, low: float, high: float) -> float:
            value = rng.uniform(low, high)
            return float(value) if rng.random() < chance else 0.0

        shares = rng.dirichlet(np.full(len(NUCLEATED_TYPES), 3.0))
        return cls(
            stain=sample_stain(rng),
            strength=float(rng.uniform(0.8, 1.2)),
            coverage=float(rng.uniform(0.10, 0.68)),
            red_cell_diameter=float(np.clip(rng.normal(RED_CELL_DIAMETER, 0.35), 6.6, 8.4)),
            red_cell_spread=float(rng.uniform(0.04, 0.10)),
            pallor=float(rng.uniform(0.1, 1.0)),
            irregularity=float(rng.gamma(3.0, 0.5)),
            crenated=sometimes(0.12, 0.1, 0.8),
            overlap=float(rng.uniform(0.0, 0.7)),
            rouleaux=sometimes(0.25, 0.1, 0.6),
            clumps=sometimes(0.5, 0.05, 0.4),
            white_cells=float(rng.uniform(1.0, 7.0)),
            platelets=float(rng.uniform(2.0, 20.0)),
            types=tuple((cell_type, float(share)) for cell_type, share in zip(NUCLEATED_TYPES, shares, strict=True)),
            debris=sometimes(0.5, 0.3, 4.0),
            precipitate=sometimes(0.2, 0.2, 1.5),
            smudges=sometimes(0.15, 0.1, 0.6),
            film=float(rng.uniform(0.0, 0.03)),
            refraction=sometimes(0.45, 0.05, 0.45),
            vignetting=sometimes(0.5, 0.03, 0.3),
            slope=sometimes(0.5, 0.02, 0.15),
            color_shift=sometimes(0.35, 0.02, 0.18),
            defocus=float(rng.uniform(0.07, 0.2) + sometimes(0.25, 0.0, 0.35)),
            fringe=sometimes(0.35, 0.05, 0.25),
            sharpening=sometimes(0.4, 0.2, 0.9),
            exposure=float(rng.uniform(0.88, 1.05)),
            noise=float(rng.uniform(0.5, 5.0)),
            jpeg_quality=int(rng.integers(60, 100)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = asdict(self)
        values["types"] = {cell_type.value: share for cell_type, share in self.types}
        return values
