"""Looks at a crop as the published procedure takes them: turned, mirrored, and under another light.

Strengths are the published ones: any rotation, mirrored or not along a side and along a diagonal, brightness, contrast
and saturation by up to a quarter, hue by up to an eighth of a turn. Hue is turned in the plane of YIQ, which is linear;
the library behind the published code turns it in HSV, and applies the four in random order. RandAugment, which the
published training adds, is left out: its posterized and solarized cells are none that any stain makes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hemascope.train.augment import resample

STRENGTH = 0.25
"""Of brightness, contrast and saturation: factors are uniform within 1 +- this."""

HUE = 0.125
"""Hue is turned by up to this share of a full turn, to either side."""

GRAY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a gray value (ITU-R BT.601)."""

_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a crop.

    Attributes
    ----------
    degrees
        It is turned by, counter-clockwise as the image is shown.
    mirrored, transposed
        Whether it is mirrored left to right, and along the diagonal, before it is turned.
    brightness, contrast, saturation
        Factors; 1 leaves them.
    hue
        Share of a full turn.
    """

    degrees: float = 0.0
    mirrored: bool = False
    transposed: bool = False
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0


PLAIN = Look()
"""The crop as it is."""


def draw_look(rng: np.random.Generator) -> Look:
    """Return a random look at the published strengths."""
    light = rng.uniform(1 - STRENGTH, 1 + STRENGTH, 3)
    return Look(
        degrees=float(rng.integers(360)),
        mirrored=bool(rng.integers(2)),
        transposed=bool(rng.integers(2)),
        brightness=float(light[0]),
        contrast=float(light[1]),
        saturation=float(light[2]),
        hue=float(rng.uniform(-HUE, HUE)),
    )


def look_of_view(view: int) -> Look:
    """Return the look that a number names: 0 the crop as it is, each other one drawn from it."""
    return draw_look(np.random.default_rng(view)) if view else PLAIN


def take_looks(images: Tensor, looks: Sequence[Look]) -> Tensor:
    """Return N images, each under its own look; beyond the border they are mirrored.

    Parameters
    ----------
    images
        N x 3 x S x S float in 0..1.
    looks
        N looks, or one for all.

    Raises
    ------
    ValueError
        If there is another number of looks.
    """
    if len(looks) not in (1, len(images)):
        raise ValueError(f"{len(images)} images need as many looks or one, not {len(looks)}")
    if all(look == PLAIN for look in looks):
        return images
    each = list(looks) * (len(images) if len(looks) == 1 else 1)
    return _relit(resample(images, torch.stack([_sampling(look) for look in each])), each)


def _sampling(look: Look) -> Tensor:
    """Return the 2 x 3 matrix that takes a position in the look to the one in the crop it shows."""
    angle = math.radians(look.degrees)
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    if look.transposed:
        matrix = matrix[::-1]
    if look.mirrored:
        matrix = np.array([[-1.0], [1.0]]) * matrix
    return torch.tensor(np.concatenate([matrix, np.zeros((2, 1))], axis=1), dtype=torch.float32)


def _relit(images: Tensor, looks: Sequence[Look]) -> Tensor:
    """Return images under brightness, then contrast about the mean gray, then saturation, then hue; all at once."""
    brightness, contrast = (
        torch.tensor([getattr(look, name) for look in looks], dtype=torch.float32).view(-1, 1, 1, 1)
        for name in ("brightness", "contrast")
    )
    colors = torch.tensor(np.stack([_color_matrix(look) for look in looks]), dtype=torch.float32)
    gray = torch.tensor(GRAY).view(1, 3, 1, 1)
    level = (images * gray).sum(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True) * brightness
    turned = torch.einsum("nij,njhw->nihw", colors, images)
    return (contrast * brightness * turned + (1 - contrast) * level).clamp(0, 1)


def _color_matrix(look: Look) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the 3 x 3 matrix of saturation and hue; grays stay as they are."""
    to_yiq = np.array(_YIQ)
    angle = 2 * math.pi * look.hue
    turn = np.eye(3)
    turn[1:, 1:] = look.saturation * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.asarray(np.linalg.inv(to_yiq) @ turn @ to_yiq, np.float64)
