"""Augmentations on batches: geometry by one resampling, color in optical density, optics by blur and noise.

Stain differs between laboratories mostly as concentration and hue of the two dyes, that is, linearly in optical
density (Beer-Lambert: OD = -ln I/I0); so that is where it is varied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class ColorJitter:
    """Strength of the color augmentation, as standard deviations of log factors.

    Attributes
    ----------
    density
        Of the optical density, common to the three channels.
    channel
        Of the optical density, each channel apart.
    mix
        Of the off-diagonal terms that mix channels.
    light
        Of the light itself, each channel apart.
    """

    density: float = 0.3
    channel: float = 0.15
    mix: float = 0.08
    light: float = 0.06


def jitter_color(images: Tensor, generator: torch.Generator, strength: ColorJitter) -> Tensor:
    """Return images under another stain and light.

    Parameters
    ----------
    images
        N x 3 x H x W float in 0..1, RGB transmittance.
    """
    n = images.shape[0]

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    density = -torch.log(images.clamp(min=1 / 255))
    factors = torch.exp(strength.density * normal(n, 1) + strength.channel * normal(n, 3))
    matrix = torch.diag_embed(factors) + strength.mix * normal(n, 3, 3)
    mixed = torch.einsum("nij,njhw->nihw", matrix, density)
    light = torch.exp(strength.light * normal(n, 3))[:, :, None, None]
    return (torch.exp(-mixed.clamp(min=-0.2)) * light).clamp(0, 1)


def drop_color(images: Tensor, generator: torch.Generator, *, share: float) -> Tensor:
    """Return images of which about ``share`` are gray, each by its own mix of the channels.

    Parameters
    ----------
    images
        N x 3 x H x W float in 0..1.
    """
    chosen = (torch.rand((len(images), 1, 1, 1), generator=generator) < share).float()
    weights = torch.rand((len(images), 3, 1, 1), generator=generator)
    gray = (images * (weights / weights.sum(dim=1, keepdim=True))).sum(dim=1, keepdim=True)
    return torch.lerp(images, gray.expand_as(images), chosen)


def affine_matrices(
    n: int, generator: torch.Generator, *, log_scale: float, shift: float, stretch: float = 0.08
) -> Tensor:
    """Return N x 2 x 3 sampling matrices: any rotation, mirroring, scaling, a slight stretch, a shift.

    Parameters
    ----------
    log_scale
        Half-width of the uniform log scale factor.
    shift
        Half-width of the shift as a fraction of half the side.
    stretch
        Half-width of the log aspect ratio.
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator) * 2 - 1

    angle = uniform(n) * math.pi
    scale = torch.exp(uniform(n) * log_scale)
    aspect = torch.exp(uniform(n) * stretch)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    sx, sy = scale * aspect * mirror, scale / aspect
    rows = torch.stack([cos * sx, -sin * sy, uniform(n) * shift, sin * sx, cos * sy, uniform(n) * shift], dim=1)
    return rows.reshape(n, 2, 3)


def resample(images: Tensor, matrices: Tensor) -> Tensor:
    """Return images resampled by ``affine_matrices``; the border is mirrored."""
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _gaussian_kernel(sigma: float) -> Tensor:
    radius = max(1, math.ceil(2.5 * sigma))
    x = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-(x**2) / (2 * sigma**2))
    return kernel / kernel.sum()


def blur(images: Tensor, sigma: float) -> Tensor:
    """Return images under a Gaussian blur of ``sigma`` pixels; the border is mirrored."""
    kernel = _gaussian_kernel(sigma)
    radius = len(kernel) // 2
    channels = images.shape[1]
    padded = F.pad(images, (radius, radius, radius, radius), mode="reflect")
    weight = kernel.expand(channels, 1, -1)
    horizontal = F.conv2d(padded, weight[:, :, None, :], groups=channels)
    return F.conv2d(horizontal, weight[:, :, :, None], groups=channels)


def degrade_optics(images: Tensor, generator: torch.Generator, *, share: float = 0.4) -> Tensor:
    """Return images of which about ``share`` are blurred and about as many are noisy."""
    out = images.clone()
    blurred = torch.rand(len(images), generator=generator) < share
    if blurred.any():
        sigma = 0.4 + 1.4 * float(torch.rand(1, generator=generator))
        out[blurred] = blur(out[blurred], sigma)
    noisy = torch.rand(len(images), generator=generator) < share
    if noisy.any():
        level = 0.04 * torch.rand((int(noisy.sum()), 1, 1, 1), generator=generator)
        out[noisy] += level * torch.randn(out[noisy].shape, generator=generator)
    return out.clamp(0, 1)


def uneven_light(images: Tensor, generator: torch.Generator, *, share: float = 0.3, depth: float = 0.35) -> Tensor:
    """Return images of which about ``share`` are lit unevenly, darker by up to ``depth`` in places.

    Parameters
    ----------
    images
        N x 3 x H x W float in 0..1.
    """
    n, channels, height, width = images.shape
    coarse = torch.rand((n, channels, 3, 3), generator=generator)
    common = torch.rand((n, 1, 3, 3), generator=generator)
    smooth = F.interpolate((coarse + 3 * common) / 4, size=(height, width), mode="bicubic", align_corners=True)
    chosen = (torch.rand((n, 1, 1, 1), generator=generator) < share).float()
    strength = depth * torch.rand((n, 1, 1, 1), generator=generator) * chosen
    return (images * (1 - strength * smooth)).clamp(0, 1)
