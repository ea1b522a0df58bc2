"""Shares estimated without labels, on cells whose shares are known."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.classify.prior import estimate_prior, under_prior


def calibrated(shares: np.ndarray, trained: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells of a line, typed by the exact probabilities under the shares in training."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, size=count, p=shares)
    x = rng.normal(np.array([0.0, 2.0, 4.0])[labels], 1.0)
    weights = trained * np.exp(-0.5 * (x[:, None] - np.array([0.0, 2.0, 4.0])) ** 2)
    return weights / weights.sum(axis=1, keepdims=True), labels


def test_it_finds_other_shares_than_those_of_training() -> None:
    shares, trained = np.array([0.1, 0.2, 0.7]), np.full(3, 1 / 3)
    probabilities, labels = calibrated(shares, trained, 4000, 0)
    found = estimate_prior(probabilities, trained)
    assert found == pytest.approx(shares, abs=0.03)
    before = (probabilities.argmax(axis=1) == labels).mean()
    assert (under_prior(probabilities, trained, found).argmax(axis=1) == labels).mean() > before


def test_shares_as_in_training_stay() -> None:
    trained = np.array([0.5, 0.3, 0.2])
    assert estimate_prior(calibrated(trained, trained, 4000, 1)[0], trained) == pytest.approx(trained, abs=0.03)


def test_a_type_that_does_not_occur_keeps_a_small_share() -> None:
    trained = np.full(3, 1 / 3)
    found = estimate_prior(calibrated(np.array([0.5, 0.5, 0.0]), trained, 300, 2)[0], trained)
    assert 0 < found[2] < 0.03
    assert found.sum() == pytest.approx(1)


def test_nothing_to_estimate_from_is_refused() -> None:
    with pytest.raises(ValueError, match="need cells"):
        estimate_prior(np.zeros((0, 3)), np.full(3, 1 / 3))
    with pytest.raises(ValueError, match="positive share"):
        estimate_prior(np.full((2, 2), 0.5), np.array([1.0, 0.0]))
