"""Looks at a cell that another laboratory could have given: other stain, other light, other focus, other neighbors.

What a classifier of embeddings learns from such looks, it does not take for a difference between types. Stain differs
between laboratories mostly as concentration and hue of two dyes, that is, linearly in optical density (Beer-Lambert).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.optics import CENTER_UM, EDGE_UM, transmittance

LEAST_PASSED = 1 / 255
"""Transmittance below which optical density is cut."""


@dataclass(frozen=True, slots=True)
class Jitter:
    """How much looks differ.

    Attributes
    ----------
    density, channel
        Deviations of the log of the optical density's factor, of all channels together and of each.
    mix
        Deviation of the shares of the other channels that are added to each.
    light
        Deviation of the log of the light, each channel apart.
    blurred
        Share of the looks that are out of focus, by up to 1.8 pixels.
    alone
        Share of the looks of which only the cell in the center is left.
    """

    density: float = 0.4
    channel: float = 0.35
    mix: float = 0.15
    light: float = 0.08
    blurred: float = 0.3
    alone: float = 0.5


def jittered(pixels: NDArray[np.uint8], um: float, seed: int, strength: Jitter | None = None) -> NDArray[np.uint8]:
    """Return a crop as another laboratory could have seen it, background white.

    Parameters
    ----------
    pixels
        S x S x 3 uint8, the cell in the center.
    um
        Width of the crop.
    seed
        The same gives the same look.
    strength
        How much it may differ.
    """
    how, rng = strength or Jitter(), np.random.default_rng(seed)
    density = -np.log(np.maximum(transmittance(pixels), LEAST_PASSED))
    factors = np.exp(how.density * rng.standard_normal() + how.channel * rng.standard_normal(3))
    turned = np.diag(factors) + how.mix * rng.standard_normal((3, 3))
    passed = np.exp(-np.maximum(density @ turned.T, -0.2)) * np.exp(how.light * rng.standard_normal(3))
    if rng.random() < how.blurred:
        passed = cv2.GaussianBlur(passed, (0, 0), 0.4 + 1.4 * rng.random())
    if rng.random() < how.alone:
        passed = 1 - (1 - passed) * _disk(len(pixels), CENTER_UM * len(pixels) / um, EDGE_UM * len(pixels) / um)
    looks = np.ascontiguousarray(np.rot90(passed, int(rng.integers(4))))
    return np.asarray(np.round(np.clip(looks, 0, 1) * 255), np.uint8)


def _disk(side: int, radius: float, edge: float) -> NDArray[np.float64]:
    """Return side x side x 1 weights: 1 in a disk about the center, 0 outside, soft between."""
    place = np.arange(side) - (side - 1) / 2
    distance = np.hypot(place[:, None], place)
    return np.asarray(1 / (1 + np.exp(np.clip((distance - radius) / edge, -50, 50))), np.float64)[..., None]
