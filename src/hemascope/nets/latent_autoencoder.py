"""The autoencoder of Stable Diffusion 1.5, in the layout of its published weights: images to latents and back.

Written from the paper (Rombach et al., CVPR 2022) and the published configuration and names of tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hemascope.nets.latent_parts import Doubled, Halved, PositionAttention, ResidualBlock

EPSILON = 1e-6
LOG_VARIANCE = (-30.0, 20.0)
"""Limits of the log variance of a latent, as published."""


@dataclass(frozen=True, slots=True)
class AutoencoderSize:
    """Size of the autoencoder.

    Attributes
    ----------
    channels
        Of each level, from the finest; each but the last halves the side.
    layers
        Residual blocks of a level of the encoder; one more in the decoder.
    groups
        Of the normalizations; divides all channels.
    latent_channels
        Of a latent.
    factor
        Latents are multiplied by it before diffusion, so that their variance is about 1.

    Raises
    ------
    ValueError
        If there is no level, or groups do not divide the channels.
    """

    channels: tuple[int, ...] = (128, 256, 512, 512)
    layers: int = 2
    groups: int = 32
    latent_channels: int = 4
    factor: float = 0.18215

    def __post_init__(self) -> None:
        if not self.channels:
            raise ValueError("an autoencoder needs a level")
        if odd := [width for width in self.channels if width % self.groups]:
            raise ValueError(f"{self.groups} groups must divide {odd[0]} channels")

    @property
    def reduction(self) -> int:
        """How many pixels along an axis make one of the latent: 8 as published."""
        return int(2 ** (len(self.channels) - 1))


SD15_AUTOENCODER = AutoencoderSize()
"""The published size: 83,653,863 parameters."""


class AutoencoderLevel(nn.Module):
    """Residual blocks of one resolution, and what leads to the next."""

    def __init__(self, widths: list[int], groups: int, resampler: tuple[str, nn.Module] | None) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            ResidualBlock(before, after, groups, EPSILON) for before, after in pairwise(widths)
        )
        self.resampler = resampler[0] if resampler else None
        if resampler:
            self.add_module(resampler[0], nn.ModuleList([resampler[1]]))

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature map of the next level."""
        for block in self.resnets:
            x = block(x)
        if self.resampler is not None:
            x = self.get_submodule(f"{self.resampler}.0")(x)
        return x


class AutoencoderMiddle(nn.Module):
    """The coarsest resolution: residual block, attention over positions, residual block."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.attentions = nn.ModuleList([PositionAttention(width, groups)])
        self.resnets = nn.ModuleList(ResidualBlock(width, width, groups, EPSILON) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Return a feature map of the same shape."""
        out: Tensor = self.resnets[1](self.attentions[0](self.resnets[0](x)))
        return out


class LatentEncoder(nn.Module):
    """Images N x 3 x H x W to N x 2C x h x w."""

    def __init__(self, size: AutoencoderSize) -> None:
        super().__init__()
        widths, last = size.channels, len(size.channels) - 1
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            AutoencoderLevel(
                [widths[max(number - 1, 0)], *[width] * size.layers],
                size.groups,
                None if number == last else ("downsamplers", Halved(width, one_sided=True)),
            )
            for number, width in enumerate(widths)
        )
        self.mid_block = AutoencoderMiddle(widths[-1], size.groups)
        self.conv_norm_out = nn.GroupNorm(size.groups, widths[-1], EPSILON)
        self.conv_out = nn.Conv2d(widths[-1], 2 * size.latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return what means and log variances are made of."""
        x = self.conv_in(x)
        for level in self.down_blocks:
            x = level(x)
        out: Tensor = self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))
        return out


class LatentDecoder(nn.Module):
    """Latents N x C x h x w to images N x 3 x H x W."""

    def __init__(self, size: AutoencoderSize) -> None:
        super().__init__()
        widths, last = size.channels[::-1], len(size.channels) - 1
        self.conv_in = nn.Conv2d(size.latent_channels, widths[0], 3, padding=1)
        self.up_blocks = nn.ModuleList(
            AutoencoderLevel(
                [widths[max(number - 1, 0)], *[width] * (size.layers + 1)],
                size.groups,
                None if number == last else ("upsamplers", Doubled(width)),
            )
            for number, width in enumerate(widths)
        )
        self.mid_block = AutoencoderMiddle(widths[0], size.groups)
        self.conv_norm_out = nn.GroupNorm(size.groups, widths[-1], EPSILON)
        self.conv_out = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return images, about -1 to 1."""
        x = self.mid_block(self.conv_in(x))
        for level in self.up_blocks:
            x = level(x)
        out: Tensor = self.conv_out(F.silu(self.conv_norm_out(x)))
        return out


class LatentAutoencoder(nn.Module):
    """Images -1..1 to latents, and latents to images.

    Parameters
    ----------
    size
        ``SD15_AUTOENCODER``, or another.
    """

    def __init__(self, size: AutoencoderSize = SD15_AUTOENCODER) -> None:
        super().__init__()
        self.size = size
        self.encoder = LatentEncoder(size)
        self.decoder = LatentDecoder(size)
        self.quant_conv = nn.Conv2d(2 * size.latent_channels, 2 * size.latent_channels, 1)
        self.post_quant_conv = nn.Conv2d(size.latent_channels, size.latent_channels, 1)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of the latents, N x C x h x w each, not yet multiplied by ``size.factor``."""
        mean, log_variance = self.quant_conv(self.encoder(images)).chunk(2, dim=1)
        return mean, torch.exp(0.5 * log_variance.clamp(*LOG_VARIANCE))

    def decode(self, latents: Tensor) -> Tensor:
        """Return images for latents as ``encode`` returns them."""
        images: Tensor = self.decoder(self.post_quant_conv(latents))
        return images

    def forward(self, images: Tensor) -> Tensor:
        """Return images through the mean of their latents."""
        return self.decode(self.encode(images)[0])
