"""Configurations of diffusers to sizes of our networks, and back; what these networks cannot do is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hemascope.core.errors import WeightsError
from hemascope.core.noise_schedule import STEPS, NoiseSchedule, scaled_linear_schedule
from hemascope.nets.latent_autoencoder import AutoencoderSize
from hemascope.nets.latent_unet import UNetSize

Config = dict[str, Any]

Size = TypeVar("Size")

_UNET_ALWAYS: Config = {
    "act_fn": "silu",
    "addition_embed_type": None,
    "center_input_sample": False,
    "class_embed_type": None,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "downsample_padding": 1,
    "dual_cross_attention": False,
    "encoder_hid_dim": None,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "norm_eps": 1e-5,
    "num_attention_heads": None,
    "only_cross_attention": False,
    "resnet_out_scale_factor": 1.0,
    "resnet_skip_time_act": False,
    "resnet_time_scale_shift": "default",
    "time_embedding_type": "positional",
    "transformer_layers_per_block": 1,
    "use_linear_projection": False,
}
_AUTOENCODER_ALWAYS: Config = {
    "act_fn": "silu",
    "in_channels": 3,
    "latents_mean": None,
    "latents_std": None,
    "mid_block_add_attention": True,
    "out_channels": 3,
    "shift_factor": None,
    "use_post_quant_conv": True,
    "use_quant_conv": True,
}
_SCHEDULE_ALWAYS: Config = {
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": STEPS,
    "prediction_type": "epsilon",
    "rescale_betas_zero_snr": False,
    "trained_betas": None,
}
"""Keys that may be absent, and what they say in the layout of Stable Diffusion 1.5, which is all our networks can."""


def unet_size(config: Config, source: str) -> UNetSize:
    """Return the size that a configuration of ``UNet2DConditionModel`` states.

    Parameters
    ----------
    source
        Where it comes from, for an error.

    Raises
    ------
    WeightsError
        If it lacks a key, or states a network of another layout.
    """
    size = _parsed(_unet_from, config, source)
    _check(config, _UNET_ALWAYS | _unet_blocks(size), source)
    return size


def autoencoder_size(config: Config, source: str) -> AutoencoderSize:
    """Return the size that a configuration of ``AutoencoderKL`` states; parameters and errors as ``unet_size``."""
    size = _parsed(_autoencoder_from, config, source)
    _check(config, _AUTOENCODER_ALWAYS | _autoencoder_blocks(size), source)
    return size


def schedule_of(config: Config, source: str) -> NoiseSchedule:
    """Return the schedule that a scheduler's configuration states; parameters and errors as ``unet_size``."""
    _check(config, _SCHEDULE_ALWAYS, source)
    return _parsed(
        lambda c: scaled_linear_schedule(STEPS, float(c.get("beta_start", 0.00085)), float(c.get("beta_end", 0.012))),
        config, source,
    )  # fmt: skip


def unet_config(size: UNetSize) -> dict[str, object]:
    """Return the configuration by which diffusers builds the same U-Net."""
    return {
        "_class_name": "UNet2DConditionModel",
        **_UNET_ALWAYS,
        **_unet_blocks(size),
        "attention_head_dim": size.heads,
        "block_out_channels": list(size.channels),
        "cross_attention_dim": size.context_width,
        "in_channels": size.latent_channels,
        "layers_per_block": size.layers,
        "norm_num_groups": size.groups,
        "out_channels": size.latent_channels,
    }


def autoencoder_config(size: AutoencoderSize) -> dict[str, object]:
    """Return the configuration by which diffusers builds the same autoencoder."""
    return {
        "_class_name": "AutoencoderKL",
        **_AUTOENCODER_ALWAYS,
        **_autoencoder_blocks(size),
        "block_out_channels": list(size.channels),
        "latent_channels": size.latent_channels,
        "layers_per_block": size.layers,
        "norm_num_groups": size.groups,
        "scaling_factor": size.factor,
    }


def schedule_config() -> dict[str, object]:
    """Return the configuration of the schedule of Stable Diffusion 1.5 for diffusers."""
    return {
        "_class_name": "DDPMScheduler",
        **_SCHEDULE_ALWAYS,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "clip_sample": False,
    }


def _unet_from(config: Config) -> UNetSize:
    if config["in_channels"] != config["out_channels"]:
        raise ValueError(f"{config['in_channels']} channels in, {config['out_channels']} out")
    return UNetSize(
        channels=tuple(map(int, config["block_out_channels"])),
        layers=int(config["layers_per_block"]),
        heads=int(config["attention_head_dim"]),  # named so by an old mistake: it is their number
        context_width=int(config["cross_attention_dim"]),
        groups=int(config.get("norm_num_groups", 32)),
        latent_channels=int(config["in_channels"]),
    )


def _autoencoder_from(config: Config) -> AutoencoderSize:
    return AutoencoderSize(
        channels=tuple(map(int, config["block_out_channels"])),
        layers=int(config["layers_per_block"]),
        groups=int(config.get("norm_num_groups", 32)),
        latent_channels=int(config["latent_channels"]),
        factor=float(config.get("scaling_factor", 0.18215)),
    )


def _unet_blocks(size: UNetSize) -> dict[str, object]:
    attended = len(size.channels) - 1
    return {
        "down_block_types": ["CrossAttnDownBlock2D"] * attended + ["DownBlock2D"],
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * attended,
    }


def _autoencoder_blocks(size: AutoencoderSize) -> dict[str, object]:
    levels = len(size.channels)
    return {
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
    }


def _check(config: Config, always: Config, source: str) -> None:
    for key, expected in always.items():
        if key in config and config[key] != expected:
            raise WeightsError(
                f"{source}: {key} is {config[key]!r}, not {expected!r}: another layout than that of Stable Diffusion "
                "1.5; name a model of that layout"
            )


def _parsed(read: Callable[[Config], Size], config: Config, source: str) -> Size:
    try:
        return read(config)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{source}: states no network of the layout of Stable Diffusion 1.5 ({error}); name a model of that layout"
        ) from error
