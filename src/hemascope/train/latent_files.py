"""Folders in the layout of diffusers: configurations and tensors read without running code, and written.

FOLDER/unet/config.json                      FOLDER/vae/config.json
FOLDER/unet/diffusion_pytorch_model.safetensors      (or .fp16.safetensors), and the same in vae/
FOLDER/scheduler/scheduler_config.json       where it is missing, the schedule of Stable Diffusion 1.5 is meant
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from hemascope.core.errors import WeightsError
from hemascope.core.noise_schedule import NoiseSchedule, scaled_linear_schedule
from hemascope.nets.latent_autoencoder import SD15_AUTOENCODER, AutoencoderSize, LatentAutoencoder
from hemascope.nets.latent_unet import SD15_UNET, LatentUNet, UNetSize
from hemascope.train.latent_config import (
    autoencoder_config,
    autoencoder_size,
    schedule_config,
    schedule_of,
    unet_config,
    unet_size,
)
from hemascope.train.published import load_safetensors, load_strictly

UNET, AUTOENCODER, SCHEDULER = "unet", "vae", "scheduler"
"""Folders inside the folder of a model."""

CONFIG_FILE = "config.json"
SCHEDULER_FILE = "scheduler_config.json"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
WEIGHTS_FILES = (WEIGHTS_FILE, "diffusion_pytorch_model.fp16.safetensors")
"""Names that diffusers gives them, the first that is there is read."""

OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
"""Of the autoencoder's attention in files written before 2023, as the published ones of Stable Diffusion 1.5 are."""

Net = TypeVar("Net", bound=nn.Module)


def read_unet(folder: Path, dtype: torch.dtype = torch.float32, device: str = "cpu") -> LatentUNet:
    """Return the U-Net of a model's folder, in evaluation mode.

    Raises
    ------
    WeightsError
        If a file is missing or malformed, or its network is not of the layout of Stable Diffusion 1.5.
    """
    size = unet_size(_read_json(folder / UNET / CONFIG_FILE), str(folder / UNET / CONFIG_FILE))
    return _filled(empty_unet(size, dtype, device), folder / UNET)


def read_autoencoder(folder: Path, dtype: torch.dtype = torch.float32, device: str = "cpu") -> LatentAutoencoder:
    """Return the autoencoder of a model's folder, in evaluation mode; errors as ``read_unet``."""
    path = folder / AUTOENCODER / CONFIG_FILE
    size = autoencoder_size(_read_json(path), str(path))
    return _filled(empty_autoencoder(size, dtype, device), folder / AUTOENCODER)


def read_schedule(folder: Path) -> NoiseSchedule:
    """Return the schedule that a model's folder names, or that of Stable Diffusion 1.5 where it names none.

    Raises
    ------
    WeightsError
        If it is no scaled linear one, or the network predicts something else than noise.
    """
    path = folder / SCHEDULER / SCHEDULER_FILE
    return schedule_of(_read_json(path), str(path)) if path.is_file() else scaled_linear_schedule()


def empty_unet(size: UNetSize = SD15_UNET, dtype: torch.dtype = torch.float32, device: str = "cpu") -> LatentUNet:
    """Return a U-Net whose values are not set, made in its precision at once: 860 million take no other copy."""
    with torch.device("meta"):
        net = LatentUNet(size).to(dtype)
    return net.to_empty(device=device)


def empty_autoencoder(
    size: AutoencoderSize = SD15_AUTOENCODER, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> LatentAutoencoder:
    """Return an autoencoder whose values are not set, made in its precision at once."""
    with torch.device("meta"):
        net = LatentAutoencoder(size).to(dtype)
    return net.to_empty(device=device)


def write_latent_folder(
    folder: Path, unet: LatentUNet, autoencoder: LatentAutoencoder, dtype: torch.dtype = torch.float16
) -> list[Path]:
    """Write both networks into a folder that is there, so that diffusers reads them too; return the files.

    Parameters
    ----------
    dtype
        Of the tensors in the files.
    """
    written = []
    for name, net, config in (
        (UNET, unet, unet_config(unet.size)),
        (AUTOENCODER, autoencoder, autoencoder_config(autoencoder.size)),
    ):
        place = folder / name
        place.mkdir()
        written += [_write_json(place / CONFIG_FILE, config), place / WEIGHTS_FILE]
        tensors = {key: value.to("cpu", dtype).contiguous() for key, value in net.state_dict().items()}
        save_file(tensors, str(place / WEIGHTS_FILE), metadata={"format": "pt"})
    (folder / SCHEDULER).mkdir()
    return [*written, _write_json(folder / SCHEDULER / SCHEDULER_FILE, schedule_config())]


def weights_path(folder: Path) -> Path:
    """Return the file of tensors in the folder of a network.

    Raises
    ------
    WeightsError
        If there is none; it says what to do where only pickled ones lie there.
    """
    for name in WEIGHTS_FILES:
        if (folder / name).is_file():
            return folder / name
    pickled = sorted(path.name for path in folder.glob("*.bin"))
    if pickled:
        raise WeightsError(
            f"{folder}: holds {pickled[0]} alone, and reading that could run code; have diffusers write safetensors "
            "where you trust the file: save_pretrained(FOLDER, safe_serialization=True)"
        )
    raise WeightsError(
        f"{folder}: holds no {WEIGHTS_FILE}; name a folder that diffusers' save_pretrained or hemascope train latent "
        "wrote, with unet and vae in it"
    )


def _filled(net: Net, folder: Path) -> Net:
    path = weights_path(folder)
    load_strictly(net, _renamed(load_safetensors(path)), str(path))
    return net.eval()


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors under the names of today; those of old that were 1 x 1 convolutions become matrices."""
    renamed = {}
    for name, value in state.items():
        new = name
        if ".attentions." in name and "transformer_blocks" not in name:
            for old, current in OLD_NAMES.items():
                new = new.replace(old, current)
        renamed[new] = value[:, :, 0, 0] if new != name and value.ndim == 4 else value
    return renamed


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); name a folder in the layout of diffusers, with "
            "unet/config.json and vae/config.json in it"
        ) from error
    except ValueError as error:
        raise WeightsError(f"{path}: no JSON ({error}); fetch the file again") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{path}: no configuration of a network; fetch the file again")
    return values


def _write_json(path: Path, values: Mapping[str, object]) -> Path:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return path
