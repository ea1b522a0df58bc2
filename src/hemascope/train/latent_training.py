"""Train the latent diffusion as published: seeded, by steps, resumable; the autoencoder stays as it is.

Facts: ``LatentTrainingRecipe``. Besides: steps uniform, AdamW at a constant rate, the gradient clipped at norm 1, every
layer of the U-Net trained, a latent drawn from what the autoencoder says rather than its mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hemascope.core.errors import RecipeError
from hemascope.core.noise_schedule import NoiseSchedule, scaled_linear_schedule
from hemascope.core.taxonomy import CellType
from hemascope.nets.latent_autoencoder import LatentAutoencoder
from hemascope.nets.latent_unet import LatentUNet
from hemascope.recipes import LatentTrainingRecipe
from hemascope.train.crop_batches import LabeledCrops, draw_batch, load_crops
from hemascope.train.image_denoiser import mix_pairs
from hemascope.train.images import to_input
from hemascope.train.latent_denoiser import BATCH, condition_rows
from hemascope.train.latent_files import read_autoencoder, read_schedule, read_unet
from hemascope.train.latent_seeded import autoencoder_of, seeded_networks, unet_of
from hemascope.train.latent_views import draw_look, take_looks
from hemascope.train.loop import OnStep, train_by_steps

MAX_GRADIENT = 1.0

VALIDATED = 32
"""Crops of each validation split that the error is followed on, at as many steps spread over the schedule."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentNetworks:
    """What a latent diffusion is made of.

    Attributes
    ----------
    unet, autoencoder
        Both on the same device, in single precision.
    schedule
        How latents are noised.
    """

    unet: LatentUNet
    autoencoder: LatentAutoencoder
    schedule: NoiseSchedule

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return next(self.unet.parameters()).device


def start_networks(recipe: LatentTrainingRecipe, device: str) -> LatentNetworks:
    """Return the networks that training starts from.

    Raises
    ------
    WeightsError
        If the folder of weights cannot be read.
    RecipeError
        If there are more classes than a row of its condition is wide, or crops do not fit its autoencoder.
    """
    if recipe.start is None:
        unet, autoencoder = seeded_networks(unet_of(recipe.network), autoencoder_of(recipe.network), recipe.seed)
        networks = LatentNetworks(unet.to(device), autoencoder.to(device), scaled_linear_schedule())
    else:
        folder = Path(recipe.start)
        networks = LatentNetworks(
            read_unet(folder, device=device), read_autoencoder(folder, device=device), read_schedule(folder)
        )
    width, reduction = networks.unet.size.context_width, networks.autoencoder.size.reduction
    if len(CellType) > width or recipe.crop_px % reduction:
        raise RecipeError(
            f"{len(CellType)} types in a row of {width}, crops of {recipe.crop_px} px for a reduction of {reduction}: "
            "types must fit into the row, and crop_px must be a multiple of the reduction"
        )
    networks.autoencoder.requires_grad_(False)
    networks.unet.saves_memory = networks.device.type != "cpu"
    return networks


def noise_loss(networks: LatentNetworks, latents: Tensor, shares: Tensor, steps: Tensor, noise: Tensor) -> Tensor:
    """Return the N mean squared errors of the noise predicted in N noised latents.

    Parameters
    ----------
    latents, noise
        N x C x h x w.
    shares
        N x K shares of the classes.
    steps
        N steps of the schedule.
    """
    schedule, device = networks.schedule, networks.device
    signal, strength = (_at(values, steps).to(device) for values in (schedule.signal, schedule.noise))
    noise = noise.to(device)
    noised = signal * latents.to(device) + strength * noise
    rows = condition_rows(shares.to(device), networks.unet.size.context_width)
    with torch.autocast(device.type, torch.bfloat16):
        told = networks.unet(noised, steps.to(device), rows)
    errors: Tensor = (told.float() - noise).square().mean((1, 2, 3))
    return errors


def snr_weights(schedule: NoiseSchedule, steps: Tensor, gamma: float) -> Tensor:
    """Return N weights min(SNR, gamma) / SNR of the errors of noise at N steps."""
    snr = torch.from_numpy(schedule.snr).float()[steps]
    return snr.clamp(max=gamma) / snr


def train_latent(
    recipe: LatentTrainingRecipe,
    root: Path,
    run: Path,
    on_step: OnStep,
    *,
    device: str = "cpu",
    log_every: int = 25,
) -> LatentNetworks:
    """Train until the recipe's last step, resuming from the run folder's newest checkpoint.

    Parameters
    ----------
    root
        Folder of the public data sets.
    run
        The run folder.
    on_step
        Progress.
    device
        Of torch: ``cpu``, ``cuda``.

    Returns
    -------
    The moving average of the U-Net, in evaluation mode, and what it goes with.

    Raises
    ------
    DataSetError
        If a data set of the recipe cannot be read.
    WeightsError
        If the weights it starts from cannot be read.
    RecipeError
        If these weights are of another size than the recipe's crops and types need.
    """
    networks = start_networks(recipe, device)
    sets, validation = (
        [load_crops(source, root, split, recipe) for source in recipe.sources] for split in ("train", "val")
    )
    average = train_on_crops(recipe, networks, sets, validation, run, on_step, log_every=log_every)
    return LatentNetworks(average, networks.autoencoder, networks.schedule)


