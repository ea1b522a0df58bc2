"""Train and ask HMSCAM and what it is compared with: both heads on one backbone, seeded, by steps, resumable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from hemascope.core.errors import WeightsError
from hemascope.data.taleqani import SUBTYPES
from hemascope.data.taleqani_views import View
from hemascope.nets.alexnet import AlexNet
from hemascope.nets.headed import Headed
from hemascope.nets.hmscam import Hmscam
from hemascope.nets.resnet import ResNet50
from hemascope.nets.vit import Block, VisionTransformer, VitSize
from hemascope.recipes import LeukemiaTrainingRecipe
from hemascope.train.images import shift_range, to_input
from hemascope.train.leukemia_images import (
    LeukemiaImages,
    augment,
    class_weights,
    draw_chances,
    prepare,
    views_of_recipe,
)
from hemascope.train.loop import OnStep, train_by_steps

HEADS = (len(SUBTYPES), 2)
"""Classes of the two heads: subtypes, and benign or malignant."""

MAX_GRADIENT = 2.0

VIT_SCALE = 1.0
"""Factor of the transformer's residual branches before training; DINOv2's is too small to start from random weights."""

Architecture = Literal["hmscam", "alexnet", "vit"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One network to train.

    Attributes
    ----------
    name
        Of its folder and in the tables.
    architecture
        What is trained; ``hmscam`` without parts is ResNet50.
    parts
        Which of ``msca``, ``csa`` and ``dar`` are there.
    seed
        Of weights, batches and augmentation.
    view
        What it sees of a field.
    share
        Of the training fields, the same of every stain cluster.
    fold
        Which part of the rotated clusters is held out; None for the split of the set.
    """

    name: str
    architecture: Architecture = "hmscam"
    parts: tuple[str, ...] = ("msca", "csa", "dar")
    seed: int = 0
    view: View = "whole"
    share: float = 1.0
    fold: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LeukemiaAnswers:
    """Probabilities of N fields: subtypes N x 4, benign and malignant N x 2; float64, rows sum to 1."""

    subtypes: NDArray[np.float64]
    malignant: NDArray[np.float64]


def build_network(recipe: LeukemiaTrainingRecipe, trial: Trial) -> nn.Module:
    """Return an untrained network of two heads, seeded; on the GPU where there is one.

    Raises
    ------
    WeightsError
        If the recipe names weights to start from that are not there or of another layout.
    """
    torch.manual_seed(trial.seed)
    net: nn.Module
    if trial.architecture == "alexnet":
        body = AlexNet(None, recipe.width)
        net = Headed(body, body.channels, HEADS)
    elif trial.architecture == "vit":
        dimension, depth, heads, patch = recipe.vit
        size = VitSize(dimension, depth, heads, image_px=recipe.input_px, patch_px=patch)
        net = Headed(_open_scales(VisionTransformer(size)), dimension, HEADS)
    else:
        on = {part: part in trial.parts for part in ("msca", "csa", "dar")}
        net = Hmscam(HEADS, pooling=recipe.pooling, last_stride=recipe.last_stride, width=recipe.width, **on)
        if recipe.start is not None:
            load_backbone(net.backbone, Path(recipe.start))
    return net.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def device() -> str:
    """Return where networks are trained on this machine."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_backbone(backbone: ResNet50, path: Path) -> None:
    """Load weights of torchvision's ResNet50 from safetensors; only the last layer, ``fc``, is left out.

    Raises
    ------
    WeightsError
        If the file is no safetensors file, or a name or shape is missing, additional or different.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(str(path))
        backbone.load_state_dict({name: value for name, value in weights.items() if not name.startswith("fc.")})
    except (OSError, RuntimeError, SafetensorError) as error:
        raise WeightsError(
            f"{path.name}: not the weights of a ResNet50 in torchvision's layout ({error}); convert them to safetensors"
        ) from error


