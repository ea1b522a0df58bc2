"""Train the denoiser of embeddings: the space in which classes have unit spread, then what a network adds to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hemascope.core.noise_schedule import cosine_schedule
from hemascope.denoise.embedding_space import EmbeddingSpace
from hemascope.nets.embedding_denoiser import EmbeddingResidual
from hemascope.recipes import EmbeddingDenoiserRecipe
from hemascope.train.loop import SCORE, OnStep, train_by_steps

MAX_GRADIENT = 1.0

FIRST_STEP, LAST_STEP = 50, 970
"""Steps learned from: before, there is nothing to take away; after, nothing is left of the sample."""

ASKED_STEPS = (150, 350, 550, 750, 900)
"""Steps that validation samples are noised to, each with a pair of opposite noises."""


@dataclass(frozen=True, slots=True, eq=False)
class LabeledSamples:
    """Samples in an embedding space.

    Attributes
    ----------
    values
        N x M float32.
    labels
        N class numbers.
    """

    values: NDArray[np.float32]
    labels: NDArray[np.intp]


def train_residual(
    recipe: EmbeddingDenoiserRecipe,
    space: EmbeddingSpace,
    train: LabeledSamples,
    validation: LabeledSamples,
    run: Path,
    on_step: OnStep,
    *,
    log_every: int = 25,
) -> EmbeddingResidual:
    """Train until the recipe's last step, or until validation samples are explained no better; resumes.

    Parameters
    ----------
    space
        Gives the classes' centers.
    train, validation
        What is learned from, and what says when it was best.
    run
        The run folder.
    on_step
        Progress.

    Returns
    -------
    The moving average of the network where it was best, in evaluation mode.
    """
    centers = torch.from_numpy(space.centers)
    values, labels = torch.from_numpy(train.values), torch.from_numpy(train.labels).long()
    asked, truth = torch.from_numpy(validation.values), torch.from_numpy(validation.labels).long()
    torch.manual_seed(recipe.seed)
    net = EmbeddingResidual(values.shape[1], len(centers), recipe.width, recipe.blocks, recipe.dropout)

    def loss_of(step: int, seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randint(len(values), (recipe.batch,), generator=generator)
        steps = torch.randint(FIRST_STEP, LAST_STEP, (recipe.batch,), generator=generator)
        noise = torch.randn(recipe.batch, values.shape[1], generator=generator)
        return {"noise": noise_errors(net, centers, values[rows], labels[rows], steps, noise).mean()}

    return train_by_steps(
        recipe, run, net, loss_of, lambda average: {SCORE: explained(average, centers, asked, truth)}, on_step,
        max_gradient=MAX_GRADIENT, log_every=log_every,
    )  # fmt: skip


def noise_errors(
    net: EmbeddingResidual, centers: Tensor, samples: Tensor, labels: Tensor, steps: Tensor, noise: Tensor
) -> Tensor:
    """Return N mean squared errors of the noise told: the Gaussian answer and what the network adds to it."""
    schedule = cosine_schedule()
    signal = torch.from_numpy(schedule.signal).float()[steps][:, None]
    strength = torch.from_numpy(schedule.noise).float()[steps][:, None]
    noised = signal * samples + strength * noise
    gaussian = strength * (noised - signal * centers[labels])
    added = net(noised, steps / len(schedule), F.one_hot(labels, len(centers)).float())
    errors: Tensor = (noise - gaussian - added).square().mean(dim=1)
    return errors


@torch.no_grad()
def explained(net: EmbeddingResidual, centers: Tensor, samples: Tensor, labels: Tensor) -> float:
    """Return the mean error of samples under their own class, at fixed steps and noise."""
    net.eval()
    errors = []
    for step in ASKED_STEPS:
        noise = torch.randn(samples.shape, generator=torch.Generator().manual_seed(step))
        steps = torch.full((len(samples),), step)
        errors += [noise_errors(net, centers, samples, labels, steps, sign * noise).mean() for sign in (1, -1)]
    return float(torch.stack(errors).mean())
