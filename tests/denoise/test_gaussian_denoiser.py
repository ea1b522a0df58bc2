"""The exact denoiser: its answer is the mean of the noise given what is seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.gaussian import GaussianDenoiser

IDENTITY = ModelIdentity("gaussian", "1", "", "numpy", "Apache-2.0")


def denoiser(centers: np.ndarray) -> GaussianDenoiser:
    return GaussianDenoiser([f"c{k}" for k in range(len(centers))], centers, cosine_schedule(), IDENTITY)


@pytest.mark.parametrize("step", [50, 500, 950])
def test_no_linear_guess_is_better(step: int) -> None:
    rng = np.random.default_rng(step)
    center = rng.normal(size=(1, 3)) * 2
    net = denoiser(center)
    samples = (center + rng.normal(size=(20_000, 3))).astype(np.float32)
    noise = rng.standard_normal(samples.shape).astype(np.float32)
    steps = np.full(len(samples), step)
    noised = net.schedule.noised(samples, noise, steps)
    left = noise - net.predict_noise(noised, steps, np.zeros(len(samples), np.intp))
    assert abs(left.mean()) < 0.02
    assert left.var() == pytest.approx(1 - net.schedule.noise[step] ** 2, abs=0.02)
    assert abs((left * noised).mean() - left.mean() * noised.mean()) < 0.03  # nothing is left to be told by the sample


@given(st.integers(0, 2**32 - 1), st.integers(1, 999))
def test_the_nearest_center_errs_least_over_a_pair_of_opposite_noise(seed: int, step: int) -> None:
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(4, 5)) * 2
    net, sample = denoiser(centers), rng.normal(size=5).astype(np.float32)
    noise = rng.standard_normal(5).astype(np.float32)
    errors = np.zeros(4)
    for sign in (1, -1):
        noised = net.schedule.noised(sample[None], sign * noise[None], np.array([step])).repeat(4, axis=0)
        told = net.predict_noise(noised, np.full(4, step), np.arange(4))
        errors += ((sign * noise - told).astype(np.float64) ** 2).sum(axis=1)
    distances = ((sample - centers) ** 2).sum(axis=1)
    scale = (net.schedule.signal[step] * net.schedule.noise[step]) ** 2
    np.testing.assert_allclose((errors - errors[0]) / 2, scale * (distances - distances[0]), atol=2e-3, rtol=2e-3)


def test_images_are_samples_too() -> None:
    net = denoiser(np.zeros((2, 3, 4, 4)))
    assert net.sample_shape == net.mask.shape == (3, 4, 4)
    told = net.predict_noise(np.ones((1, 3, 4, 4), np.float32), np.array([10]), np.array([1]))
    assert told.shape == (1, 3, 4, 4)
    assert told.dtype == np.float32


def test_a_class_without_a_center_is_refused() -> None:
    with pytest.raises(ValueError, match="as many finite centers"):
        GaussianDenoiser(["a", "b"], np.zeros((1, 3)), cosine_schedule(), IDENTITY)
