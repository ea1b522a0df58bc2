"""What trainings of the cell encoder share: the network of a recipe, and how it changes crops at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch import Tensor

from hemascope.core.errors import WeightsError
from hemascope.core.optics import CENTER_UM, EDGE_UM
from hemascope.nets.cell_encoder import CellEncoder, EncoderShape, paint_surroundings
from hemascope.recipes import CellTrainingRecipe, CropAugmentation, EncoderSize, EncoderTrainingRecipe
from hemascope.train.augment import ColorJitter, affine_matrices, degrade_optics, drop_color, jitter_color, resample
from hemascope.train.crop_net import Augment
from hemascope.train.images import shift_range, to_input
from hemascope.zoo.card import TENSORS_FILE, read_card
from hemascope.zoo.onnx_graph import verified_bytes

HEAD = "head."
"""Tensors of the classifying head: another recipe's head is not started from."""


def encoder_shape(size: EncoderSize) -> EncoderShape:
    """Return the shape that a recipe asks for."""
    return EncoderShape(**size.model_dump())


def build_encoder_net(recipe: CellTrainingRecipe | EncoderTrainingRecipe, classes: int, dropout: float) -> CellEncoder:
    """Return an untrained network of the recipe's size, seeded by it."""
    torch.manual_seed(recipe.seed)
    net = CellEncoder(classes, encoder_shape(recipe.network), dropout, recipe.mixing)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def start_from(net: CellEncoder, folder: Path) -> None:
    """Load the encoder of a model folder into ``net``, in place; the head stays as it is.

    Raises
    ------
    WeightsError
        If the folder holds no model, its digest is not the card's, or its encoder has another size.
    """
    card = read_card(folder)
    path = folder / TENSORS_FILE
    stored = load(verified_bytes(path, card.files.get(TENSORS_FILE, "")))
    names = {name.split("net.", 1)[-1]: value for name, value in stored.items()}
    own = net.state_dict()
    wanted = [name for name in own if not name.startswith(HEAD)]
    wrong = [name for name in wanted if name not in names or names[name].shape != own[name].shape]
    if wrong:
        raise WeightsError(
            f"{path}: its encoder is of another size ({wrong[0]} and {len(wrong) - 1} more tensors); "
            "name a model trained with the same [network], or leave out start"
        )
    net.load_state_dict({name: names[name].to(own[name].dtype) if name in wanted else own[name] for name in own})


RADIUS_SPREAD = 0.15
"""Deviation of the log of the radius within which a crop keeps its cell."""


def augment_by(look: CropAugmentation, mpp: float) -> Augment:
    """Return the augmentation of a recipe for crops of ``mpp`` um per pixel."""
    jitter = ColorJitter(look.density, look.channel, look.mix, look.light)

    def augment(images: NDArray[np.uint8], generator: torch.Generator) -> Tensor:
        matrices = affine_matrices(len(images), generator, log_scale=look.log_scale, shift=look.shift)
        batch = jitter_color(resample(to_input(images), matrices), generator, jitter)
        if look.gray:
            batch = drop_color(batch, generator, share=look.gray)
        batch = shift_range(degrade_optics(batch, generator, share=look.degraded))
        return _keep_cells(batch, generator, look.surroundings, mpp) if look.surroundings else batch

    return augment


def _keep_cells(batch: Tensor, generator: torch.Generator, share: float, mpp: float) -> Tensor:
    """Return network input of which about ``share`` have lost what surrounds their cell."""
    spread = torch.exp(RADIUS_SPREAD * torch.randn((len(batch), 1, 1, 1), generator=generator))
    kept = paint_surroundings(batch, CENTER_UM / mpp * spread, EDGE_UM / mpp)
    chosen = torch.rand((len(batch), 1, 1, 1), generator=generator) < share
    return torch.where(chosen, kept, batch).contiguous(memory_format=torch.channels_last)
