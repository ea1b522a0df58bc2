"""Tiny latent diffusions of the layout of Stable Diffusion 1.5, for tests."""

from __future__ import annotations

import numpy as np

from hemascope.core.cell import CellCrop
from hemascope.core.units import Microns
from hemascope.nets.latent_autoencoder import AutoencoderSize
from hemascope.nets.latent_unet import UNetSize
from hemascope.train.latent_denoiser import LatentSpec

UNET = UNetSize(channels=(8, 16), layers=1, heads=2, context_width=16, groups=4)
AUTOENCODER = AutoencoderSize(channels=(8, 8, 16), layers=1, groups=4)
NETWORK = {
    "channels": (8, 16), "layers": 1, "heads": 2, "context_width": 16, "encoder_channels": (8, 8, 16),
    "encoder_layers": 1, "groups": 4,
}  # fmt: skip
"""The same sizes in a recipe."""

SPEC = LatentSpec(classes=("basophil", "monocyte", "lymphocyte"), crop_px=20, crop_um=36.0)


def crops(count: int = 2, side: int = 20) -> list[CellCrop]:
    """Return crops of random pixels."""
    rng = np.random.default_rng(1)
    images = rng.integers(100, 250, (count, side, side, 3)).astype(np.uint8)
    return [CellCrop(f"f#{number}", image, Microns(36.0)) for number, image in enumerate(images)]
