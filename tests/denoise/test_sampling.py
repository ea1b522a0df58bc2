"""Samples drawn from denoisers whose distribution is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.core.noise_schedule import NoiseSchedule, cosine_schedule, scaled_linear_schedule
from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.gaussian import GaussianDenoiser
from hemascope.denoise.sampling import BLOCK, GuidedDenoiser, SamplingPlan, draw_samples, step_numbers

CENTERS = np.array([[0.0] * 4, [3.0, -2.0, 0.5, 0.0]])
PLAN = SamplingPlan(steps=40)


class GuidedGaussian(GaussianDenoiser):
    """Where no class is stated, samples lie about 0; counts how many rows it was asked for."""

    def __init__(self, centers: NDArray[np.float64] = CENTERS, schedule: NoiseSchedule | None = None) -> None:
        names = tuple(map(str, range(len(centers))))
        identity = ModelIdentity("gaussian", "1", "", "numpy", "Apache-2.0")
        super().__init__(names, centers, schedule or cosine_schedule(), identity)
        self.asked = 0

    def predict_noise(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], classes: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        self.asked += len(noised)
        return super().predict_noise(noised, steps, classes)

    def predict_noise_conditions(
        self, noised: NDArray[np.float32], steps: NDArray[np.intp], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        self.asked += len(noised)
        signal, strength = (v[steps, None].astype(np.float32) for v in (self.schedule.signal, self.schedule.noise))
        return strength * (noised - signal * (conditions @ CENTERS.astype(np.float32)))


@pytest.mark.parametrize("schedule", [cosine_schedule(), scaled_linear_schedule()])
@pytest.mark.parametrize("order", [1, 2])
def test_samples_have_the_mean_and_the_unit_variance_of_their_class(schedule: NoiseSchedule, order: int) -> None:
    denoiser = GuidedGaussian(schedule=schedule)
    drawn = draw_samples(denoiser, 1, 400, SamplingPlan(steps=60, order=order), seed=0)
    left_out = schedule.signal[step_numbers(schedule, 2)[0]]  # drawing begins without the signal of its first step
    assert drawn.dtype == np.float32
    assert drawn.mean(axis=0) == pytest.approx(CENTERS[1] * (1 - left_out), abs=0.15)
    assert np.cov(drawn.T) == pytest.approx(np.eye(4), abs=0.25)


def test_the_second_order_is_exact_in_few_steps_and_the_first_is_not() -> None:
    """The flow of a standard normal leaves the noise as it is: a sample is the noise that it began with."""
    denoiser = GuidedGaussian()
    first, second, many = (
        float(draw_samples(denoiser, 0, 40, SamplingPlan(steps=steps, order=order), 0).std())
        for steps, order in ((20, 1), (20, 2), (1000, 1))
    )
    assert second == pytest.approx(many, rel=0.02)
    assert first < 0.95 * many


def test_guidance_goes_beyond_the_class() -> None:
    for guidance in (0.0, 0.5, 2.0):
        drawn = draw_samples(GuidedGaussian(), 1, 200, replace(PLAN, guidance=guidance), 3)
        assert drawn.mean(axis=0) == pytest.approx(guidance * CENTERS[1], abs=0.3)


def test_guidance_of_one_is_no_guidance() -> None:
    nearly = draw_samples(GuidedGaussian(), 1, 5, replace(PLAN, guidance=1 + 1e-9), 3)
    assert nearly == pytest.approx(draw_samples(GuidedGaussian(), 1, 5, PLAN, 3), abs=1e-4)


@given(st.integers(0, 3 * BLOCK), st.integers(0, 3 * BLOCK), st.integers(0, 2**40))
def test_a_sample_is_the_same_whatever_the_count(count: int, more: int, seed: int) -> None:
    plan = SamplingPlan(steps=3, guidance=1.5)
    few = draw_samples(GuidedGaussian(), 1, count, plan, seed)
    many = draw_samples(GuidedGaussian(), 1, count + more, plan, seed)
    assert few.shape == (count, 4)
    assert (few == many[:count]).all()


def test_samples_differ_by_number_seed_and_class() -> None:
    denoiser = GuidedGaussian(np.zeros((2, 4)))
    first = draw_samples(denoiser, 0, 2, PLAN, 0)
    assert np.abs(first[0] - first[1]).max() > 0.1
    for class_number, seed in ((1, 0), (0, 1)):
        assert np.abs(draw_samples(denoiser, class_number, 1, PLAN, seed) - first[0]).max() > 0.1


@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("count", [0, 1, BLOCK, BLOCK + 1])
def test_passes_are_counted(guidance: float, count: int) -> None:
    plan, denoiser = SamplingPlan(steps=5, guidance=guidance), GuidedGaussian()
    told: list[int] = []
    draw_samples(denoiser, 0, count, plan, 0, told.append)
    assert denoiser.asked == plan.passes(denoiser.schedule, count)
    assert told == sorted(told)
    assert (told[-1] if told else 0) == plan.passes(denoiser.schedule, count)


def test_samples_of_any_shape_keep_within_their_bound() -> None:
    centers = np.zeros((1, 3, 5, 5))
    centers[:, 0] = 4
    identity = ModelIdentity("images", "1", "", "numpy", "Apache-2.0")
    denoiser = GaussianDenoiser(("cell",), centers, cosine_schedule(), identity)
    free = draw_samples(denoiser, 0, 3, PLAN, 0)
    cut = draw_samples(denoiser, 0, 3, replace(PLAN, limit=1.0), 0)
    assert cut.shape == free.shape == (3, 3, 5, 5)
    assert np.abs(free).max() > 4
    assert np.abs(cut).max() == 1
    assert cut[:, 0].mean() > 0.8
    scaled = draw_samples(denoiser, 0, 3, replace(PLAN, limit=1.0, quantile=0.8), 0)
    assert np.abs(scaled).max() == 1
    assert (np.abs(scaled) == 1).mean() == pytest.approx(0.2, abs=0.05)


def test_steps_fall_to_the_first_evenly_in_the_logarithm_of_signal_to_noise() -> None:
    schedule = cosine_schedule()
    numbers = step_numbers(schedule, 30)
    assert numbers[-1] == 0
    assert (np.diff(numbers) < 0).all()
    assert schedule.signal[numbers[0]] >= 0.005 > schedule.signal[numbers[0] + 1]
    gaps = np.diff(np.log(schedule.snr[numbers]))
    assert gaps[:-2] == pytest.approx(np.full(len(gaps) - 2, gaps.mean()), rel=0.3)
    assert step_numbers(scaled_linear_schedule(), 2).tolist() == [999, 0]
    assert len(step_numbers(cosine_schedule(10), 300)) <= 10


def test_what_cannot_be_drawn_is_refused() -> None:
    identity = ModelIdentity("plain", "1", "", "numpy", "Apache-2.0")
    plain = GaussianDenoiser(("a",), np.zeros((1, 2)), cosine_schedule(), identity)
    assert not isinstance(plain, GuidedDenoiser)
    assert isinstance(GuidedGaussian(), GuidedDenoiser)
    with pytest.raises(ValueError, match="without a class"):
        draw_samples(plain, 0, 1, replace(PLAN, guidance=1.5), 0)
    for class_number, count, seed in ((1, 1, 0), (-1, 1, 0), (0, -1, 0), (0, 1, -1)):
        with pytest.raises(ValueError, match="cannot draw"):
            draw_samples(plain, class_number, count, PLAN, seed)
    for wrong in ({"steps": 1}, {"order": 3}, {"guidance": -1.0}, {"limit": 0.0}, {"quantile": 0.5}):
        with pytest.raises(ValueError, match=r"need|bound|quantile"):
            replace(PLAN, **wrong)