def train_trial(
    recipe: LeukemiaTrainingRecipe, trial: Trial, images: LeukemiaImages, run: Path, on_step: OnStep
) -> nn.Module:
    """Train to the recipe's last step; resumes from the newest checkpoint.

    Parameters
    ----------
    images
        Fields to learn from: whoever calls leaves out what is held out.
    run
        The trial's folder.

    Returns
    -------
    The moving average of the network, in evaluation mode.
    """
    chosen = images.chosen(share_of(images, trial.share))
    views = [prepare(chosen.pixels, view, recipe.input_px) for view in views_of_recipe(recipe, trial.view)]
    chances = draw_chances(chosen, weighted=recipe.sampler)
    even = not recipe.weighted_loss
    targets = [
        (labels, torch.ones(k) if even else class_weights(labels, chances, k))
        for labels, k in zip((chosen.subtypes, chosen.malignant), HEADS, strict=True)
    ]
    net = build_network(recipe, trial)
    where = device()

    def loss_of(step: int, seed: int) -> dict[str, Tensor]:
        draw = np.random.default_rng((trial.seed, step))
        rows = draw.choice(len(chances), recipe.batch, p=chances)
        picked = draw.integers(len(views), size=recipe.batch)
        pixels = np.stack([views[v][row] for v, row in zip(picked, rows, strict=True)])
        batch = augment(pixels, torch.Generator().manual_seed(seed), recipe).to(where)
        with torch.autocast(where, torch.bfloat16):
            answers = net(batch)
        losses = {}
        for name, logits, (labels, weights) in zip(("subtypes", "malignant"), answers, targets, strict=True):
            truth = torch.from_numpy(labels[rows]).to(where)
            losses[name] = F.cross_entropy(
                logits.float(), truth, weights.to(where), label_smoothing=recipe.label_smoothing
            )
        return losses

    seeded = recipe.model_copy(update={"seed": trial.seed})
    return train_by_steps(seeded, run, net, loss_of, lambda _: {}, on_step, max_gradient=MAX_GRADIENT)


def share_of(images: LeukemiaImages, share: float) -> NDArray[np.intp]:
    """Return the places of a share of the fields, the first of every cluster, at least one of each; all for 1."""
    places = [np.flatnonzero(images.groups == group) for group in dict.fromkeys(images.groups.tolist())]
    kept: NDArray[np.intp] = np.sort(np.concatenate([p[: max(1, round(share * len(p)))] for p in places]))
    return kept


def answer(
    net: nn.Module, recipe: LeukemiaTrainingRecipe, pixels: NDArray[np.uint8], view: View = "whole"
) -> LeukemiaAnswers:
    """Return a network's probabilities for fields, the mean over the views of the recipe; no augmentation.

    Parameters
    ----------
    pixels
        N x H x W x 3 uint8 as taken.
    """
    told = [_probabilities(net, prepare(pixels, v, recipe.input_px)) for v in views_of_recipe(recipe, view)]
    subtypes, malignant = (np.mean([answers[head] for answers in told], axis=0) for head in range(2))
    return LeukemiaAnswers(subtypes, malignant)


@torch.no_grad()
def _probabilities(net: nn.Module, images: NDArray[np.uint8], batch: int = 32) -> list[NDArray[np.float64]]:
    """Return each head's probabilities of prepared fields."""
    net.eval()
    heads: list[list[Tensor]] = [[], []]
    for part in network_batches(images, batch):
        with torch.autocast(device(), torch.bfloat16):
            answers = net(part)
        for kept, logits in zip(heads, answers, strict=True):
            kept.append(logits.double().softmax(dim=1).cpu())
    return [torch.cat(kept).numpy() for kept in heads]


def network_batches(images: NDArray[np.uint8], batch: int) -> Sequence[Tensor]:
    """Return prepared fields N x S x S x 3 as batches of network input on the device."""
    return [shift_range(to_input(images[i : i + batch])).to(device()) for i in range(0, len(images), batch)]


def _open_scales(net: VisionTransformer) -> VisionTransformer:
    for block in net.blocks:
        if isinstance(block, Block):
            nn.init.constant_(block.ls1.gamma, VIT_SCALE)
            nn.init.constant_(block.ls2.gamma, VIT_SCALE)
    return net
