"""The U-Net of Stable Diffusion 1.5, in the layout of its published weights: latent, time and condition to noise.

Written from the paper (Rombach et al., CVPR 2022) and the published configuration and names of tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hemascope.nets.latent_parts import Doubled, Halved, ResidualBlock, SpatialTransformer

LONGEST_PERIOD = 10_000
"""Of the waves that a time is embedded by."""


@dataclass(frozen=True, slots=True)
class UNetSize:
    """Size of the U-Net.

    Attributes
    ----------
    channels
        Of each level, from the finest; all but the coarsest look at the condition.
    layers
        Residual blocks of a level on the way down; one more on the way up.
    heads
        Of attention; divides all channels.
    context_width
        Length of a row of the condition.
    groups
        Of the normalizations; divides all channels.
    latent_channels
        Of input and output.

    Raises
    ------
    ValueError
        If there are fewer than two levels, or heads or groups do not divide the channels.
    """

    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers: int = 2
    heads: int = 8
    context_width: int = 768
    groups: int = 32
    latent_channels: int = 4

    def __post_init__(self) -> None:
        if len(self.channels) < 2:
            raise ValueError(f"a U-Net needs two levels or more, not {len(self.channels)}")
        if odd := [width for width in self.channels if width % self.heads or width % self.groups]:
            raise ValueError(f"{self.heads} heads and {self.groups} groups must divide {odd[0]} channels")


SD15_UNET = UNetSize()
"""The published size: 859,520,964 parameters."""


class TimeEmbedding(nn.Module):
    """Waves of a time to a vector, by two layers."""

    def __init__(self, width: int, out_width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(width, out_width)
        self.linear_2 = nn.Linear(out_width, out_width)

    def forward(self, waves: Tensor) -> Tensor:
        """Return N x out_width for N x width."""
        out: Tensor = self.linear_2(F.silu(self.linear_1(waves)))
        return out


def time_waves(steps: Tensor, width: int) -> Tensor:
    """Return cosines, then sines, of N steps at ``width // 2`` frequencies from 1 to nearly 1 / ``LONGEST_PERIOD``.

    Float32, N x width; computed in single precision whatever the network's, or steps above 256 would coincide in bf16.
    """
    half = width // 2
    powers = torch.arange(half, dtype=torch.float32, device=steps.device) / half
    angles = steps.float()[:, None] * torch.exp(-math.log(LONGEST_PERIOD) * powers)
    return torch.cat((angles.cos(), angles.sin()), dim=1)


class Level(nn.Module):
    """Residual blocks of one resolution, each followed by attention to the condition or not.

    Parameters
    ----------
    blocks
        Channels in and out of each residual block.
    size
        Of the U-Net.
    attended
        Whether transformers follow the residual blocks.
    resampler
        What leads to the next level, under its published name; None for none.
    """

    def __init__(
        self, blocks: list[tuple[int, int]], size: UNetSize, *, attended: bool, resampler: tuple[str, nn.Module] | None
    ) -> None:
        super().__init__()
        time_width = 4 * size.channels[0]
        self.resnets = nn.ModuleList(ResidualBlock(c, out, size.groups, 1e-5, time_width) for c, out in blocks)
        transformers = [SpatialTransformer(out, size.context_width, size.heads, size.groups) for _, out in blocks]
        self.attentions = nn.ModuleList(transformers) if attended else None
        self.resampler = resampler[0] if resampler else None
        if resampler:
            self.add_module(resampler[0], nn.ModuleList([resampler[1]]))

    def layer(self, index: int, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """Return the feature map after one residual block and its attention."""
        x = self.resnets[index](x, time)
        return x if self.attentions is None else self.attentions[index](x, context)

    @property
    def resample(self) -> nn.Module | None:
        """What leads to the next level, or None."""
        return None if self.resampler is None else self.get_submodule(f"{self.resampler}.0")


class Middle(nn.Module):
    """The coarsest resolution: residual block, transformer, residual block."""

    def __init__(self, size: UNetSize) -> None:
        super().__init__()
        width, time_width = size.channels[-1], 4 * size.channels[0]
        self.attentions = nn.ModuleList([SpatialTransformer(width, size.context_width, size.heads, size.groups)])
        self.resnets = nn.ModuleList(ResidualBlock(width, width, size.groups, 1e-5, time_width) for _ in range(2))

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """Return a feature map of the same shape."""
        x = self.attentions[0](self.resnets[0](x, time), context)
        out: Tensor = self.resnets[1](x, time)
        return out


class LatentUNet(nn.Module):
    """Noised latents to the noise in them, given time and condition.

    Parameters
    ----------
    size
        ``SD15_UNET``, or another.
    saves_memory
        Whether training keeps what goes into each residual block with its attention alone, and computes the rest again
        on the way back: the same gradient, a third slower, in a fraction of the memory.
    """

    def __init__(self, size: UNetSize = SD15_UNET, *, saves_memory: bool = False) -> None:
        super().__init__()
        self.size = size
        self.saves_memory = saves_memory
        first = size.channels[0]
        self.conv_in = nn.Conv2d(size.latent_channels, first, 3, padding=1)
        self.time_embedding = TimeEmbedding(first, 4 * first)
        self.down_blocks, kept = _way_down(size)
        self.mid_block = Middle(size)
        self.up_blocks = _way_up(size, kept)
        self.conv_norm_out = nn.GroupNorm(size.groups, first, 1e-5)
        self.conv_out = nn.Conv2d(first, size.latent_channels, 3, padding=1)

    def forward(self, x: Tensor, steps: Tensor, context: Tensor) -> Tensor:
        """Return the noise N x C x H x W.

        Parameters
        ----------
        x
            Noised latents N x C x H x W, of any side that is not below the number of halvings.
        steps
            N whole numbers, 0 to 999.
        context
            Conditions N x rows x ``context_width``.
        """
        time = self.time_embedding(time_waves(steps, self.size.channels[0]).to(x.dtype))
        x = self.conv_in(x)
        kept = [x]
        for level in self.down_blocks:
            for index in range(self.size.layers):
                x = self._layer(level, index, x, time, context)
                kept.append(x)
            if level.resample is not None:
                x = level.resample(x)  # type: ignore[operator]
                kept.append(x)
        x = self.mid_block(x, time, context)
        for level in self.up_blocks:
            for index in range(self.size.layers + 1):
                x = self._layer(level, index, torch.cat((x, kept.pop()), dim=1), time, context)
            if level.resample is not None:
                x = level.resample(x, kept[-1].shape[-2:])  # type: ignore[operator]
        out: Tensor = self.conv_out(F.silu(self.conv_norm_out(x)))
        return out

    def _layer(self, level: nn.Module, index: int, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        layer: Callable[..., Tensor] = level.layer  # type: ignore[assignment]
        if self.saves_memory and torch.is_grad_enabled():
            again: Tensor = checkpoint(layer, index, x, time, context, use_reentrant=False)
            return again
        return layer(index, x, time, context)


def _way_down(size: UNetSize) -> tuple[nn.ModuleList, list[int]]:
    """Return the levels on the way down, and the channels of every feature map kept for the way up."""
    levels, kept, width = [], [size.channels[0]], size.channels[0]
    for number, out in enumerate(size.channels):
        is_last = number == len(size.channels) - 1
        blocks = [(width if index == 0 else out, out) for index in range(size.layers)]
        half = None if is_last else ("downsamplers", Halved(out))
        levels.append(Level(blocks, size, attended=not is_last, resampler=half))
        kept += [out] * (size.layers if is_last else size.layers + 1)
        width = out
    return nn.ModuleList(levels), kept


def _way_up(size: UNetSize, kept: list[int]) -> nn.ModuleList:
    levels, width = [], size.channels[-1]
    for number, out in enumerate(reversed(size.channels)):
        blocks = [((width if index == 0 else out) + kept.pop(), out) for index in range(size.layers + 1)]
        is_last = number == len(size.channels) - 1
        double = None if is_last else ("upsamplers", Doubled(out))
        levels.append(Level(blocks, size, attended=number > 0, resampler=double))
        width = out
    return nn.ModuleList(levels)
