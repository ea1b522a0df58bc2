"""The diffusion classifier on the exact denoiser of Gaussians, where every answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.elimination import AnytimeRule, NoElimination, PublishedRule, fit_calibrated_rule
from hemascope.classify.diffusion.race import replay
from hemascope.classify.diffusion.trials import class_errors, draw_trials, observed
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
    answers = DiffusionClassifier(denoiser, draw_trials(denoiser, count, weighting=weighting), NoElimination()).answer(
        samples
    )
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
        return float(
            np.mean(
                [DiffusionClassifier(denoiser, bank, NoElimination()).answer(samples).told == nearest for bank in banks]
            )
        )

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


def test_classes_given_up_early_change_the_passes_and_not_the_answer() -> None:
    denoiser, samples = gaussian(2.0), cells(100)
    trials = draw_trials(denoiser, 40, weighting=TimestepWeighting("published"))
    fixed = DiffusionClassifier(denoiser, trials, NoElimination()).answer(samples)
    raced = DiffusionClassifier(denoiser, trials).answer(samples)
    assert (raced.told == fixed.told).all()
    assert raced.passes.max() <= fixed.passes.min() == 4 * 40
    assert raced.passes.mean() < 0.8 * 160
    assert (raced.trials % 2 == 0).all()
    # The likelihoods of Gaussians stay exact, whenever a class was given up.
    assert raced.logits == pytest.approx(fixed.logits, rel=2e-3, abs=2e-3)
    assert raced.alive[np.arange(100), raced.told].all()


def test_the_published_procedure_costs_at_least_21_passes_a_class() -> None:
    denoiser, samples = gaussian(3.0), cells(50)
    trials = draw_trials(
        denoiser, 60, weighting=TimestepWeighting("published"), antithetic=False, grid="published", seed=1
    )
    answers = DiffusionClassifier(denoiser, trials, PublishedRule()).answer(samples)
    assert answers.passes.min() == 21 * 4
    assert (answers.told == squared_distances(denoiser, samples).argmin(axis=1)).mean() > 0.95


def test_published_errors_are_those_above_the_least_of_each_trial_over_their_mean() -> None:
    denoiser, samples = gaussian(), cells(20)
    trials = draw_trials(denoiser, 5, antithetic=False)
    raw = class_errors(denoiser, samples, trials)
    above = (raw - raw.min(axis=1, keepdims=True)).mean(axis=2)
    answers = DiffusionClassifier(denoiser, trials, NoElimination()).answer(samples)
    assert answers.errors == pytest.approx(above / above.mean(axis=1, keepdims=True))
    assert answers.means == pytest.approx(raw.mean(axis=2))
    assert answers.explained == pytest.approx(raw.mean(axis=2).min(axis=1))


def test_candidates_alone_are_tried() -> None:
    denoiser, samples = gaussian(), cells(12)
    candidates = np.ones((12, 4), bool)
    candidates[:6, 0] = candidates[6:, 1:] = False
    answers = DiffusionClassifier(denoiser, draw_trials(denoiser, 6), NoElimination()).answer(samples, candidates)
    assert (answers.passes == [18] * 6 + [6] * 6).all()
    assert (answers.told[6:] == 0).all()
    assert (answers.told[:6] != 0).all()
    assert (np.isneginf(answers.logits) == ~candidates).all()
    assert (np.isnan(answers.means) == ~candidates).all()
    with pytest.raises(ValueError, match="at least one a cell"):
        DiffusionClassifier(denoiser, draw_trials(denoiser, 2)).answer(samples, np.zeros((12, 4), bool))


def test_many_cells_are_answered_in_parts_as_they_would_be_at_once() -> None:
    denoiser, samples = gaussian(), cells(1500)
    classifier = DiffusionClassifier(denoiser, draw_trials(denoiser, 6))
    whole = classifier.answer(lambda view: samples)
    parts = classifier.answer(samples)
    assert (parts.told == whole.told).all()
    assert parts.means == pytest.approx(whole.means, rel=1e-6)
    assert (parts.passes == whole.passes).all()


def test_each_trial_sees_its_own_view() -> None:
    denoiser, samples = gaussian(), cells(3)
    trials = draw_trials(denoiser, 12, views=(0, 1, 2))
    assert (trials.views[::2] == trials.views[1::2]).all()
    assert set(trials.views) == {0, 1, 2}
    of_views = class_errors(denoiser, lambda view: samples + view, trials)
    for view in range(3):
        at = trials.views == view
        shifted = class_errors(denoiser, samples + view, draw_trials(denoiser, 12))
        assert of_views[:, :, at] == pytest.approx(shifted[:, :, at])
    with pytest.raises(ValueError, match="ask for view"):
        class_errors(denoiser, samples, trials)


def test_the_same_seed_gives_the_same_trials_and_more_trials_begin_alike() -> None:
    denoiser = gaussian()
    few, many, others = (draw_trials(denoiser, n, seed=seed) for n, seed in ((6, 3), (20, 3), (6, 4)))
    assert (many.noise[:6] == few.noise).all()
    assert (many.steps[:6] == few.steps).all()
    assert (few.noise[::2] == -few.noise[1::2]).all()
    assert (others.noise != few.noise).any()


def test_an_embedding_classifier_prepares_its_samples() -> None:
    denoiser, samples = gaussian(), cells(9)
    trials = draw_trials(denoiser, 4)
    prepared = DiffusionClassifier(denoiser, trials, prepare=lambda embeddings: embeddings / 2)
    assert prepared.logits(2 * samples) == pytest.approx(DiffusionClassifier(denoiser, trials).logits(samples))
    assert prepared.classes == CLASSES


@pytest.mark.parametrize("count", [0, 3])
def test_pairs_need_an_even_number_of_trials(count: int) -> None:
    with pytest.raises(ValueError, match="even in pairs"):
        draw_trials(gaussian(), count)


def test_no_cells_have_no_answers() -> None:
    answers = DiffusionClassifier(gaussian(), draw_trials(gaussian(), 4)).answer(cells(0))
    assert len(answers) == 0
    assert answers.logits.shape == (0, 4)


def test_a_prediction_that_is_not_finite_is_not_taken_for_a_class_given_up() -> None:
    samples = cells(3)
    samples[1, 2] = np.nan
    with pytest.raises(ValueError, match="exact predicts noise that is not finite"):
        DiffusionClassifier(gaussian(), draw_trials(gaussian(), 4)).answer(samples)


def test_a_calibrated_rule_answers_like_all_trials_in_few_passes() -> None:
    denoiser, samples = gaussian(1.0), cells(900)
    trials = draw_trials(denoiser, 40, antithetic=False)
    errors = observed(class_errors(denoiser, samples[:450], trials), trials)
    rule = fit_calibrated_rule(errors, 0.02)
    fixed, fast = (DiffusionClassifier(denoiser, trials, by).answer(samples[450:]) for by in (NoElimination(), rule))
    assert (fast.told == fixed.told).mean() >= 0.96
    assert fast.passes.mean() < 0.25 * fixed.passes.mean()


def test_only_the_disk_counts() -> None:
    class Framed(GaussianDenoiser):
        @property
        def mask(self) -> np.ndarray:
            return np.array([1, 1, 0, 0.5], np.float32)

    centers = np.zeros((2, 4))
    centers[1] = [0, 0, 9, 0]  # the classes differ only where nothing counts
    denoiser = Framed("ab", centers, cosine_schedule(), ModelIdentity("framed", "1", "", "numpy-fp32", ""))
    trials = draw_trials(denoiser, 2)
    samples = cells(5, 4)
    errors = class_errors(denoiser, samples, trials)
    assert errors[:, 0] == pytest.approx(errors[:, 1])
    noised = denoiser.schedule.noised(samples, trials.noise[:1], trials.steps[:1].repeat(5))
    missed = denoiser.predict_noise(noised, trials.steps[:1].repeat(5), np.zeros(5, np.intp)) - trials.noise[0]
    assert errors[:, 0, 0] == pytest.approx((missed**2 * denoiser.mask).sum(axis=1) / 2.5, rel=1e-5)


@pytest.mark.parametrize("antithetic", [True, False])
def test_known_errors_replayed_give_the_answers_of_the_classifier(antithetic: bool) -> None:
    denoiser, samples = gaussian(1.5), cells(60)
    trials = draw_trials(denoiser, 40, weighting=TimestepWeighting("published"), antithetic=antithetic)
    errors = class_errors(denoiser, samples, trials)
    for rule in (AnytimeRule(), PublishedRule(), NoElimination()):
        asked, replayed = (
            DiffusionClassifier(denoiser, trials, rule).answer(samples),
            replay(errors, trials, denoiser, rule),
        )
        assert (replayed.told == asked.told).all()
        assert (replayed.passes == asked.passes).all()
        assert (replayed.alive == asked.alive).all()
        assert replayed.logits == pytest.approx(asked.logits, rel=1e-6, abs=1e-6)
    with pytest.raises(ValueError, match="N x K x 40 errors"):
        replay(errors[:, :, :8], trials, denoiser, rule)
