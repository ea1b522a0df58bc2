"""A denoiser of crops with known answers, a classifier by color, and painted fields with cells to explain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.optics import transmittance
from hemascope.core.prediction import CellPrediction
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.denoise.gaussian import GaussianDenoiser

SIDE, WIDTH = 16, 24.0
TYPES = list(CellType)
DARKER, LIGHTER = CellType.LYMPHOCYTE, CellType.MONOCYTE


class CenterDenoiser(GaussianDenoiser):
    """Types alike but in the center: lymphocytes are darker there in red and green, monocytes lighter."""

    def __init__(self, depth: float = 0.5) -> None:
        center = np.zeros((3, SIDE, SIDE))
        center[:2, 6:10, 6:10] = depth
        centers = np.full((len(TYPES), 3, SIDE, SIDE), 0.2)
        centers[TYPES.index(DARKER)] -= center
        centers[TYPES.index(LIGHTER)] += center
        super().__init__(
            [cell_type.value for cell_type in TYPES], centers, cosine_schedule(),
            ModelIdentity("center", "1", "ab" * 32, "numpy", "Apache-2.0"),
        )  # fmt: skip

    @property
    def crop_size(self) -> tuple[int, float]:
        return SIDE, WIDTH

    def samples(self, crops: Sequence[CellCrop], view: int) -> NDArray[np.float32]:
        assert view == 0
        return np.stack([2 * transmittance(crop.pixels).transpose(2, 0, 1) - 1 for crop in crops]).astype(np.float32)


class GreenClassifier:
    """Takes crops twice as wide; the darker the middle in green, the surer it is of a lymphocyte."""

    identity = ModelIdentity("green", "1", "", "numpy", "Apache-2.0")
    crop_size = (32, 2 * WIDTH)

    def classify(self, crops: Sequence[CellCrop]) -> list[CellPrediction]:
        return [self._one(crop) for crop in crops]

    def _one(self, crop: CellCrop) -> CellPrediction:
        assert crop.pixels.shape == (32, 32, 3)
        light = transmittance(crop.pixels)[14:18, 14:18, 1].mean()
        share = float(1 / (1 + np.exp(20 * (light - 0.6))))
        probabilities = np.zeros(len(TYPES))
        probabilities[TYPES.index(DARKER)], probabilities[TYPES.index(LIGHTER)] = share, 1 - share
        return CellPrediction(crop.cell_id, probabilities, 0.5)
