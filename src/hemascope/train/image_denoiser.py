"""Train the denoiser of cell images: seeded, by steps, resumable; only validation splits choose anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.taxonomy import CellType
from hemascope.nets.image_denoiser import DenoiserShape, ImageDenoiser
from hemascope.recipes import DenoiserTrainingRecipe
from hemascope.train.augment import ColorJitter, affine_matrices, degrade_optics, jitter_color, resample
from hemascope.train.crop_batches import LabeledCrops, draw_batch, load_crops
from hemascope.train.crop_net import Augment
from hemascope.train.images import to_input
from hemascope.train.loop import OnStep, train_by_steps

MAX_GRADIENT = 1.0

MARGIN = 1.5
"""Crops are read wider than a sample by this factor: a turned square needs its corners."""

ASKED_CELLS = 96
"""Validation cells that are classified while training goes on."""

ASKED_STEPS = (350, 500, 650)
"""Steps they are noised to, with a pair of opposite noises each."""


def build_denoiser(recipe: DenoiserTrainingRecipe) -> ImageDenoiser:
    """Return an untrained network of the recipe's size, seeded by it."""
    torch.manual_seed(recipe.seed)
    net = ImageDenoiser(len(CellType), DenoiserShape(**recipe.network.model_dump()))
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def load_samples(recipe: DenoiserTrainingRecipe, root: Path, split: str) -> list[LabeledCrops]:
    """Return the crops of every source, wider than a sample by ``MARGIN``."""
    wide = recipe.model_copy(update={"crop_px": round(recipe.crop_px * MARGIN), "crop_um": recipe.crop_um * MARGIN})
    return [load_crops(source, root, split, wide) for source in recipe.sources]


def sample_looks(recipe: DenoiserTrainingRecipe) -> Augment:
    """Return the augmentation of a recipe: wide crops to samples N x 3 x S x S in -1..1, background 1."""
    look, px = recipe.augmentation, recipe.crop_px
    jitter = ColorJitter(look.density, look.channel, look.mix, look.light)

    def augment(images: NDArray[np.uint8], generator: torch.Generator) -> Tensor:
        matrices = affine_matrices(len(images), generator, log_scale=look.log_scale, shift=look.shift)
        batch = jitter_color(central(resample(to_input(images), matrices), px), generator, jitter)
        if look.degraded:
            batch = degrade_optics(batch, generator, share=look.degraded)
        return (2 * batch - 1).contiguous(memory_format=torch.channels_last)

    return augment


def central(images: Tensor, side: int) -> Tensor:
    """Return the central side x side pixels of images N x 3 x H x W."""
    top, left = (images.shape[2] - side) // 2, (images.shape[3] - side) // 2
    return images[:, :, top : top + side, left : left + side]


def velocity_loss(
    net: ImageDenoiser, samples: Tensor, conditions: Tensor, steps: Tensor, noise: Tensor, gamma: float
) -> Tensor:
    """Return N weighted mean squared errors of the velocity; see ``DenoiserTrainingRecipe.gamma``."""
    schedule = cosine_schedule()
    signal, strength = _at(schedule.signal, steps), _at(schedule.noise, steps)
    noised = signal * samples + strength * noise
    with torch.autocast("cpu", torch.bfloat16):
        told = net(noised.contiguous(memory_format=torch.channels_last), steps / len(schedule), conditions)
    errors = (told.float() - (signal * noise - strength * samples)).square().mean((1, 2, 3))
    snr = torch.from_numpy(schedule.snr).float()[steps]
    weighted: Tensor = errors * snr.clamp(max=gamma) / (snr + 1)
    return weighted


def train_denoiser(
    recipe: DenoiserTrainingRecipe, root: Path, run: Path, on_step: OnStep, *, log_every: int = 25
) -> ImageDenoiser:
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
    sets, validation = load_samples(recipe, root, "train"), load_samples(recipe, root, "val")
    shares = [source.weight for source in recipe.sources]
    augment = sample_looks(recipe)
    schedule = cosine_schedule()

    def loss_of(step: int, seed: int) -> dict[str, Tensor]:
        images, labels = draw_batch(sets, shares, recipe.batch, recipe.seed, step)
        generator = torch.Generator().manual_seed(seed)
        samples = augment(images, generator)
        conditions = F.one_hot(torch.from_numpy(labels), len(CellType)).float()
        samples, conditions = mix_pairs(samples, conditions, recipe.mixup, seed)
        named = torch.rand(len(samples), 1, generator=generator) >= recipe.nameless
        steps = torch.randint(len(schedule), (len(samples),), generator=generator)
        noise = torch.randn(samples.shape, generator=generator)
        return {"velocity": velocity_loss(net, samples, conditions * named, steps, noise, recipe.gamma).mean()}

    net = build_denoiser(recipe)
    return train_by_steps(
        recipe, run, net, loss_of, lambda average: validate(average, validation, recipe), on_step,
        max_gradient=MAX_GRADIENT, log_every=log_every,
    )  # fmt: skip


def mix_pairs(samples: Tensor, conditions: Tensor, mixup: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return samples and conditions mixed with those of another order, by one weight a batch."""
    rng = np.random.default_rng(seed)
    weight = float(rng.beta(mixup, mixup)) if mixup else 1.0
    weight = max(weight, 1 - weight)
    others = torch.from_numpy(rng.permutation(len(samples)))
    return torch.lerp(samples[others], samples, weight), torch.lerp(conditions[others], conditions, weight)


@torch.no_grad()
def validate(net: ImageDenoiser, sets: Sequence[LabeledCrops], recipe: DenoiserTrainingRecipe) -> dict[str, float]:
    """Return for each set the loss at fixed noise, and the accuracy of a few trials on a few cells."""
    net.eval()
    figures = {}
    for crops in sets:
        chosen = np.linspace(0, len(crops.labels) - 1, ASKED_CELLS).round().astype(int)
        samples = 2 * central(to_input(crops.images[chosen]), recipe.crop_px) - 1
        truth = torch.from_numpy(crops.labels[chosen])
        errors = torch.stack([class_losses(net, samples, k) for k in range(len(CellType))], dim=1)
        figures[f"{crops.name}.loss"] = float(errors.gather(1, truth[:, None]).mean())
        figures[f"{crops.name}.accuracy"] = float((errors.argmin(1) == truth).float().mean())
    return figures


def class_losses(net: ImageDenoiser, samples: Tensor, class_number: int) -> Tensor:
    """Return N errors of samples under one class, at ``ASKED_STEPS`` and opposite noises that all classes share."""
    conditions = torch.zeros(len(samples), len(CellType))
    conditions[:, class_number] = 1
    total = torch.zeros(len(samples))
    for step in ASKED_STEPS:
        noise = torch.randn(samples.shape, generator=torch.Generator().manual_seed(step))
        steps = torch.full((len(samples),), step)
        for sign in (1, -1):
            total += velocity_loss(net, samples, conditions, steps, sign * noise, gamma=1e9)
    return total / (2 * len(ASKED_STEPS))


def _at(values: NDArray[np.float64], steps: Tensor) -> Tensor:
    return torch.from_numpy(values).float()[steps][:, None, None, None]
