"""Training images: from files to arrays, and from arrays to what a network takes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hemascope.core.errors import DataSetError


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Return a training image as H x W x 3 uint8.

    Raises
    ------
    DataSetError
        If the file is missing or no image.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise DataSetError(f"{path}: missing or not an image; restore this file of the data set")
    return np.asarray(pixels, np.uint8)


def to_input(images: NDArray[np.uint8]) -> Tensor:
    """Return N x 3 x S x S float transmittance in 0..1 from N x S x S x 3 uint8, transmittance * 255."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)


def shift_range(transmittance: Tensor) -> Tensor:
    """Return network input as ``core.optics.absorption`` makes it: background 0, opaque 2."""
    return ((1 - transmittance) * 2).contiguous(memory_format=torch.channels_last)
