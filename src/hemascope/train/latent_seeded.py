"""Latent diffusion with seeded values, where published weights cannot be had: right for its cost, without sense."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import nn

from hemascope.core.provenance import ModelIdentity
from hemascope.nets.latent_autoencoder import SD15_AUTOENCODER, AutoencoderSize, LatentAutoencoder
from hemascope.nets.latent_unet import SD15_UNET, LatentUNet, UNetSize
from hemascope.recipes import LatentSize
from hemascope.train.latent_denoiser import LatentDenoiser, LatentSpec
from hemascope.train.latent_files import empty_autoencoder, empty_unet

Net = TypeVar("Net", bound=nn.Module)


@torch.no_grad()
def fill_by_seed(net: Net, seed: int) -> Net:
    """Set every value of a network, in place and in its own precision; return it in evaluation mode.

    Weights are normal with variance 1 / fan-in (LeCun et al., 1998), normalizations leave as is, biases are zero.
    """
    generator = torch.Generator().manual_seed(seed)
    for value in net.parameters():
        if value.ndim > 1:
            value.normal_(std=1 / math.sqrt(value[0].numel()), generator=generator)
    for module in net.modules():
        if isinstance(module, nn.GroupNorm | nn.LayerNorm):
            module.weight.fill_(1)
        bias = getattr(module, "bias", None)
        if isinstance(bias, nn.Parameter):
            bias.zero_()
    return net.eval()


def unet_of(size: LatentSize) -> UNetSize:
    """Return the size of the U-Net that a recipe asks for."""
    return UNetSize(size.channels, size.layers, size.heads, size.context_width, size.groups)


def autoencoder_of(size: LatentSize) -> AutoencoderSize:
    """Return the size of the autoencoder that a recipe asks for."""
    return AutoencoderSize(size.encoder_channels, size.encoder_layers, size.groups)


def seeded_networks(
    unet: UNetSize = SD15_UNET,
    autoencoder: AutoencoderSize = SD15_AUTOENCODER,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> tuple[LatentUNet, LatentAutoencoder]:
    """Return both networks with seeded values, the same for the same seed, on the processor."""
    return (
        fill_by_seed(empty_unet(unet, dtype), seed),
        fill_by_seed(empty_autoencoder(autoencoder, dtype), seed + 1),
    )


def seeded_denoiser(
    spec: LatentSpec,
    unet: UNetSize = SD15_UNET,
    autoencoder: AutoencoderSize = SD15_AUTOENCODER,
    *,
    seed: int = 0,
    precision: str = "bf16",
) -> LatentDenoiser:
    """Return a denoiser of the layout of Stable Diffusion 1.5 that knows nothing.

    Parameters
    ----------
    precision
        ``fp32``, or ``bf16``: of all values and products.
    """
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    networks = seeded_networks(unet, autoencoder, seed, dtype)
    identity = ModelIdentity("latent_seeded", f"seed {seed}", "", f"torch-cpu-{precision}", "Apache-2.0")
    return LatentDenoiser(identity, spec, *networks)
