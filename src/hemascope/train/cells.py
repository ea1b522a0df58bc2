"""Train the cell classifier: seeded, by steps, resumable; only validation splits choose anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hemascope.core.taxonomy import CellType
from hemascope.nets.cell_net import CellNet
from hemascope.recipes import CellTrainingRecipe
from hemascope.train.augment import ColorJitter, affine_matrices, degrade_optics, jitter_color, resample
from hemascope.train.crop_batches import LabeledCrops, draw_batch, load_crops
from hemascope.train.images import shift_range, to_input
from hemascope.train.loop import OnStep, train_by_steps

MAX_GRADIENT = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class CellOutputs:
    """What the network says of a set of crops: logits N x classes, embeddings N x D, both float32."""

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]


def build_net(recipe: CellTrainingRecipe) -> CellNet:
    """Return an untrained network of the recipe's size, seeded by it."""
    torch.manual_seed(recipe.seed)
    net = CellNet(len(CellType), recipe.widths, recipe.blocks, recipe.dropout)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def augment(images: NDArray[np.uint8], generator: torch.Generator) -> Tensor:
    """Return augmented network input of a batch."""
    batch = to_input(images)
    batch = resample(batch, affine_matrices(len(batch), generator, log_scale=0.2, shift=0.08))
    batch = jitter_color(batch, generator, ColorJitter())
    return shift_range(degrade_optics(batch, generator))


@torch.no_grad()
def predict(net: CellNet, images: NDArray[np.uint8], batch: int = 128) -> CellOutputs:
    """Return the network's answer for normalized crops, without augmentation."""
    net.eval()
    logits, embeddings = [], []
    for start in range(0, len(images), batch):
        out, embedding = net(shift_range(to_input(images[start : start + batch])))
        logits.append(out.float().numpy())
        embeddings.append(embedding.float().numpy())
    return CellOutputs(np.concatenate(logits), np.concatenate(embeddings))


def _validate(net: CellNet, sets: Sequence[LabeledCrops]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for crops in sets:
        logits = torch.from_numpy(predict(net, crops.images).logits)
        labels = torch.from_numpy(crops.labels)
        scores[f"{crops.name}.accuracy"] = float((logits.argmax(1) == labels).float().mean())
        scores[f"{crops.name}.nll"] = float(F.cross_entropy(logits, labels))
    return scores


def train_cells(recipe: CellTrainingRecipe, root: Path, run: Path, on_step: OnStep, *, log_every: int = 25) -> CellNet:
    """Train until the recipe's last step, resuming from the run folder's newest checkpoint.

    Parameters
    ----------
    root
        Folder of the public data sets.
    run
        The run folder.
    on_step
        Progress.

    Returns
    -------
    The moving average of the network, in evaluation mode.

    Raises
    ------
    DataSetError
        If a data set of the recipe cannot be read.
    """
    sets = [load_crops(source, root, "train", recipe) for source in recipe.sources]
    validation = [load_crops(source, root, "val", recipe) for source in recipe.sources]
    shares = [source.weight for source in recipe.sources]
    net = build_net(recipe)

    def loss_of(step: int, seed: int) -> dict[str, Tensor]:
        images, labels = draw_batch(sets, shares, recipe.batch, recipe.seed, step)
        batch = augment(images, torch.Generator().manual_seed(seed))
        with torch.autocast("cpu", torch.bfloat16):
            logits, _ = net(batch)
        smoothing = recipe.label_smoothing
        return {"types": F.cross_entropy(logits.float(), torch.from_numpy(labels), label_smoothing=smoothing)}

    def validate(average: CellNet) -> dict[str, float]:
        return _validate(average, validation)

    return train_by_steps(recipe, run, net, loss_of, validate, on_step, max_gradient=MAX_GRADIENT, log_every=log_every)
