"""The cascade: what is passed on, what it costs, and how two answers become one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.classify.diffusion.budget import BothAnswers, budget_curve, choose_threshold, fit_share
from hemascope.classify.diffusion.cascade import Cascade, candidates, join
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.trials import draw_trials
from hemascope.core.noise_schedule import cosine_schedule
from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.gaussian import GaussianDenoiser
from hemascope.stats.log_softmax import log_softmax

CENTERS = np.array([[0.0, 0, 0, 0], [2.5, 0, 0, 0], [0, 2.5, 0, 0], [0, 0, 2.5, 0]])


def classifier() -> DiffusionClassifier:
    identity = ModelIdentity("exact", "1", "", "numpy-fp32", "")
    denoiser = GaussianDenoiser("abcd", CENTERS, cosine_schedule(), identity)
    return DiffusionClassifier(denoiser, draw_trials(denoiser, 16))


def cells(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, labels, and log probabilities of a first model that sees only the first two numbers."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=count)
    samples = (CENTERS[labels] + rng.normal(size=(count, 4))).astype(np.float32)
    partial = log_softmax(-0.5 * ((samples[:, None, :2] - CENTERS[:, :2]) ** 2).sum(axis=2))
    return samples, labels, partial


def both(count: int, seed: int) -> BothAnswers:
    samples, labels, first = cells(count, seed)
    answers = classifier().answer(samples, candidates(first))
    return BothAnswers(first, answers.logits, answers.passes, labels)


def test_candidates_are_the_fewest_that_hold_the_mass() -> None:
    p = np.array([[0.6, 0.3, 0.08, 0.02], [0.01, 0.98, 0.005, 0.005], [0.25, 0.25, 0.25, 0.25]])
    assert candidates(np.log(p), 0.9).tolist() == [
        [True, True, False, False],
        [True, True, False, False],
        [True, True, True, True],
    ]
    assert candidates(np.log(p), 0.95)[0].tolist() == [True, True, True, False]
    with pytest.raises(ValueError, match="the mass must lie"):
        candidates(np.log(p), 0.0)


@given(st.integers(0, 2**32 - 1), st.floats(0, 2))
def test_joined_probabilities_sum_to_one_and_leave_what_was_not_tried(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    first = log_softmax(rng.normal(size=(5, 6)) * 3)
    second = rng.normal(size=(5, 6)) * 3
    second[:, 4:] = -np.inf
    joined = join(first, second, share)
    assert np.exp(joined).sum(axis=1) == pytest.approx(1.0)
    assert joined[:, 4:] == pytest.approx(first[:, 4:])
    ratio = joined[:, 0] - joined[:, 1]
    assert ratio == pytest.approx(first[:, 0] - first[:, 1] + share * (second[:, 0] - second[:, 1]))


def test_sure_cells_cost_nothing_and_their_samples_are_not_asked_for() -> None:
    samples, _, first = cells(200, 0)
    asked: list[np.ndarray] = []

    def samples_of(numbers: np.ndarray) -> np.ndarray:
        asked.append(numbers)
        return samples[numbers]

    answers = Cascade(classifier(), temperature=1.0, threshold=0.9).answer(first, samples_of)
    unsure = np.exp(first.max(axis=1)) < 0.9
    assert (answers.passed_on == unsure).all()
    assert asked[0].tolist() == np.flatnonzero(unsure).tolist()
    assert answers.log_probabilities[~unsure] == pytest.approx(first[~unsure])
    assert Cascade(classifier(), 1.0, 0.0).answer(first, samples_of).passes.sum() == 0
    assert len(asked) == 1


def test_the_denoiser_adds_what_the_first_model_does_not_see() -> None:
    samples, labels, first = cells(800, 1)
    cascade = Cascade(classifier(), temperature=1.0, threshold=2.0, mass=1.0)
    told = cascade.answer(first, lambda numbers: samples[numbers]).told
    assert (told == labels).mean() > (first.argmax(axis=1) == labels).mean() + 0.1


def test_the_threshold_spends_the_budget_and_no_more() -> None:
    sure = np.array([0.5, 0.6, 0.6, 0.8, 0.9])
    log_probabilities = np.log(np.stack([sure, 1 - sure], axis=1))
    passes = np.array([10, 20, 20, 40, 60])
    assert choose_threshold(log_probabilities, passes, 0) == 0.0
    assert choose_threshold(log_probabilities, passes, 2) == pytest.approx(0.6)
    assert choose_threshold(log_probabilities, passes, 6) == pytest.approx(0.6)  # equal cells only together
    assert choose_threshold(log_probabilities, passes, 10) == pytest.approx(0.8)
    assert choose_threshold(log_probabilities, passes, 29.9) == pytest.approx(0.9)
    assert choose_threshold(log_probabilities, passes, 30) > 1
    with pytest.raises(ValueError, match="budget of 0 or more"):
        choose_threshold(log_probabilities, passes, -1)


@given(st.integers(0, 2**32 - 1), st.floats(0, 60))
def test_no_budget_is_exceeded_on_the_cells_it_was_chosen_on(seed: int, budget: float) -> None:
    rng = np.random.default_rng(seed)
    log_probabilities = log_softmax(rng.integers(0, 4, size=(30, 3)).astype(float))
    passes = rng.integers(1, 100, size=30)
    below = np.exp(log_probabilities.max(axis=1)) < choose_threshold(log_probabilities, passes, budget)
    assert np.where(below, passes, 0).mean() <= budget + 1e-9


def test_more_passes_buy_accuracy_where_the_denoiser_knows_more() -> None:
    validation, tested = both(1500, 2), both(1500, 3)
    points = budget_curve(validation, tested, [0.0, 5.0, 20.0, 1e6])
    assert points[0].passes == points[0].passed_on == 0
    assert points[0].accuracy == pytest.approx((tested.first.argmax(axis=1) == tested.labels).mean())
    assert all(a.accuracy < b.accuracy for a, b in pairwise(points[:3]))
    assert points[-1].accuracy > points[0].accuracy + 0.1
    assert points[-1].passed_on == 1
    assert points[1].passes == pytest.approx(5.0, rel=0.15)
    # On the cells that chose the threshold the budget is kept to the letter.
    assert budget_curve(validation, validation, [5.0])[0].passes <= 5.0


def test_a_second_model_that_knows_nothing_is_given_no_share() -> None:
    _, labels, first = cells(1000, 4)
    noise = np.random.default_rng(5).normal(size=first.shape) * 3
    assert fit_share(first, noise, labels) <= 0.05
    assert fit_share(first, -5.0 * (np.arange(4) != labels[:, None]), labels) == 2.0
    with pytest.raises(ValueError, match="at least one cell"):
        fit_share(first[:0], noise[:0], labels[:0])


def test_a_cascade_refuses_what_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="positive temperature"):
        Cascade(classifier(), 0.0, 0.5)
    with pytest.raises(ValueError, match="N x 4 log probabilities"):
        Cascade(classifier(), 1.0, 0.5).answer(np.zeros((3, 5)), lambda numbers: numbers)
