"""Every classifier of the line-up through one port, chosen on validation, guarded against leaks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hemascope.classify.calibrated import CalibratedClassifier, GivenLogits, calibrate
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.classify.knn import NearestNeighbors
from hemascope.core.errors import DataSetError
from hemascope.core.ports import EmbeddingClassifier
from hemascope.evaluate.line_up import CLASSIFIERS, NEIGHBORS, fit_classifier, validation_loss
from hemascope.stats.log_softmax import log_softmax
from hemascope.stats.temperature import negative_log_likelihood

NAMES = ("a", "b", "c")


def drawn(count: int, seed: int, noise: float = 1.0) -> LabeledEmbeddings:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    centers = np.random.default_rng(99).normal(size=(3, 8)) * 1.5
    values = (centers[labels] + noise * rng.normal(size=(count, 8))).astype(np.float32)
    return LabeledEmbeddings(values, labels.astype(np.intp), np.array([f"{seed}-{i}" for i in range(count)], np.str_))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_each_answers_through_the_port_and_better_than_chance(name: str) -> None:
    test = drawn(300, 2)
    fitted: EmbeddingClassifier = fit_classifier(name, drawn(240, 0), drawn(90, 1), NAMES)
    logits = fitted.logits(test.values)
    assert fitted.classes == NAMES
    assert logits.shape == (300, 3)
    assert logits.dtype == np.float64
    assert np.exp(log_softmax(logits)).sum(axis=1) == pytest.approx(np.ones(300))
    assert (logits.argmax(axis=1) == test.labels).mean() > 0.8
    again = fit_classifier(name, drawn(240, 0), drawn(90, 1), NAMES, seed=5)
    assert again.logits(test.values) == pytest.approx(logits)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_group_in_training_and_validation_is_refused(name: str) -> None:
    train, validation = drawn(60, 0), drawn(30, 1)
    leaking = LabeledEmbeddings(validation.values, validation.labels, np.append(validation.groups[1:], "0-17"))
    with pytest.raises(DataSetError, match="group '0-17' sits both in train and in validation"):
        fit_classifier(name, train, leaking, NAMES)


def test_k_is_the_one_of_least_loss_on_validation() -> None:
    train, validation = drawn(240, 0, noise=3.0), drawn(240, 1, noise=3.0)
    chosen = fit_classifier("knn", train, validation, NAMES)
    assert isinstance(chosen, NearestNeighbors)
    for k in NEIGHBORS:
        other = NearestNeighbors(NAMES, chosen.known, chosen.labels, k, chosen.metric)
        assert validation_loss(chosen, validation) <= validation_loss(other, validation) + 1e-12
    assert chosen.k > 1


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of linear_probe, knn_1"):
        fit_classifier("forest", drawn(30, 0), drawn(30, 1), NAMES)


@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_calibration_lowers_the_loss_on_validation_and_is_a_classifier_too(method: str) -> None:
    validation = drawn(300, 1, noise=3.0)
    raw = fit_classifier("knn_1", drawn(240, 0, noise=3.0), validation, NAMES)
    found = calibrate(raw, validation.values, validation.labels, method)
    losses = [negative_log_likelihood(c.logits(validation.values), validation.labels, 1.0) for c in (found, raw)]
    assert losses[0] < losses[1] - 0.05
    assert found.classes == NAMES
    if method == "temperature":
        order = [c.logits(validation.values).argsort(axis=1) for c in (found, raw)]
        assert (order[0] == order[1]).all()


def test_the_head_of_a_network_stands_behind_the_same_port() -> None:
    logits = np.array([[3.0, 0, 0], [0, 0, 2]], np.float32)
    head = GivenLogits(NAMES)
    assert head.logits(logits) == pytest.approx(logits)
    scaled = calibrate(head, np.repeat(logits, 10, axis=0), np.repeat([0, 1], 10))
    assert isinstance(scaled, CalibratedClassifier)
    # Half the cells are wrong, so the best answer is less sure than the logits are.
    assert all(np.abs(new).max() < np.abs(old).max() for old, new in pairwise([logits, scaled.logits(logits)]))
    with pytest.raises(ValueError, match="takes N x 3"):
        head.logits(logits[:, :2])
