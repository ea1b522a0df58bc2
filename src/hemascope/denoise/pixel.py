"""The denoiser of cell images: samples are crops of a cell as transmittance, turned and mirrored from look to look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.noise_schedule import SCHEDULES, NoiseSchedule
from hemascope.core.optics import transmittance
from hemascope.core.ports import DenoiserGraph
from hemascope.core.provenance import ModelIdentity

LOOKS = 8
"""Ways a square can lie: turned by quarters, mirrored or not. Looks repeat beyond."""

BATCH = 64
"""Larger batches gain nothing on a plain processor and cost memory."""


class PixelDenoiser:
    """Images of cells by how well a network tells the noise in them; a ``CellDenoiser``.

    Samples are 3 x S x S, twice the transmittance less 1: background 1, opaque -1.

    Parameters
    ----------
    graph
        Gives velocities.
    spec
        From the model's card: classes, crop, schedule, diameter of the mask.

    Raises
    ------
    WeightsError
        If the card does not describe a denoiser of images.
    """

    def __init__(self, graph: DenoiserGraph, spec: Mapping[str, Any]) -> None:
        try:
            self._classes = tuple(str(name) for name in spec["classes"])
            self._crop_size = int(spec["crop_px"]), float(spec["crop_um"])
            self._schedule = SCHEDULES[spec["schedule"]]()
            diameter = float(spec["mask_um"])
            if spec["sample"] != "pixels" or spec["prediction"] != "velocity":
                raise ValueError(f"its samples are {spec['sample']} and it predicts {spec['prediction']}")
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{graph.identity.name}: its card describes no denoiser of images ({error}); name another model folder"
            ) from error
        self._graph = graph
        self._one_hot = np.eye(len(self._classes), dtype=np.float32)
        self._mask = disk_mask(self._crop_size[0], diameter / self._crop_size[1])

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._graph.identity

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return self._classes

    @property
    def schedule(self) -> NoiseSchedule:
        """How its samples are noised."""
        return self._schedule

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """``(3, S, S)``."""
        return 3, self._crop_size[0], self._crop_size[0]

    @property
    def mask(self) -> NDArray[np.float32]:
        """1 inside a disk about the center, 0 outside."""
        return self._mask

    @property
    def crop_size(self) -> tuple[int, float]:
        """Side in pixels and width in um of the crops it takes."""
        return self._crop_size

    def samples(self, crops: Sequence[CellCrop], view: int) -> NDArray[np.float32]:
        """Return N x 3 x S x S samples of N crops, all lying as ``view`` says; 0 is the crop as it is.

        Raises
        ------
        ValueError
            If a crop has another size.
        """
        side = self._crop_size[0]
        for crop in crops:
            if crop.pixels.shape != (side, side, 3):
                raise ValueError(f"{crop.cell_id}: the crop is {crop.pixels.shape}, not {(side, side, 3)}")
        if not crops:
            return np.zeros((0, *self.sample_shape), np.float32)
        return turned(np.stack([image_sample(crop.pixels) for crop in crops]), view)

    def predict_noise(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], classes: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return the expected noise in N noised samples at N steps if they are of N classes."""
        return self.predict_noise_conditions(noised, steps, self._one_hot[classes])

    def predict_noise_conditions(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the same for N x K rows of class shares; a row of zeros names no class."""
        times = (steps / len(self._schedule)).astype(np.float32)
        signal = self._schedule.signal[steps].astype(np.float32)[:, None, None, None]
        strength = self._schedule.noise[steps].astype(np.float32)[:, None, None, None]
        found = np.empty_like(noised)
        for start in range(0, len(noised), BATCH):
            rows = slice(start, start + BATCH)
            velocity = self._graph.run(np.ascontiguousarray(noised[rows]), times[rows], conditions[rows])
            found[rows] = signal[rows] * velocity + strength[rows] * noised[rows]
        return found


def image_sample(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the 3 x S x S sample of a crop S x S x 3: twice the transmittance less 1."""
    return np.asarray(2 * transmittance(pixels).transpose(2, 0, 1) - 1, np.float32)


def turned(samples: NDArray[np.float32], view: int) -> NDArray[np.float32]:
    """Return images N x C x S x S turned by ``view`` quarters, and mirrored where that is 4 to 7 of ``LOOKS``."""
    quarters, mirrored = view % 4, view % LOOKS >= 4
    images = samples[..., ::-1] if mirrored else samples
    return np.ascontiguousarray(np.rot90(images, quarters, axes=(2, 3)))


def disk_mask(side: int, diameter: float) -> NDArray[np.float32]:
    """Return 3 x side x side ones inside a disk of ``diameter`` sides, else zeros."""
    place = np.arange(side) - (side - 1) / 2
    inside = place[:, None] ** 2 + place**2 <= (diameter * side / 2) ** 2
    return np.broadcast_to(inside.astype(np.float32), (3, side, side)).copy()
