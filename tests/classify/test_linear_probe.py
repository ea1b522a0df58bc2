"""The linear probe against answers known in closed form, its own gradient, and what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from hemascope.classify.linear_probe import balanced_weights, dino_penalty, fit_linear_probe
from hemascope.core.errors import DataSetError
from hemascope.core.ports import EmbeddingClassifier
from hemascope.stats.log_softmax import log_softmax

NAMES = ("a", "b", "c")


def blobs(per_class: int = 40, dimension: int = 5, classes: int = 3, apart: float = 2.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class)
    centers = rng.normal(size=(classes, dimension)) * apart
    return (centers[labels] + rng.normal(size=(len(labels), dimension))).astype(np.float32), labels


def objective(flat, values, labels, weights, c, classes):
    both = flat.reshape(-1, classes)
    log_p = log_softmax(values @ both[:-1] + both[-1])
    return -c * weights @ log_p[np.arange(len(labels)), labels] + 0.5 * (both[:-1] ** 2).sum()


def test_without_inputs_that_tell_anything_the_answer_is_the_shares_of_the_classes() -> None:
    labels = np.repeat([0, 1, 2], [10, 30, 60])
    probe = fit_linear_probe(np.ones((100, 4)), labels, NAMES)
    assert np.exp(log_softmax(probe.logits(np.ones((1, 4), np.float32))))[0] == pytest.approx([0.1, 0.3, 0.6], abs=1e-4)


def test_one_binary_input_has_the_log_odds_as_its_slope() -> None:
    # Of x = 0, a quarter is class 1; of x = 1, nine tenths: without a penalty the logits are the log odds.
    x = np.repeat([0.0, 0.0, 1.0, 1.0], [75, 25, 10, 90])[:, None]
    labels = np.repeat([0, 1, 0, 1], [75, 25, 10, 90])
    probe = fit_linear_probe(x, labels, ("no", "yes"), c=1e8)
    odds = np.diff(probe.logits(np.array([[0.0], [1.0]], np.float32)), axis=1).ravel()
    assert odds == pytest.approx([np.log(1 / 3), np.log(9)], abs=1e-3)


@pytest.mark.parametrize("c", [0.01, 1.0, 100.0])
def test_the_gradient_of_the_stated_objective_is_zero_at_the_answer(c: float) -> None:
    values, labels = blobs(apart=0.7)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(labels))
    probe = fit_linear_probe(values, labels, NAMES, c=c, sample_weights=weights, standardize=False)
    flat = np.vstack([probe.weights, probe.intercepts]).ravel()
    gradient = approx_fprime(flat, objective, 1e-6, values.astype(float), labels, weights, c, 3)
    assert np.abs(gradient).max() / (c * weights.sum()) < 5e-5


def test_a_sample_of_weight_two_counts_as_two_samples() -> None:
    values, labels = blobs(10)
    twice = np.arange(len(labels)) % 2 == 0
    weighted = fit_linear_probe(values, labels, NAMES, sample_weights=1.0 + twice)
    copied = fit_linear_probe(np.vstack([values, values[twice]]), np.append(labels, labels[twice]), NAMES)
    assert weighted.weights == pytest.approx(copied.weights, abs=2e-3)


def test_balanced_weights_take_the_shares_out_of_the_answer() -> None:
    labels = np.repeat([0, 1, 2], [10, 30, 60])
    probe = fit_linear_probe(np.ones((100, 2)), labels, NAMES, class_weights=balanced_weights(labels, 3))
    assert np.ptp(probe.logits(np.ones((1, 2), np.float32))) == pytest.approx(0, abs=1e-3)
    assert balanced_weights([0, 0, 1, 1, 1, 1], 2) == pytest.approx([1.5, 0.75])


@given(st.integers(0, 50), st.floats(0.1, 1000), st.floats(-100, 100))
@settings(max_examples=15, deadline=None)
def test_units_of_the_inputs_change_no_answer(seed: int, unit: float, offset: float) -> None:
    values, labels = blobs(15, seed=seed)
    asked = values[:7]
    plain = fit_linear_probe(values, labels, NAMES).logits(asked)
    moved = fit_linear_probe(values * unit + offset, labels, NAMES).logits(asked * unit + offset)
    assert moved == pytest.approx(plain, abs=0.02)


def test_the_start_changes_no_answer() -> None:
    values, labels = blobs(apart=0.7)
    near = fit_linear_probe(values, labels, NAMES, c=0.1)
    cold = fit_linear_probe(values, labels, NAMES, c=1.0)
    warm = fit_linear_probe(values, labels, NAMES, c=1.0, start=near)
    assert warm.weights == pytest.approx(cold.weights, abs=2e-3)


def test_a_stronger_penalty_gives_smaller_weights() -> None:
    values, labels = blobs()
    lengths = [np.linalg.norm(fit_linear_probe(values, labels, NAMES, c=c).weights) for c in (0.001, 0.1, 10)]
    assert lengths == sorted(lengths)


def test_it_is_an_embedding_classifier_that_says_whether_it_converged() -> None:
    values, labels = blobs()
    probe: EmbeddingClassifier = fit_linear_probe(values, labels, NAMES)
    assert probe.classes == NAMES
    assert probe.logits(values[:0]).shape == (0, 3)
    assert (probe.logits(values).argmax(axis=1) == labels).mean() > 0.9
    assert fit_linear_probe(values, labels, NAMES).converged
    assert not fit_linear_probe(values, labels, NAMES, max_iterations=1).converged


def test_the_penalty_of_the_dino_evaluation() -> None:
    assert dino_penalty(384, 8) == pytest.approx(30.72)


def test_what_cannot_be_learned_from_is_refused() -> None:
    values, labels = blobs()
    with pytest.raises(DataSetError, match="no example of d"):
        fit_linear_probe(values, labels, (*NAMES, "d"))
    with pytest.raises(ValueError, match="row 3"):
        fit_linear_probe(np.where(np.arange(len(values))[:, None] == 3, np.nan, values), labels, NAMES)
    with pytest.raises(ValueError, match="C must be above 0"):
        fit_linear_probe(values, labels, NAMES, c=0)
    with pytest.raises(ValueError, match="not all 0"):
        fit_linear_probe(values, labels, NAMES, sample_weights=np.zeros(len(labels)))
    with pytest.raises(ValueError, match="different names"):
        fit_linear_probe(values, labels, ("a", "b", "a"))
    with pytest.raises(ValueError, match="takes N x 5"):
        fit_linear_probe(values, labels, NAMES).logits(values[:, :4])