def train_on_crops(
    recipe: LatentTrainingRecipe,
    networks: LatentNetworks,
    sets: Sequence[LabeledCrops],
    validation: Sequence[LabeledCrops],
    run: Path,
    on_step: OnStep,
    *,
    log_every: int = 25,
) -> LatentUNet:
    """Train the U-Net in place and return its moving average; parameters as ``train_latent``.

    Parameters
    ----------
    sets, validation
        Crops of the train and validation splits, one each for a source of the recipe.
    """
    shares = [source.weight for source in recipe.sources]
    followed = [(crops.name, *_encoded_once(networks.autoencoder, crops)) for crops in validation]

    def loss_of(step: int, seed: int) -> dict[str, Tensor]:
        images, labels = draw_batch(sets, shares, recipe.batch, recipe.seed, step)
        generator = torch.Generator().manual_seed(seed)
        classes = F.one_hot(torch.from_numpy(labels), len(CellType)).float()
        looks, classes = mix_pairs(_changed(images, seed), classes, recipe.mixup, seed)
        latents = _drawn_latents(networks.autoencoder, looks, generator)
        steps = torch.randint(len(networks.schedule), (len(latents),), generator=generator)
        noise = torch.randn(latents.shape, generator=generator)
        noise += recipe.noise_offset * torch.randn((*latents.shape[:2], 1, 1), generator=generator)
        errors = noise_loss(networks, latents, classes, steps, noise)
        return {"noise": (errors * snr_weights(networks.schedule, steps, recipe.gamma).to(errors.device)).mean()}

    def validate(average: LatentUNet) -> dict[str, float]:
        asked = LatentNetworks(average.eval(), networks.autoencoder, networks.schedule)
        return {
            key: value
            for name, latents, labels in followed
            for key, value in _follow(asked, name, latents, labels).items()
        }

    return train_by_steps(
        recipe, run, networks.unet, loss_of, validate, on_step,
        max_gradient=MAX_GRADIENT, log_every=log_every, rate_of=lambda step, steps, rate: rate,
    )  # fmt: skip


def _changed(images: NDArray[np.uint8], seed: int) -> Tensor:
    """Return crops N x 3 x S x S in 0..1, each under a random look of its own."""
    rng = np.random.default_rng((seed, 1))
    return take_looks(to_input(images), [draw_look(rng) for _ in images])


@torch.no_grad()
def _drawn_latents(autoencoder: LatentAutoencoder, images: Tensor, generator: torch.Generator) -> Tensor:
    """Return latents drawn for images in 0..1, times the factor, in single precision."""
    device = next(autoencoder.parameters()).device
    with torch.autocast(device.type, torch.bfloat16):
        parts = [autoencoder.encode((2 * part - 1).to(device)) for part in torch.split(images, BATCH)]
    mean, deviation = (torch.cat(each) for each in zip(*parts, strict=True))
    noise = torch.randn(mean.shape, generator=generator).to(device)
    return (mean.float() + deviation.float() * noise) * autoencoder.size.factor


@torch.no_grad()
def _encoded_once(autoencoder: LatentAutoencoder, crops: LabeledCrops) -> tuple[Tensor, Tensor]:
    """Return latents and labels of a few crops, spread over the set."""
    chosen = np.linspace(0, len(crops.labels) - 1, min(VALIDATED, len(crops.labels))).round().astype(int)
    device, factor = next(autoencoder.parameters()).device, autoencoder.size.factor
    images = 2 * to_input(crops.images[chosen]) - 1
    latents = torch.cat([autoencoder.encode(image[None].to(device))[0] * factor for image in images])
    return latents, torch.from_numpy(crops.labels[chosen])


@torch.no_grad()
def _follow(networks: LatentNetworks, name: str, latents: Tensor, labels: Tensor) -> dict[str, float]:
    """Return the error of the noise at fixed steps and noise, and by how much more it is under another class."""
    steps = torch.linspace(0, len(networks.schedule) - 1, len(latents)).round().long()
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    own, other = (
        float(noise_loss(networks, latents, F.one_hot(told, len(CellType)).float(), steps, noise).mean())
        for told in (labels, (labels + 1) % len(CellType))
    )
    return {f"{name}.noise_error": own, f"{name}.class_gain": other - own}


def _at(values: NDArray[np.float64], steps: Tensor) -> Tensor:
    return torch.from_numpy(values).float()[steps].view(-1, 1, 1, 1)
