"""What classifiers of crops share: the network, its answers, and the steps of its training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from hemascope.nets.cell_encoder import CellEncoder
from hemascope.nets.cell_net import CellNet
from hemascope.recipes import CropTrainingRecipe, RedCellTrainingRecipe
from hemascope.train.crop_batches import LabeledCrops, draw_batch
from hemascope.train.images import shift_range, to_input
from hemascope.train.loop import OnStep, train_by_steps

MAX_GRADIENT = 2.0

CropNet = TypeVar("CropNet", CellNet, CellEncoder)
"""A network that turns crops into logits and embeddings."""

Augment = Callable[[NDArray[np.uint8], torch.Generator], Tensor]
"""A batch of normalized crops N x S x S x 3 to network input, changed at random."""


@dataclass(frozen=True, slots=True, eq=False)
class CropOutputs:
    """What the network says of a set of crops: logits N x classes, embeddings N x D, both float32."""

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]


def build_net(recipe: RedCellTrainingRecipe, classes: int) -> CellNet:
    """Return an untrained network of the recipe's size, seeded by it."""
    torch.manual_seed(recipe.seed)
    net = CellNet(classes, recipe.widths, recipe.blocks, recipe.dropout)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


@torch.no_grad()
def predict(net: nn.Module, images: NDArray[np.uint8], batch: int = 128) -> CropOutputs:
    """Return the answer of a network whose first outputs are logits and embedding for normalized crops, unchanged."""
    net.eval()
    logits, embeddings = [], []
    for start in range(0, len(images), batch):
        out, embedding = net(shift_range(to_input(images[start : start + batch])))[:2]
        logits.append(out.float().numpy())
        embeddings.append(embedding.float().numpy())
    return CropOutputs(np.concatenate(logits), np.concatenate(embeddings))


def validate_crops(net: CellNet | CellEncoder, sets: Sequence[LabeledCrops]) -> dict[str, float]:
    """Return accuracy and negative log-likelihood on each set."""
    figures: dict[str, float] = {}
    for crops in sets:
        logits = torch.from_numpy(predict(net, crops.images).logits)
        labels = torch.from_numpy(crops.labels)
        figures[f"{crops.name}.accuracy"] = float((logits.argmax(1) == labels).float().mean())
        figures[f"{crops.name}.nll"] = float(F.cross_entropy(logits, labels))
    return figures


@dataclass(frozen=True, slots=True)
class CropTraining(Generic[CropNet]):
    """What a classifier of crops learns from, and how its batches are changed.

    Attributes
    ----------
    net
        Trained in place.
    sets
        Crops to learn from, one for each source of the recipe.
    augment
        Changes a batch.
    validate
        Figures of a network on validation splits; see ``train_by_steps``.
    mixup
        Two crops and their labels are mixed by a weight drawn from Beta(mixup, mixup); 0 for never.
    """

    net: CropNet
    sets: Sequence[LabeledCrops]
    augment: Augment
    validate: Callable[[CropNet], dict[str, float]]
    mixup: float = 0.0


def train_crop_net(
    recipe: CropTrainingRecipe, training: CropTraining[CropNet], run: Path, on_step: OnStep, log_every: int
) -> CropNet:
    """Train a classifier of crops; see ``train_by_steps`` for where it stops and what it returns."""
    shares = [source.weight for source in recipe.sources]
    net = training.net

    def loss_of(step: int, seed: int) -> dict[str, Tensor]:
        images, labels = draw_batch(training.sets, shares, recipe.batch, recipe.seed, step)
        generator = torch.Generator().manual_seed(seed)
        batch = training.augment(images, generator)
        truth, others, weight = _mixed_labels(torch.from_numpy(labels), training.mixup, seed)
        if weight < 1:
            batch = torch.lerp(batch[others], batch, weight).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits, _ = net(batch)

        def loss(wanted: Tensor) -> Tensor:
            return F.cross_entropy(logits.float(), wanted, label_smoothing=recipe.label_smoothing)

        return {"types": weight * loss(truth) + (1 - weight) * loss(truth[others]) if weight < 1 else loss(truth)}

    return train_by_steps(
        recipe, run, net, loss_of, training.validate, on_step, max_gradient=MAX_GRADIENT, log_every=log_every
    )


def _mixed_labels(labels: Tensor, mixup: float, seed: int) -> tuple[Tensor, Tensor, float]:
    """Return labels, the order of what each crop is mixed with, and the weight of the crop itself."""
    rng = np.random.default_rng(seed)
    weight = float(rng.beta(mixup, mixup)) if mixup else 1.0
    return labels, torch.from_numpy(rng.permutation(len(labels))), max(weight, 1 - weight)
