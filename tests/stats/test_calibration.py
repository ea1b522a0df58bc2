"""Calibration errors against hand-worked cases, simulation and their own definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hemascope.stats.calibration import (
    brier_scores,
    calibration_statistics,
    expected_calibration_error,
    log_losses,
    reliability_table,
    squared_calibration_error,
)
from hemascope.stats.temperature import fit_likelihood_temperature

PROBABILITIES = st.floats(0, 1, width=32)
PREDICTIONS = st.integers(1, 60).flatmap(
    lambda n: st.tuples(arrays(np.float64, n, elements=PROBABILITIES), arrays(np.bool_, n))
)


def calibrated(seed: int, n: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    confidence = generator.uniform(0.4, 1.0, n)
    return confidence, generator.uniform(size=n) < confidence


def test_table_of_four_predictions_in_two_bins() -> None:
    low, high = reliability_table([0.9, 0.6, 0.7, 0.8], [True, False, True, True], bins=2)
    assert (low.count, low.confidence, low.accuracy) == (2, pytest.approx(0.65), 0.5)
    assert (high.count, high.confidence, high.accuracy) == (2, pytest.approx(0.85), 1.0)


def test_plain_error_of_four_predictions_in_two_bins() -> None:
    error = expected_calibration_error([0.9, 0.6, 0.7, 0.8], [True, False, True, True], bins=2, debiased=False)
    assert error == pytest.approx((abs(0.5 - 0.65) + abs(1.0 - 0.85)) / 2)


def test_debiased_squared_error_of_one_bin_by_hand() -> None:
    # Accuracy 3/4, confidence 0.5: (0.25)^2 - (3/4 * 1/4) / 3 = 0.
    assert squared_calibration_error([0.5] * 4, [1, 1, 1, 0]) == pytest.approx(0.0)
    # Accuracy 1/2, confidence 0.9: 0.4^2 - 0.25 / 3.
    assert squared_calibration_error([0.9] * 4, [1, 0, 1, 0]) == pytest.approx(0.16 - 0.25 / 3)


def test_equal_mass_bins_are_equal_without_ties() -> None:
    confidence, correct = calibrated(0)
    assert [b.count for b in reliability_table(confidence, correct, 15)] == [100] * 15


def test_ties_stay_in_one_bin() -> None:
    assert [b.count for b in reliability_table([0.5] * 10, [1] * 5 + [0] * 5, bins=5)] == [10]


def test_sure_and_right_has_no_error() -> None:
    assert expected_calibration_error([1.0] * 20, [True] * 20) == 0.0


def test_sure_and_wrong_has_the_greatest_error() -> None:
    assert expected_calibration_error([1.0] * 20, [False] * 20) == 1.0


def test_debiasing_removes_most_of_the_bias_on_calibrated_predictions() -> None:
    draws = [calibrated(seed) for seed in range(100)]
    plain = np.mean([expected_calibration_error(*draw, debiased=False) for draw in draws])
    debiased = np.mean([expected_calibration_error(*draw) for draw in draws])
    assert plain > 0.025  # the truth is 0: sampling noise alone
    assert debiased < 0.6 * plain


def test_squared_error_is_unbiased_on_calibrated_predictions() -> None:
    values = np.array([squared_calibration_error(*calibrated(seed)) for seed in range(300)])
    standard_error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean()) < 4 * standard_error


def test_known_miscalibration_is_found() -> None:
    confidence, correct = calibrated(3, 20000)
    assert expected_calibration_error(confidence - 0.1, correct) == pytest.approx(0.1, abs=0.015)


@given(PREDICTIONS, st.integers(1, 20), st.randoms())
def test_errors_do_not_depend_on_the_order(
    predictions: tuple[np.ndarray, np.ndarray], bins: int, random: object
) -> None:
    confidence, correct = predictions
    order = np.random.default_rng(7).permutation(len(confidence))
    first = expected_calibration_error(confidence, correct, bins)
    assert expected_calibration_error(confidence[order], correct[order], bins) == pytest.approx(first, abs=1e-12)


@given(PREDICTIONS, st.integers(1, 20))
def test_debiased_error_lies_between_nothing_and_the_plain_one(
    predictions: tuple[np.ndarray, np.ndarray], bins: int
) -> None:
    plain = expected_calibration_error(*predictions, bins=bins, debiased=False)
    assert -1e-12 <= expected_calibration_error(*predictions, bins=bins) <= plain + 1e-12 <= 1 + 2e-12


@given(PREDICTIONS, st.integers(1, 20))
def test_table_keeps_every_prediction(predictions: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    confidence, correct = predictions
    table = reliability_table(confidence, correct, bins)
    assert sum(b.count for b in table) == len(confidence)
    assert sum(b.count * b.accuracy for b in table) == pytest.approx(correct.sum())
    assert [b.confidence for b in table] == sorted(b.confidence for b in table)


@pytest.mark.parametrize(
    ("confidence", "correct"),
    [([], []), ([0.5], [1, 0]), ([1.5], [1]), ([float("nan")], [1]), ([0.5], [0.5])],
)
def test_what_is_no_prediction_is_refused(confidence: list[float], correct: list[float]) -> None:
    with pytest.raises(ValueError, match=r"confidence|correct"):
        expected_calibration_error(confidence, correct)


def test_brier_score_by_hand() -> None:
    scores = brier_scores([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.7, 0.3]], [0, 1, 0, 1])
    assert scores == pytest.approx([0.0, 2.0, 0.5, 0.49 + 0.49])


def test_log_loss_by_hand() -> None:
    losses = log_losses([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]], [0, 1, 1])
    assert losses == pytest.approx([0.0, np.log(2), -np.log(1e-12)])


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [([[0.6, 0.6]], [0]), ([[0.5, 0.5]], [2]), ([[0.5, 0.5]], [0, 1]), ([[-1.0, 2.0]], [0])],
)
def test_what_is_no_distribution_is_refused(probabilities: list[list[float]], labels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"row|label"):
        brier_scores(probabilities, labels)


@given(PREDICTIONS, st.integers(1, 20), st.integers(0, 1000))
def test_errors_of_a_resample_are_those_of_the_repeated_predictions(
    predictions: tuple[np.ndarray, np.ndarray], bins: int, seed: int
) -> None:
    confidence, correct = predictions
    weights = np.random.default_rng(seed).integers(0, 4, (1, len(confidence)))
    weights[0, 0] += 1
    rows = np.repeat(np.arange(len(confidence)), weights[0])
    statistics = calibration_statistics(confidence, correct, bins)
    drawn = weights.astype(np.float64)
    again = confidence[rows], correct[rows], bins
    assert statistics["ece"](drawn)[0] == pytest.approx(expected_calibration_error(*again), abs=1e-9)
    plain = expected_calibration_error(*again, debiased=False)
    assert statistics["ece_plain"](drawn)[0] == pytest.approx(plain, abs=1e-9)
    squared = max(squared_calibration_error(*again), 0)
    assert statistics["rms_calibration_error"](drawn)[0] ** 2 == pytest.approx(squared, abs=1e-9)


def test_log_likelihoods_of_any_size_find_their_temperature() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2000, 4)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) > rng.random((2000, 1))).argmax(axis=1)
    for size in (1.0, 1000.0):
        assert fit_likelihood_temperature(size * logits, labels) == pytest.approx(size, rel=0.15)
