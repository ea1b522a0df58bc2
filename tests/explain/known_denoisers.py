"""Denoisers whose right answers are known, and painted cells with a known difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.noise_schedule import NoiseSchedule, cosine_schedule
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.denoise.gaussian import GaussianDenoiser
from hemascope.synth.patch import Canvas, patch_around
from hemascope.synth.stain import sample_stain
from hemascope.synth.style import SmearStyle
from hemascope.synth.white_cells import draw_white_cell, paint_white_cell

IDENTITY = ModelIdentity("known", "1", "", "numpy", "Apache-2.0")
CLASSES = ("neutrophil", "monocyte")
SIDE = 24
Images = NDArray[np.float32]


def region_denoiser(change: float = 0.5, side: int = 16) -> tuple[GaussianDenoiser, NDArray[np.bool_]]:
    """Two classes whose means differ in a square, red and green darker by ``change``; and that square."""
    region = np.zeros((side, side), np.bool_)
    region[3:8, 5:9] = True
    centers = np.zeros((2, 3, side, side))
    centers[0] = np.random.default_rng(0).normal(0, 0.3, centers[0].shape)
    centers[1] = centers[0]
    centers[1, :2] -= change * region
    return GaussianDenoiser(CLASSES, centers, cosine_schedule(), IDENTITY), region


class MixtureDenoiser:
    """The exact denoiser of classes that are mixtures: a Gaussian of one width around every example of a class."""

    def __init__(self, examples: Sequence[Images], width: float) -> None:
        self.identity = IDENTITY
        self.classes = CLASSES
        self.schedule: NoiseSchedule = cosine_schedule()
        self.sample_shape: tuple[int, ...] = examples[0].shape[1:]
        self.mask = np.ones(self.sample_shape, np.float32)
        self._examples = [images.reshape(len(images), -1).astype(np.float64) for images in examples]
        self._width = width

    def predict_noise(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], classes: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        expected = np.empty(noised.shape, np.float32)
        for number in np.unique(classes):
            rows = classes == number
            expected[rows] = self._of_class(noised[rows], steps[rows], self._examples[number])
        return expected

    def _of_class(self, noised: Images, steps: NDArray[np.intp], centers: NDArray[np.float64]) -> NDArray[np.float64]:
        signal, strength = self.schedule.signal[steps][:, None], self.schedule.noise[steps][:, None]
        flat = noised.reshape(len(noised), -1).astype(np.float64)
        variance = signal**2 * self._width**2 + strength**2
        logits = (signal * flat @ centers.T - 0.5 * signal**2 * (centers**2).sum(axis=1)) / variance
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        center = weights @ centers / weights.sum(axis=1, keepdims=True)
        clean = center + signal * self._width**2 / variance * (flat - signal * center)
        return np.asarray(((flat - signal * clean) / strength).reshape(noised.shape), np.float64)


class DisagreeingDenoiser:
    """Wraps a denoiser whose second class is off by what nobody can foresee, 0 on average over the noise."""

    def __init__(self, inner: GaussianDenoiser, size: float) -> None:
        self.identity, self.classes, self.schedule = inner.identity, inner.classes, inner.schedule
        self.sample_shape, self.mask = inner.sample_shape, inner.mask
        self._inner, self._size = inner, size

    def predict_noise(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], classes: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        off = self._size * np.cos(60 * noised) * (classes == 1).reshape(-1, 1, 1, 1)
        return np.asarray(self._inner.predict_noise(noised, steps, classes) + off, np.float32)


def painted_pairs(count: int, seed: int, *, grown_um: float = 0.5) -> tuple[Images, Images]:
    """Return N painted monocytes, each of its own stain, and the same with a nucleus grown by a rim; -1 to 1."""
    rng = np.random.default_rng(seed)
    canvas = Canvas(SIDE, SIDE, 24 / SIDE)
    patch = patch_around(canvas, (12, 12), 12)
    assert patch is not None
    plain, changed = [], []
    for _ in range(count):
        style = SmearStyle(stain=sample_stain(rng))
        cell = draw_white_cell(rng, CellType.MONOCYTE)
        density, _, nucleus = paint_white_cell(cell, patch, style)
        rim = 0.6 * np.clip(grown_um - nucleus, 0, 0.25) / 0.25 * (nucleus > 0)
        grown = density + rim[..., None] * np.array(style.stain.chromatin, np.float32)
        for kept, painted in ((plain, density), (changed, grown)):
            kept.append(2 * np.exp(-patch.averaged(painted)).transpose(2, 0, 1) - 1)
    return np.asarray(plain, np.float32), np.asarray(changed, np.float32)
