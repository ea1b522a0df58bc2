"""Psychometric functions: known values, functions found again, and a deviance that tells a fit from none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemascope.stats.psychometric import (
    GUESS_MOST,
    LAPSE_MOST,
    Psychometric,
    deviance,
    fit_psychometric,
    psychometric_intervals,
)

KNOWN = Psychometric(guess=0.3, lapse=0.02, threshold=1.0, spread=1.5)


def drawn(function: Psychometric, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return confidences, and answers that are right as often as a function says."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(-4, 6, count)
    return confidence, rng.random(count) < function(confidence)


def log_likelihood(function: Psychometric, confidence: np.ndarray, right: np.ndarray) -> float:
    p = np.clip(function(confidence), 1e-9, 1 - 1e-9)
    return float(np.where(right, np.log(p), np.log(1 - p)).sum())


def test_known_values() -> None:
    assert KNOWN([1.0])[0] == pytest.approx(0.3 + 0.68 / 2)
    assert KNOWN([-1e6, 1e6]).tolist() == pytest.approx([0.3, 0.98])
    assert KNOWN([2.5])[0] == pytest.approx(0.3 + 0.68 * 0.841344746)


def test_a_function_is_found_again() -> None:
    found = fit_psychometric(*drawn(KNOWN, 15_000))
    assert found.guess == pytest.approx(KNOWN.guess, abs=0.05)
    assert found.lapse == pytest.approx(KNOWN.lapse, abs=0.01)
    assert found.threshold == pytest.approx(KNOWN.threshold, abs=0.2)
    assert found.spread == pytest.approx(KNOWN.spread, abs=0.3)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10_000), st.floats(0, 0.6), st.floats(0, 0.1), st.floats(-2, 4), st.floats(0.2, 3))
def test_no_other_function_is_likelier(seed: int, guess: float, lapse: float, threshold: float, spread: float) -> None:
    truth = Psychometric(guess, lapse, threshold, spread)
    confidence, right = drawn(truth, 400, seed)
    right[:2] = True, False
    found = fit_psychometric(confidence, right)
    assert log_likelihood(found, confidence, right) >= log_likelihood(truth, confidence, right) - 1e-3
    assert 0 <= found.guess <= GUESS_MOST
    assert 0 <= found.lapse <= LAPSE_MOST
    rising = found(np.linspace(-5, 7, 50))
    assert (np.diff(rising) >= 0).all()


def test_weights_are_answers_given_several_times() -> None:
    confidence, right = drawn(KNOWN, 300, 3)
    weights = np.random.default_rng(1).integers(0, 3, 300)
    repeated = np.repeat(np.arange(300), weights)
    weighted = fit_psychometric(confidence, right, weights)
    listed = fit_psychometric(confidence[repeated], right[repeated])
    assert weighted([-2.0, 0, 1, 3, 5]) == pytest.approx(listed([-2.0, 0, 1, 3, 5]), abs=0.02)


def test_intervals_hold_the_known_parameters_and_copies_do_not_narrow_them() -> None:
    confidence, right = drawn(KNOWN, 800, 5)
    found = fit_psychometric(confidence, right)
    limits = psychometric_intervals(confidence, right, np.arange(800), found, resamples=60)
    for name in ("guess", "lapse", "threshold", "spread"):
        low, high = limits[name]
        assert low <= getattr(KNOWN, name) <= high
    copied = psychometric_intervals(
        np.repeat(confidence, 2), np.repeat(right, 2), np.repeat(np.arange(800), 2), found, resamples=60
    )
    assert copied["threshold"] == pytest.approx(limits["threshold"], abs=0.02)


def test_deviance_is_small_where_the_function_holds_and_large_where_it_does_not() -> None:
    confidence, right = drawn(KNOWN, 5000, 2)
    small, bins = deviance(KNOWN, confidence, right)
    assert bins == 15
    assert 2 < small < 35
    assert deviance(Psychometric(0.0, 0.0, 3.0, 1.0), confidence, right)[0] > 500


def test_deviance_by_hand() -> None:
    even = Psychometric(0.0, 0.0, 0.0, 1.0)
    value, bins = deviance(even, [0, 0, 0, 0, 9, 9], [True, True, True, False, True, True], bins=4)
    assert bins == 2  # ties share a bin
    assert value == pytest.approx(2 * 4 * (0.75 * np.log(1.5) + 0.25 * np.log(0.5)))


@pytest.mark.parametrize(
    ("confidence", "right", "problem"),
    [
        ([1, 2, 3], [True, True, True], "both kinds"),
        ([1, 1, 1], [True, False, True], "all confidences are equal"),
        ([1, np.inf, 3], [True, False, True], "not finite"),
        ([1, 2], [True, False, True], "need a confidence"),
    ],
)
def test_what_cannot_be_fitted_is_refused(confidence: list[float], right: list[bool], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        fit_psychometric(confidence, right)


def test_bounds_that_leave_no_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        fit_psychometric([1, 2], [True, False], guess_most=0.9, lapse_most=0.1)
