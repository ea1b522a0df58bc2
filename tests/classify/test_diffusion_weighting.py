"""Weights of steps: the published formula, fits with known answers, and estimates that stay unbiased."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import AnytimeRule, NoElimination
from hemascope.classify.diffusion.fit_weighting import fit_density, fit_power_weighting, fit_spread_weighting
from hemascope.classify.diffusion.trials import class_errors, draw_trials
from hemascope.classify.diffusion.weighting import (
    StepCurve,
    TimestepWeighting,
    published_weights,
    weighting_from,
)
from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.gaussian import GaussianDenoiser

EVERY = np.arange(1000)
HILL = StepCurve((-2.0, 9.0, -9.0))


def gaussian() -> tuple[GaussianDenoiser, np.ndarray]:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(4, 8)) * 2
    denoiser = GaussianDenoiser("abcd", centers, cosine_schedule(), ModelIdentity("exact", "1", "", "numpy", ""))
    return denoiser, (centers[rng.integers(4, size=60)] + rng.normal(size=(60, 8))).astype(np.float32)


def test_the_published_weight_is_one_over_the_quartic() -> None:
    u = 0.25
    expected = 1 / (0.927 + 9.837 * u - 4.684 * u**2 + 6.019 * u**3 - 9.340 * u**4)
    assert published_weights(750) == pytest.approx(expected)
    assert published_weights(1000) == pytest.approx(1 / 0.927)
    assert (published_weights(EVERY) > 0).all()
    assert published_weights(75, 100) == pytest.approx(expected)


def test_the_published_grid_is_even_from_1_to_the_last_step_and_shuffled() -> None:
    steps, weights = TimestepWeighting("published").draw(50, 1000, np.random.default_rng(0), "published")
    assert sorted(steps) == np.linspace(1, 999, 50).astype(int).tolist()
    assert (np.diff(steps) < 0).any()
    assert weights == pytest.approx(published_weights(steps))


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 8, 21, 100]))
def test_few_trials_are_spread_over_all_steps(seed: int, count: int) -> None:
    steps, weights = TimestepWeighting().draw(count, 1000, np.random.default_rng(seed))
    gaps = np.diff(np.append(np.sort(steps), steps.min() + 1000))  # around the circle
    assert gaps.max() <= 2.7 * 1000 / count + 1
    assert weights == pytest.approx(1.0)


@pytest.mark.parametrize(
    "weighting",
    [TimestepWeighting(density=HILL), TimestepWeighting("published", density=HILL), TimestepWeighting("fitted", HILL)],
)
def test_the_mean_of_weighted_errors_has_the_expectation_of_all_steps(weighting: TimestepWeighting) -> None:
    error = 1 + np.sin(EVERY / 150)
    wanted = (weighting.weights(EVERY, 1000) * error).mean()
    estimates = []
    for seed in range(400):
        steps, weights = weighting.draw(5, 1000, np.random.default_rng(seed))
        estimates.append((weights * error[steps]).mean())
    assert np.mean(estimates) == pytest.approx(wanted, abs=4 * np.std(estimates) / 20)


def test_steps_are_tried_by_their_density() -> None:
    steps, _ = TimestepWeighting(density=HILL).draw(20_000, 1000, np.random.default_rng(0))
    shares = HILL.at(EVERY, 1000)
    expected = shares.reshape(10, 100).sum(axis=1) / shares.sum()
    assert np.bincount(steps // 100, minlength=10) / 20_000 == pytest.approx(expected, abs=2e-3)


def test_a_refit_finds_the_deviation_between_classes() -> None:
    steps = np.linspace(1, 999, 40)
    spread = np.exp(-1 + 3 * steps / 1000 - 4 * (steps / 1000) ** 2)
    classes = np.array([-1.0, 0.0, 1.0])
    errors = 5 + np.random.default_rng(0).uniform(0.9, 1.1, size=(200, 1, 1)) * classes[:, None] * spread
    weighting = fit_spread_weighting(steps, errors, 1000)
    assert weighting.weights(steps, 1000) * spread == pytest.approx(np.full(40, (1 / (1 / spread).mean())), rel=1e-3)
    assert weighting.weights(steps, 1000).mean() == pytest.approx(1.0)
    assert (weighting.weights(EVERY, 1000) > 0).all()


def test_the_weighting_by_labels_silences_steps_that_do_not_tell_classes_apart() -> None:
    rng = np.random.default_rng(1)
    steps = np.linspace(1, 999, 30)
    labels = rng.integers(3, size=500)
    gap = np.where(steps < 500, 1.0, 0.02)
    errors = rng.normal(size=(500, 3, 30)) - gap * (labels[:, None, None] == np.arange(3)[:, None])
    weights = fit_power_weighting(steps, errors, labels, 1000).weights(steps, 1000)
    assert weights[:8].mean() > 5 * weights[-8:].mean()

    def accuracy(by_step: np.ndarray) -> float:
        return float(((errors * by_step).mean(axis=2).argmin(axis=1) == labels).mean())

    assert accuracy(weights) > accuracy(np.ones(30))


def test_a_fitted_density_spares_trials_and_keeps_what_is_estimated() -> None:
    denoiser, samples = gaussian()
    probe = draw_trials(denoiser, 64, seed=9)
    fitted = fit_density(TimestepWeighting(), probe.steps, class_errors(denoiser, samples, probe), 1000)
    plain, sparing = (
        DiffusionClassifier(denoiser, draw_trials(denoiser, 60, weighting=weighting), AnytimeRule()).answer(samples)
        for weighting in (TimestepWeighting(), fitted)
    )
    assert (plain.told == sparing.told).all()
    assert sparing.logits == pytest.approx(plain.logits, rel=2e-3, abs=2e-3)
    assert sparing.passes.mean() < 0.6 * plain.passes.mean()
    assert sparing.trials.max() <= 14


class BlindAtFirst(GaussianDenoiser):
    """What networks do: at the least noise their errors are large, and differ between classes for no good reason."""

    def predict_noise(self, noised: np.ndarray, steps: np.ndarray, classes: np.ndarray) -> np.ndarray:
        wild = 30 * np.exp(-steps / 60) * (1 + classes % 2)
        return super().predict_noise(noised, steps, classes) + wild[:, None].astype(np.float32)


def test_a_refit_saves_a_denoiser_that_is_blind_at_some_steps() -> None:
    rng = np.random.default_rng(3)
    centers = rng.normal(size=(4, 8))
    identity = ModelIdentity("blind", "1", "", "numpy-fp32", "")
    denoiser = BlindAtFirst("abcd", centers, cosine_schedule(), identity)
    labels = rng.integers(4, size=400)
    samples = (centers[labels] + rng.normal(size=(400, 8))).astype(np.float32)
    probe = draw_trials(denoiser, 60, seed=5)
    errors = class_errors(denoiser, samples[:200], probe)

    def accuracy(weighting: TimestepWeighting) -> float:
        trials = draw_trials(denoiser, 40, weighting=weighting)
        told = DiffusionClassifier(denoiser, trials, NoElimination()).answer(samples[200:]).told
        return float((told == labels[200:]).mean())

    nearest = ((samples[200:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    best = float((nearest == labels[200:]).mean())
    power = fit_power_weighting(probe.steps, errors, labels[:200], 1000)
    # Equal voices for all steps still leave the blind ones theirs; labels tell which steps are blind.
    plain, spread = accuracy(TimestepWeighting()), accuracy(fit_spread_weighting(probe.steps, errors, 1000))
    assert plain + 0.1 < spread < 0.8 * best
    assert accuracy(power) > 0.95 * best
    assert accuracy(fit_density(power, probe.steps, errors, 1000)) > 0.95 * best


@pytest.mark.parametrize(
    "weighting",
    [TimestepWeighting(), TimestepWeighting("published", density=HILL), TimestepWeighting("fitted", HILL, HILL)],
)
def test_a_weighting_survives_a_card(weighting: TimestepWeighting) -> None:
    assert weighting_from(json.loads(json.dumps(weighting.as_dict()))) == weighting


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "loud"}, "no weighting 'loud'"),
        ({"kind": "fitted"}, "a curve exactly if it is fitted"),
        ({"kind": "uniform", "colour": 1}, "has no colour"),
        ({"kind": "fitted", "curve": {"coefficients": [1]}}, "needs coefficients, first and last"),
        ({"kind": "fitted", "curve": {"coefficients": [np.nan], "first": 0, "last": 1}}, "finite coefficients"),
        ({"kind": "fitted", "curve": {"coefficients": [1], "first": 0.5, "last": 0.5}}, "a range within 0 to 1"),
    ],
)
def test_a_damaged_card_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weighting_from(values)


def test_fits_refuse_what_they_cannot_be_made_on() -> None:
    errors = np.random.default_rng(0).random((4, 3, 5))
    for steps, bad, message in (
        (np.arange(4), errors, "errors at T steps"),
        (np.zeros(5), errors, "more than one step"),
        (np.arange(5), np.where(errors > 0.9, np.nan, errors), "finite errors"),
        (np.arange(5), np.ones((4, 3, 5)), "do not differ"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_spread_weighting(steps, bad, 1000)
    with pytest.raises(ValueError, match="as many labels"):
        fit_power_weighting(np.arange(5), errors, [0, 1], 1000)
