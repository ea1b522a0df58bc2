"""Light that passes: images normalized by their own background, so that light and white balance drop out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BACKGROUND_PERCENTILE = 96.0
"""A view of 36 um or more holds free background almost always; the brightest few percent are glare or noise."""

MIN_BACKGROUND = 40.0
"""Gray level below which the brightest part of a crop is no background; keeps black crops from blowing up."""

CENTER_UM, EDGE_UM = 10.0, 0.4
"""Radius of what is left of a view when a cell's surroundings are painted out, and softness of its edge."""


def background_color(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the background color of an image, per channel.

    Parameters
    ----------
    pixels
        H x W x 3 uint8.

    Returns
    -------
    Three float32 gray levels, ``MIN_BACKGROUND`` to 255.
    """
    sample = pixels[::2, ::2].reshape(-1, 3)
    index = round((len(sample) - 1) * BACKGROUND_PERCENTILE / 100)
    levels: NDArray[np.float32] = np.partition(sample, index, axis=0)[index].astype(np.float32)
    return np.maximum(levels, np.float32(MIN_BACKGROUND))


def transmittance(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return H x W x 3 float32 in 0..1: the share of the background's light that passes (I / I0)."""
    passed: NDArray[np.float32] = np.minimum(pixels / background_color(pixels), np.float32(1.0)).astype(np.float32)
    return passed


def absorption(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return network input from transmittance: background is 0, opaque is 2; any shape, float32."""
    return ((np.float32(1.0) - images) * np.float32(2.0)).astype(np.float32)
