"""Train the finder: seeded, by steps, resumable; only validation splits choose anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hemascope.core.taxonomy import CellKind
from hemascope.data.folds import Fold
from hemascope.nets.star_net import ShippedStarNet, StarNet
from hemascope.recipes import SegmenterTrainingRecipe
from hemascope.train.augment import ColorJitter, degrade_optics, jitter_color, uneven_light
from hemascope.train.field_batches import draw_batch
from hemascope.train.images import shift_range, to_input
from hemascope.train.labeled_fields import TrainingField, load_source
from hemascope.train.loop import SCORE, OnStep, train_by_steps
from hemascope.train.package import load_model
from hemascope.train.star_loss import center_loss, radii_loss, tissue_loss
from hemascope.train.star_targets import StarTargets

MAX_GRADIENT = 5.0
VALIDATION_VIEWS = 24
"""Views of each validation set on which the losses are followed."""


def build_net(recipe: SegmenterTrainingRecipe) -> StarNet:
    """Return an untrained network of the recipe's size, seeded by it."""
    torch.manual_seed(recipe.seed)
    net = StarNet(len(CellKind), recipe.rays, recipe.widths)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def start_net(recipe: SegmenterTrainingRecipe) -> StarNet:
    """Return the network a training starts from: the recipe's model folder, or nothing learned yet.

    Raises
    ------
    WeightsError
        If that folder holds no weights of this network.
    """
    net = build_net(recipe)
    if recipe.start is not None:
        load_model(ShippedStarNet(net), Path(recipe.start))
    return net


def augment(images: NDArray[np.uint8], generator: torch.Generator) -> Tensor:
    """Return augmented network input; geometry was varied when the views were drawn."""
    batch = jitter_color(to_input(images), generator, ColorJitter(density=0.35, channel=0.25, mix=0.12, light=0.06))
    return shift_range(degrade_optics(uneven_light(batch, generator), generator, share=0.3))


def _stack(targets: Sequence[StarTargets], name: str) -> Tensor:
    return torch.from_numpy(np.stack([getattr(target, name) for target in targets]))


def finder_losses(net: StarNet, batch: Tensor, targets: Sequence[StarTargets]) -> dict[str, Tensor]:
    """Return the parts of the loss of a batch of network input."""
    with torch.autocast("cpu", torch.bfloat16):
        heat, radii, tissue = net(batch)
    return {
        "centers": center_loss(heat.float(), _stack(targets, "heat"), _stack(targets, "heat_weight")),
        "radii": radii_loss(radii.float(), _stack(targets, "radii"), _stack(targets, "radii_weight")),
        "tissue": tissue_loss(tissue.float(), _stack(targets, "tissue"), _stack(targets, "tissue_weight")),
    }


@torch.no_grad()
def validate_finder(
    net: StarNet, sets: dict[str, list[TrainingField]], recipe: SegmenterTrainingRecipe
) -> dict[str, float]:
    """Return the losses on views of each validation set, the same views at every call, and their mean as the score."""
    net.eval()
    figures: dict[str, float] = {}
    for name, fields in sets.items():
        images, targets = draw_batch(
            [fields], [1.0], batch=VALIDATION_VIEWS, size=recipe.crop_px, rays=recipe.rays, seed=recipe.seed + 1, step=0
        )
        losses = finder_losses(net, shift_range(to_input(images)), targets)
        figures |= {f"{name}.{part}": float(loss) for part, loss in losses.items()}
    return figures | {SCORE: sum(figures.values()) / len(sets)}


def train_segmenter(
    recipe: SegmenterTrainingRecipe,
    root: Path,
    run: Path,
    on_step: OnStep,
    *,
    fold: Fold | None = None,
    log_every: int = 25,
) -> StarNet:
    """Train to the recipe's last step or until validation stops improving; resumes from the newest checkpoint.

    Parameters
    ----------
    root
        Folder of the public data sets.
    run
        The run folder: ``log.jsonl`` and ``checkpoints`` go there.
    on_step
        Called after every step with the step, the number of steps and the loss.
    fold
        Whose splits to train and validate on; None for the splits of the sets.

    Returns
    -------
    The moving average of the network where it did best on the validation splits, in evaluation mode.

    Raises
    ------
    DataSetError
        If a data set of the recipe cannot be read.
    WeightsError
        If the weights it starts from cannot be.
    """
    sets = [load_source(source, root, "train", recipe, fold) for source in recipe.sources]
    validation = {s.data_set: load_source(s, root, "val", recipe, fold) for s in recipe.sources}
    shares = [source.weight for source in recipe.sources]
    net = start_net(recipe)

    def loss_of(step: int, seed: int) -> dict[str, Tensor]:
        images, targets = draw_batch(
            sets, shares, batch=recipe.batch, size=recipe.crop_px, rays=recipe.rays, seed=recipe.seed, step=step
        )
        return finder_losses(net, augment(images, torch.Generator().manual_seed(seed)), targets)

    def validate(average: StarNet) -> dict[str, float]:
        return validate_finder(average, {name: fields for name, fields in validation.items() if fields}, recipe)

    return train_by_steps(recipe, run, net, loss_of, validate, on_step, max_gradient=MAX_GRADIENT, log_every=log_every)
