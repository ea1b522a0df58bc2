"""The handcrafted descriptors as an encoder: no weights, no network, a list instead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec
from hemascope.core.provenance import ModelIdentity
from hemascope.embed.descriptors.describe import DESCRIPTORS, VERSION, describe, list_digest

CROP_PX, CROP_UM = 128, 32.0
"""Side of a crop, and its usual width in um; sizes follow the width that each crop states."""


class DescriptorEncoder:
    """Describes crops by ``hemascope.embed.descriptors``; an ``Encoder``.

    The digest of its identity is that of the list and its version, in place of weights.
    """

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return ModelIdentity("descriptors", VERSION, list_digest(), "opencv-cpu-fp32", "Apache-2.0")

    @property
    def spec(self) -> EncoderSpec:
        """What it takes and gives."""
        return EncoderSpec(len(DESCRIPTORS), CROP_PX, CROP_UM, "descriptors", "Romanowsky")

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        """Return N x D descriptors, in the order of ``DESCRIPTORS``; 0 x D for no crops.

        Raises
        ------
        ValueError
            If a crop is not ``spec.crop_px`` pixels wide and high.
        """
        rows = np.empty((len(crops), len(DESCRIPTORS)), np.float32)
        for row, crop in zip(rows, crops, strict=True):
            if crop.pixels.shape != (CROP_PX, CROP_PX, 3):
                raise ValueError(f"{crop.cell_id}: the crop is {crop.pixels.shape}, not {(CROP_PX, CROP_PX, 3)}")
            row[:] = describe(crop.pixels, crop.width / CROP_PX)
        return rows
