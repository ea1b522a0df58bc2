"""What a Romanowsky stain absorbs: colors as optical density, for labs that stain and photograph differently.

Density is the natural logarithm of background light over transmitted light, as gray levels of an sRGB image show it.
Densities of layers add (Beer-Lambert), so two red cells over each other are darker by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

Color = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Stain:
    """Colors of one laboratory.

    Attributes
    ----------
    background
        Gray levels of empty glass, red, green, blue.
    hemoglobin
        Density per channel of a red cell's rim.
    chromatin
        Density of the dense part of a nucleus.
    azure
        Density of basophilic cytoplasm (RNA).
    eosin
        Density of eosinophil granules.
    granule
        Density of azurophil and platelet granules.
    """

    background: Color = (254.0, 229.0, 204.0)
    hemoglobin: Color = (0.24, 0.37, 0.24)
    chromatin: Color = (1.36, 2.12, 0.60)
    azure: Color = (0.56, 0.52, 0.13)
    eosin: Color = (0.27, 0.78, 0.58)
    granule: Color = (0.55, 1.15, 0.42)


CREAM = Stain()
GRAY = Stain(
    background=(206.0, 206.0, 204.0),
    hemoglobin=(0.17, 0.36, 0.30),
    chromatin=(0.52, 0.86, 0.04),
    azure=(0.20, 0.30, 0.03),
    eosin=(0.14, 0.60, 0.38),
    granule=(0.32, 0.62, 0.06),
)
CYAN = Stain(
    background=(189.0, 224.0, 198.0),
    hemoglobin=(0.04, 0.82, 0.52),
    chromatin=(1.30, 1.45, 0.62),
    azure=(0.34, 0.36, 0.12),
    eosin=(0.08, 0.80, 0.52),
    granule=(0.55, 0.95, 0.42),
)
ROSE = Stain(
    background=(220.0, 188.0, 174.0),
    hemoglobin=(0.38, 0.52, 0.24),
    chromatin=(0.74, 2.40, 0.46),
    azure=(0.24, 0.36, 0.10),
    eosin=(0.16, 0.72, 0.34),
    granule=(0.44, 1.20, 0.32),
)
GRAY_VIOLET = Stain(
    background=(196.0, 192.0, 212.0),
    hemoglobin=(0.30, 0.34, 0.28),
    chromatin=(0.78, 1.40, 0.34),
    azure=(0.42, 0.36, 0.06),
    eosin=(0.20, 0.70, 0.44),
    granule=(0.52, 0.95, 0.20),
)
DARK = Stain(
    background=(168.0, 140.0, 156.0),
    hemoglobin=(0.14, 0.17, 0.20),
    chromatin=(0.72, 0.80, 0.24),
    azure=(0.24, 0.24, 0.06),
    eosin=(0.16, 0.34, 0.28),
    granule=(0.40, 0.56, 0.16),
)

STAINS: tuple[Stain, ...] = (CREAM, GRAY, CYAN, ROSE, GRAY_VIOLET, DARK)
"""Six labs: a slide scanner's warm background, gray, pale green, rose, gray violet, and dark with low contrast."""


def sample_stain(rng: np.random.Generator) -> Stain:
    """Return a stain between two of ``STAINS``, mostly near one of them, with every color shifted a little."""
    first, second = rng.choice(len(STAINS), 2, replace=False)
    share = rng.beta(0.5, 2.5)
    colors: dict[str, Color] = {}
    for item in fields(Stain):
        one, other = (np.array(getattr(STAINS[k], item.name)) for k in (first, second))
        color = (1 - share) * one + share * other
        spread = 0.03 if item.name == "background" else 0.10
        color = color * np.exp(spread * rng.standard_normal(3)) * np.exp(spread * rng.standard_normal())
        red, green, blue = (float(value) for value in np.clip(color, 0.0, 255.0))
        colors[item.name] = (red, green, blue)
    return Stain(**colors)
