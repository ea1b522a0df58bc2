"""Named transforms: crops to what a network was trained to see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hemascope.core.cell import CellCrop
from hemascope.core.optics import absorption, transmittance

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of red, green and blue in 0..1 over ImageNet's training images (He et al., 2016, and most networks since)."""


def imagenet(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return an image H x W x 3, 0..255, less the mean of ImageNet over its deviation, float32."""
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    return ((pixels.astype(np.float32) / np.float32(255.0) - mean) / std).astype(np.float32)


def absorbed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the share of its own background's light that an image absorbs: 0 for background, 2 for opaque."""
    return absorption(transmittance(pixels))


TRANSFORMS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]] = {
    "imagenet": imagenet,
    "absorption": absorbed,
}
"""Name to a function of H x W x 3 uint8 that gives H x W x 3 float32."""


def network_batch(crops: Sequence[CellCrop], side: int, transform: str) -> NDArray[np.float32]:
    """Return crops as network input N x 3 x side x side, float32.

    Raises
    ------
    ValueError
        If a crop is not ``side`` pixels wide and high, or there is no such transform.
    """
    if transform not in TRANSFORMS:
        raise ValueError(f"there is no transform '{transform}'; there are {', '.join(TRANSFORMS)}")
    for crop in crops:
        if crop.pixels.shape != (side, side, 3):
            raise ValueError(f"{crop.cell_id}: the crop is {crop.pixels.shape}, not {(side, side, 3)}")
    images = [TRANSFORMS[transform](crop.pixels).transpose(2, 0, 1) for crop in crops]
    return np.ascontiguousarray(np.stack(images)) if images else np.empty((0, 3, side, side), np.float32)


def resize_crop(crop: CellCrop, side: int) -> CellCrop:
    """Return a crop of the same view at ``side`` x ``side`` pixels.

    By Lanczos' filter of three lobes, which averages when it shrinks: what DinoBloom was trained with.
    """
    if crop.pixels.shape[:2] == (side, side):
        return crop
    resized = Image.fromarray(crop.pixels).resize((side, side), Image.Resampling.LANCZOS)
    return replace(crop, pixels=np.asarray(resized, np.uint8))
