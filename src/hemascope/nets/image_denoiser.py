"""A small conditional U-Net that tells the noise in an image of a cell; torch only, tensors in and out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 8
"""Groups of the normalization; widths are multiples of it."""

TIME_WAVES = 64
"""Sines and cosines that a time is written in."""


@dataclass(frozen=True, slots=True)
class DenoiserShape:
    """Size of the network.

    Attributes
    ----------
    patch
        Side in pixels of the patches that are folded into channels: the network works at 1 / patch of the image's side.
    widths
        Channels at that side, and at half of it.
    blocks
        Residual blocks on the way down, and as many on the way up; one more at the bottom.
    condition
        Length of the vector that time and class are joined in.
    """

    patch: int = 4
    widths: tuple[int, int] = (96, 192)
    blocks: int = 2
    condition: int = 256


class ConditionedBlock(nn.Module):
    """Two 3 x 3 convolutions with a skip; time and class scale and shift the inner maps (Perez et al., AAAI 2018)."""

    def __init__(self, channels_in: int, channels_out: int, condition: int) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(GROUPS, channels_in)
        self.first = nn.Conv2d(channels_in, channels_out, 3, 1, 1)
        self.modulate = nn.Linear(condition, 2 * channels_out)
        self.second_norm = nn.GroupNorm(GROUPS, channels_out)
        self.second = nn.Conv2d(channels_out, channels_out, 3, 1, 1)
        self.skip = nn.Conv2d(channels_in, channels_out, 1) if channels_in != channels_out else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return maps N x C x H x W."""
        scale, shift = self.modulate(condition)[:, :, None, None].chunk(2, dim=1)
        y = self.first(F.silu(self.first_norm(x)))
        y = self.second(F.silu(self.second_norm(y) * (1 + scale) + shift))
        out: Tensor = self.skip(x) + y
        return out


class ImageDenoiser(nn.Module):
    """Noised images, times and classes to velocities (Salimans, Ho, ICLR 2022): a e - s x, from which noise follows.

    Parameters
    ----------
    classes
        K.
    shape
        Size of the network.
    """

    def __init__(self, classes: int, shape: DenoiserShape) -> None:
        super().__init__()
        self.shape = shape
        wide, deep = shape.widths
        pixels = 3 * shape.patch**2
        self.time = nn.Sequential(nn.Linear(TIME_WAVES, shape.condition), nn.SiLU())
        self.kind = nn.Linear(classes, shape.condition, bias=False)
        self.join = nn.Linear(shape.condition, shape.condition)
        self.stem = nn.Conv2d(pixels, wide, 3, 1, 1)
        self.down = nn.ModuleList(ConditionedBlock(wide, wide, shape.condition) for _ in range(shape.blocks))
        self.shrink = nn.Conv2d(wide, deep, 2, 2)
        self.bottom = nn.ModuleList(ConditionedBlock(deep, deep, shape.condition) for _ in range(shape.blocks + 1))
        self.grow = nn.ConvTranspose2d(deep, wide, 2, 2)
        widths = [2 * wide, *[wide] * (shape.blocks - 1)]
        self.up = nn.ModuleList(ConditionedBlock(width, wide, shape.condition) for width in widths)
        self.last_norm = nn.GroupNorm(GROUPS, wide)
        self.last = nn.Conv2d(wide, pixels, 3, 1, 1)
        nn.init.zeros_(self.last.weight)

    def forward(self, noised: Tensor, times: Tensor, conditions: Tensor) -> Tensor:
        """Return velocities N x 3 x S x S.

        Parameters
        ----------
        noised
            N x 3 x S x S; S is a multiple of twice the patch.
        times
            N, step over number of steps, 0 to 1.
        conditions
            N x K shares of the classes: one-hot for a class, mixed in mixup, all 0 for none.
        """
        condition = F.silu(self.join(self.time(waves(times)) + self.kind(conditions)))
        y = self.stem(F.pixel_unshuffle(noised, self.shape.patch))
        for block in self.down:
            y = block(y, condition)
        kept = y
        y = self.shrink(y)
        for block in self.bottom:
            y = block(y, condition)
        y = torch.cat([self.grow(y), kept], dim=1)
        for block in self.up:
            y = block(y, condition)
        return F.pixel_shuffle(self.last(F.silu(self.last_norm(y))), self.shape.patch)


def waves(times: Tensor) -> Tensor:
    """Return N x ``TIME_WAVES`` sines and cosines of N times in 0 to 1, wavelengths from 1/1000 of the range up."""
    half = TIME_WAVES // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32, device=times.device) * (-math.log(1e4) / half)) * 1000
    angles = times[:, None] * rates
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)
