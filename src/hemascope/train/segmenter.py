"""Train the finder: seeded, by steps, resumable; only validation splits choose anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hemascope.core.taxonomy import CellKind
from hemascope.nets.star_net import StarNet
from hemascope.recipes import SegmenterTrainingRecipe
from hemascope.train.augment import ColorJitter, degrade_optics, jitter_color, uneven_light
from hemascope.train.field_batches import draw_batch
from hemascope.train.images import shift_range, to_input
from hemascope.train.labeled_fields import TrainingField, load_source
from hemascope.train.loop import OnStep, train_by_steps
from hemascope.train.star_loss import center_loss, radii_loss
from hemascope.train.star_targets import StarTargets

MAX_GRADIENT = 5.0
RADII_SHARE = 1.0
"""Weight of the radii's loss beside the centers'."""


def build_net(recipe: SegmenterTrainingRecipe) -> StarNet:
    """Return an untrained network of the recipe's size, seeded by it."""
    torch.manual_seed(recipe.seed)
    net = StarNet(len(CellKind), recipe.rays, recipe.widths)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def augment(images: NDArray[np.uint8], generator: torch.Generator) -> Tensor:
    """Return augmented network input; geometry was varied when the views were drawn."""
    batch = jitter_color(to_input(images), generator, ColorJitter(density=0.35, channel=0.25, mix=0.12, light=0.06))
    return shift_range(degrade_optics(uneven_light(batch, generator), generator, share=0.3))


def _stack(targets: Sequence[StarTargets], name: str) -> Tensor:
    return torch.from_numpy(np.stack([getattr(target, name) for target in targets]))


def _loss(net: StarNet, batch: Tensor, targets: Sequence[StarTargets]) -> tuple[Tensor, Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        heat, radii = net(batch)
    centers = center_loss(heat.float(), _stack(targets, "heat"), _stack(targets, "heat_weight"))
    reach = radii_loss(radii.float(), _stack(targets, "radii"), _stack(targets, "radii_weight"))
    return centers, reach


@torch.no_grad()
def _validate(net: StarNet, sets: dict[str, list[TrainingField]], recipe: SegmenterTrainingRecipe) -> dict[str, float]:
    """Return both losses on views of each validation set, the same views at every call."""
    net.eval()
    scores: dict[str, float] = {}
    for name, fields in sets.items():
        images, targets = draw_batch(
            [fields], [1.0], batch=16, size=recipe.crop_px, rays=recipe.rays, seed=recipe.seed + 1, step=0
        )
        centers, reach = _loss(net, shift_range(to_input(images)), targets)
        scores |= {f"{name}.centers": float(centers), f"{name}.radii": float(reach)}
    return scores


def train_segmenter(
    recipe: SegmenterTrainingRecipe, root: Path, run: Path, on_step: OnStep, *, log_every: int = 25
) -> StarNet:
    """Train until the recipe's last step, resuming from the run folder's newest checkpoint.

    Parameters
    ----------
    root
        Folder of the public data sets.
    run
        The run folder: ``log.jsonl`` and ``checkpoints`` go there.
    on_step
        Called after every step with the step, the number of steps and the loss.

    Returns
    -------
    The moving average of the network, in evaluation mode.

    Raises
    ------
    DataSetError
        If a data set of the recipe cannot be read.
    """
    sets = [load_source(source, root, "train", recipe) for source in recipe.sources]
    validation = {s.data_set: load_source(s, root, "val", recipe) for s in recipe.sources}
    shares = [source.weight for source in recipe.sources]
    net = build_net(recipe)

    def loss_of(step: int, seed: int) -> dict[str, Tensor]:
        images, targets = draw_batch(
            sets, shares, batch=recipe.batch, size=recipe.crop_px, rays=recipe.rays, seed=recipe.seed, step=step
        )
        centers, reach = _loss(net, augment(images, torch.Generator().manual_seed(seed)), targets)
        return {"centers": centers, "radii": RADII_SHARE * reach}

    def validate(average: StarNet) -> dict[str, float]:
        return _validate(average, validation, recipe)

    return train_by_steps(recipe, run, net, loss_of, validate, on_step, max_gradient=MAX_GRADIENT, log_every=log_every)
