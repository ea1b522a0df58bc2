"""The diffusion classifier on the exact denoiser of Gaussians, where every answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.trials import class_errors, draw_trials
from hemascope.classify.diffusion.weighting import TimestepWeighting
from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.gaussian import GaussianDenoiser

CLASSES = ("a", "b", "c", "d")


def gaussian(spread: float = 1.0, dimension: int = 6) -> GaussianDenoiser:
    centers = np.random.default_rng(0).normal(size=(len(CLASSES), dimension)) * spread
    return GaussianDenoiser(CLASSES, centers, cosine_schedule(), ModelIdentity("exact", "1", "", "numpy-fp32", ""))


def cells(count: int, dimension: int = 6) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, dimension)).astype(np.float32)


def squared_distances(denoiser: GaussianDenoiser, samples: np.ndarray) -> np.ndarray:
    everyone = np.arange(len(CLASSES))
    last = np.full(len(CLASSES), 0)  # at step s: eps = s (z - a mu); of z = 0 it is -s a mu
    a, s = denoiser.schedule.signal[0], denoiser.schedule.noise[0]
    centers = -denoiser.predict_noise(np.zeros((len(CLASSES), samples.shape[1]), np.float32), last, everyone) / (a * s)
    return ((samples[:, None] - centers) ** 2).sum(axis=2)


@pytest.mark.parametrize("weighting", [TimestepWeighting(), TimestepWeighting("published")])
@pytest.mark.parametrize("count", [2, 8])
def test_one_pair_of_opposite_noise_gives_exact_likelihoods(weighting: TimestepWeighting, count: int) -> None:
    denoiser, samples = gaussian(), cells(50)
    answers = DiffusionClassifier(denoiser, draw_trials(denoiser, count, weighting=weighting)).answer(samples)
    distances = squared_distances(denoiser, samples)
    assert (answers.told == distances.argmin(axis=1)).all()
    exact = -0.5 * (distances - distances.min(axis=1, keepdims=True))
    assert answers.logits == pytest.approx(exact, abs=2e-3)
    assert (answers.passes == 4 * count).all()


def test_single_noise_comes_near_the_exact_answer_only_with_many_trials() -> None:
    denoiser, samples = gaussian(0.2), cells(200)
    nearest = squared_distances(denoiser, samples).argmin(axis=1)

    def share(count: int) -> float:
        banks = [draw_trials(denoiser, count, antithetic=False, seed=seed) for seed in range(4)]
        return float(np.mean([DiffusionClassifier(denoiser, bank).answer(samples).told == nearest for bank in banks]))

    assert share(1) < 0.8
    assert share(200) > 0.9


def test_an_answer_does_not_depend_on_the_other_cells() -> None:
    denoiser, samples = gaussian(), cells(30)
    classifier = DiffusionClassifier(denoiser, draw_trials(denoiser, 6), rows=7)
    together, alone = classifier.answer(samples), classifier.answer(samples[11:12])
    assert together.means[11] == pytest.approx(alone.means[0], rel=1e-6)
    assert together.told[11] == alone.told[0]


def test_classes_not_asked_for_cost_nothing_and_are_nan() -> None:
    denoiser, samples = gaussian(), cells(5)
    trials = draw_trials(denoiser, 4)
    whole = class_errors(denoiser, samples, trials)
    assert class_errors(denoiser, samples, trials, classes=[2, 0]) == pytest.approx(whole[:, [2, 0]])
    alive = np.eye(5, 4, dtype=bool)
    some = class_errors(denoiser, samples, trials, alive=alive)
    assert (np.isnan(some) == ~np.repeat(alive[:, :, None], 4, axis=2)).all()
    assert some[alive] == pytest.approx(whole[alive])


def test_samples_of_another_shape_are_refused() -> None:
    denoiser = gaussian()
    with pytest.raises(ValueError, match="this denoiser takes"):
        class_errors(denoiser, cells(3, 5), draw_trials(denoiser, 2))
