"""Train an encoder of cells without labels: two looks at one crop are alike, looks at different crops are not.

SimCLR (Chen et al., ICML 2020): each crop is changed twice at random; among all looks of a batch, its other look is to
be found by the cosine of projected embeddings. Labels are read from the tables with the images, and never used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hemascope.nets.cell_encoder import CellEncoder
from hemascope.recipes import EncoderTrainingRecipe
from hemascope.train.cell_look import augment_by, build_encoder_net
from hemascope.train.crop_batches import LabeledCrops, load_crops
from hemascope.train.crop_net import Augment
from hemascope.train.loop import OnStep, train_by_steps

MAX_GRADIENT = 2.0

PROJECTION_WIDTH = 256
"""Hidden units of the projector, which is thrown away after training."""

VALIDATED = 512
"""Crops of each validation split that the loss is followed on."""


class ContrastiveNet(nn.Module):
    """An encoder, and the projector it is trained through.

    Parameters
    ----------
    encoder
        Embeds crops.
    length
        Of the projections.
    """

    def __init__(self, encoder: CellEncoder, length: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = nn.Sequential(
            nn.Linear(encoder.dimension, PROJECTION_WIDTH),
            nn.BatchNorm1d(PROJECTION_WIDTH),
            nn.ReLU(inplace=True),
            nn.Linear(PROJECTION_WIDTH, length),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return projections N x length of network input N x 3 x S x S."""
        projections: Tensor = self.projector(self.encoder.embed(x))
        return projections


def contrastive_loss(projections: Tensor, temperature: float) -> Tensor:
    """Return the loss NT-Xent of 2 N projections, of which i and i + N are looks at one crop; nats."""
    unit = F.normalize(projections.float(), dim=1)
    similarities = unit @ unit.T / temperature
    similarities = similarities.masked_fill(torch.eye(len(unit), dtype=torch.bool), float("-inf"))
    half = len(unit) // 2
    others = torch.cat([torch.arange(half, 2 * half), torch.arange(half)])
    return F.cross_entropy(similarities, others)


def two_looks(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], augment: Augment, seed: int) -> Tensor:
    """Return two changed looks at each of N crops, 2 N x 3 x S x S: all first looks, then all second ones."""
    generator = torch.Generator().manual_seed(seed)
    looks = torch.cat([augment(images, generator), augment(images, generator)])
    return looks.contiguous(memory_format=torch.channels_last)


def draw_images(
    sets: Sequence[LabeledCrops], shares: Sequence[float], batch: int, seed: int, step: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return the crops of one step, drawn without looking at labels; they depend on the seed and the step alone."""
    rng = np.random.default_rng((seed, step))
    counts = rng.multinomial(batch, np.asarray(shares, np.float64) / np.sum(shares))
    picks = [rng.choice(len(s.images), n, replace=n > len(s.images)) for s, n in zip(sets, counts, strict=True)]
    return np.concatenate([s.images[p] for s, p in zip(sets, picks, strict=True)])


@torch.no_grad()
def _validate(
    net: ContrastiveNet, sets: Sequence[LabeledCrops], augment: Augment, recipe: EncoderTrainingRecipe
) -> dict[str, float]:
    net.eval()
    figures = {}
    for crops in sets:
        images = crops.images[:VALIDATED]
        losses = [
            contrastive_loss(net(two_looks(images[start : start + recipe.batch], augment, start)), recipe.temperature)
            for start in range(0, len(images), recipe.batch)
        ]
        figures[f"{crops.name}.contrastive"] = float(torch.stack(losses).mean())
    return figures


def train_encoder(
    recipe: EncoderTrainingRecipe, root: Path, run: Path, on_step: OnStep, *, log_every: int = 25
) -> CellEncoder:
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
    The moving average of the encoder, in evaluation mode; its head is untrained.

    Raises
    ------
    DataSetError
        If a data set of the recipe cannot be read.
    """
    sets = [load_crops(source, root, "train", recipe) for source in recipe.sources]
    validation = [load_crops(source, root, "val", recipe) for source in recipe.sources]
    shares = [source.weight for source in recipe.sources]
    augment = augment_by(recipe.augmentation, recipe.crop_um / recipe.crop_px)
    net = ContrastiveNet(build_encoder_net(recipe, 1, 0.0), recipe.projection).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss_of(step: int, seed: int) -> dict[str, Tensor]:
        images = draw_images(sets, shares, recipe.batch, recipe.seed, step)
        looks = two_looks(images, augment, seed)
        with torch.autocast("cpu", torch.bfloat16):
            projections = net(looks)
        return {"contrastive": contrastive_loss(projections, recipe.temperature)}

    trained: ContrastiveNet = train_by_steps(
        recipe, run, net, loss_of, lambda n: _validate(n, validation, augment, recipe), on_step,
        max_gradient=MAX_GRADIENT, log_every=log_every,
    )  # fmt: skip
    return trained.encoder
