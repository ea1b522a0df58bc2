"""The denoiser of latents as it answers: crops to latents, and the noise in them if a cell is of a class.

As published (CytoDiffusion): the autoencoder of Stable Diffusion 1.5 stays as it is; where its U-Net looked at a text
it looks at a class, a one-hot row padded with zeros and repeated as often as a text has tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hemascope.core.cell import CellCrop
from hemascope.core.noise_schedule import NoiseSchedule, scaled_linear_schedule
from hemascope.core.optics import transmittance
from hemascope.core.provenance import ModelIdentity
from hemascope.nets.latent_autoencoder import LatentAutoencoder
from hemascope.nets.latent_unet import LatentUNet
from hemascope.train.latent_views import look_of_view, take_looks

ROWS = 77
"""Rows of the condition, all equal: the tokens of a text. One would give the same answer, but for rounding."""

RADII = {45: 20.0, 28: 8.0}
"""Side of a latent to the radius of the disk that counts, as published."""

BATCH = 8
"""Samples that pass at once: a class each, as a trial asks for."""


@dataclass(frozen=True, slots=True)
class LatentSpec:
    """What a latent denoiser takes.

    Attributes
    ----------
    classes
        K names, in the order of the one-hot row.
    crop_px, crop_um
        Side of its crops in pixels and um.
    light
        ``background``: crops are divided by their own background, as everything trained here is. ``raw``: gray values
        as they are, as networks trained by the published code take them.

    Raises
    ------
    ValueError
        If a class is named twice or none is, or the light is neither.
    """

    classes: tuple[str, ...]
    crop_px: int = 360
    crop_um: float = 36.0
    light: Literal["background", "raw"] = "background"

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"a latent denoiser needs classes, each named once, not {self.classes}")
        if self.light not in ("background", "raw"):
            raise ValueError(f"light is background or raw, not {self.light}")


def condition_rows(shares: Tensor, width: int, rows: int = ROWS) -> Tensor:
    """Return conditions N x rows x width: each row the shares of the classes, padded with zeros.

    Parameters
    ----------
    shares
        N x K: one-hot, or mixed.

    Raises
    ------
    ValueError
        If there are more classes than ``width``.
    """
    if shares.shape[1] > width:
        raise ValueError(f"{shares.shape[1]} classes do not fit into a row of {width}")
    return F.pad(shares, (0, width - shares.shape[1]))[:, None].expand(-1, rows, -1)


def disk(side: int) -> NDArray[np.float32]:
    """Return ``side`` x ``side`` ones within the radius that counts and zeros beyond, about the center.

    The radius is the published one of ``RADII``; for other sides, 20 / 45 of the side.
    """
    radius = RADII.get(side, side * RADII[45] / 45)
    along = np.arange(side) - (side - 1) / 2
    return np.asarray(along[:, None] ** 2 + along**2 <= radius**2, np.float32)


class LatentDenoiser:
    """Samples are latents; a ``CellDenoiser``.

    Parameters
    ----------
    identity
        What answers.
    spec
        What it takes.
    unet, autoencoder
        Both on the same device and in the same precision; put into evaluation mode.
    schedule
        How latents are noised; None for that of Stable Diffusion 1.5.
    batch
        Samples that pass at once.

    Raises
    ------
    ValueError
        If the classes do not fit into a row of the condition, or crops are no multiple of the autoencoder's reduction.
    """

    def __init__(
        self,
        identity: ModelIdentity,
        spec: LatentSpec,
        unet: LatentUNet,
        autoencoder: LatentAutoencoder,
        schedule: NoiseSchedule | None = None,
        batch: int = BATCH,
    ) -> None:
        reduction = autoencoder.size.reduction
        if spec.crop_px % reduction:
            raise ValueError(f"crops of {spec.crop_px} px are no multiple of {reduction}")
        if len(spec.classes) > unet.size.context_width:
            raise ValueError(f"{len(spec.classes)} classes do not fit into a row of {unet.size.context_width}")
        self._identity = identity
        self._spec = spec
        self._unet, self._autoencoder = unet.eval(), autoencoder.eval()
        self._schedule = schedule or scaled_linear_schedule()
        self._batch = batch
        self._side = spec.crop_px // reduction
        weights = next(unet.parameters())
        self._device, self._dtype = weights.device, weights.dtype

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._identity

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return self._spec.classes

    @property
    def schedule(self) -> NoiseSchedule:
        """How its samples are noised."""
        return self._schedule

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Channels, height and width of a latent: 4 x 45 x 45 for crops of 360 px."""
        return (self._unet.size.latent_channels, self._side, self._side)

    @property
    def mask(self) -> NDArray[np.float32]:
        """The disk that counts, in every channel."""
        return np.broadcast_to(disk(self._side), self.sample_shape).copy()

    @property
    def crop_size(self) -> tuple[int, float]:
        """Side in pixels and width in um of the crops it takes."""
        return self._spec.crop_px, self._spec.crop_um

    def samples(self, crops: Sequence[CellCrop], view: int) -> NDArray[np.float32]:
        """Return one latent a crop, the mean of what the autoencoder says, times its factor.

        Every call encodes again. With another view each trial that is the published procedure; a caller that draws its
        trials from few views, and keeps their samples, encodes once a view.

        Parameters
        ----------
        view
            0 for the crop as it is; every other number names a look as ``latent_views`` draws them.

        Raises
        ------
        ValueError
            If a crop is not ``crop_size`` pixels wide and high.
        """
        side = self._spec.crop_px
        if odd := [crop.pixels.shape for crop in crops if crop.pixels.shape != (side, side, 3)]:
            raise ValueError(f"a crop of {odd[0]} came to a denoiser of {side} x {side} px")
        latents = np.empty((len(crops), *self.sample_shape), np.float32)
        for start in range(0, len(crops), self._batch):
            rows = slice(start, start + self._batch)
            latents[rows] = self._encoded(crops[rows], view)
        return latents

    def predict_noise(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], classes: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return the noise expected in N noised latents at N steps if they are of N classes."""
        noise = np.empty_like(noised)
        for start in range(0, len(noised), self._batch):
            rows = slice(start, start + self._batch)
            noise[rows] = self._predicted(noised[rows], steps[rows], classes[rows])
        return noise

    @torch.inference_mode()
    def images(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return N x S x S x 3 images in 0..1 of N latents, as the autoencoder decodes them."""
        images = np.empty((len(samples), self._spec.crop_px, self._spec.crop_px, 3), np.float32)
        for row, sample in enumerate(samples):
            decoded = self._autoencoder.decode(self._tensor(sample[None]) / self._autoencoder.size.factor)
            images[row] = ((decoded[0].float() + 1) / 2).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
        return images

    @torch.inference_mode()
    def _encoded(self, crops: Sequence[CellCrop], view: int) -> NDArray[np.float32]:
        shares = np.stack([self._light(crop.pixels) for crop in crops])
        images = take_looks(torch.from_numpy(shares).permute(0, 3, 1, 2), [look_of_view(view)])
        mean, _ = self._autoencoder.encode((2 * images - 1).to(self._device, self._dtype))
        return np.asarray((mean.float() * self._autoencoder.size.factor).cpu().numpy(), np.float32)

    @torch.inference_mode()
    def _predicted(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], classes: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        shares = self._tensor(np.eye(len(self.classes), dtype=np.float32)[classes])
        context = condition_rows(shares, self._unet.size.context_width)
        told = self._unet(self._tensor(noised), torch.from_numpy(np.asarray(steps)).to(self._device), context)
        return np.asarray(told.float().cpu().numpy(), np.float32)

    def _light(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._spec.light == "background":
            return transmittance(pixels)
        return np.asarray(pixels, np.float32) / np.float32(255)

    def _tensor(self, values: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(values).to(self._device, self._dtype)
