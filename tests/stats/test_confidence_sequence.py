"""Confidence sequences: values by integration, and how often the evidence misleads who looks every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import nct, norm
from scipy.stats import t as student

from hemascope.stats.confidence_sequence import log_t_evidence, t_radius

BOUNDED = pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])


@pytest.mark.parametrize("values", [[1.0, 2.0, 0.5], [-1.0, 0.3, -0.2, 0.1], [0.2, 0.21, 0.19, 0.2, 0.22]])
@pytest.mark.parametrize("variance", [0.5, 10.0])
def test_the_evidence_is_the_t_likelihood_mixed_over_positive_effects(values: list[float], variance: float) -> None:
    x = np.array(values)
    n, t = len(x), np.sqrt(len(x)) * x.mean() / x.std(ddof=1)
    reach = abs(t) / np.sqrt(n) * 3 + 6
    mixed, _ = quad(lambda d: 2 * norm.pdf(d, scale=variance**0.5) * nct.pdf(t, n - 1, d * n**0.5), 0, reach, limit=200)
    expected = np.log(mixed / student.pdf(t, n - 1))
    assert log_t_evidence(n, x.sum(), (x**2).sum(), effect_variance=variance) == pytest.approx(expected, abs=1e-4)


@given(st.lists(st.floats(-10, 10).filter(lambda x: abs(x) > 1e-3), min_size=2, max_size=9), st.floats(1e-3, 1e3))
def test_the_evidence_does_not_depend_on_the_scale(values: list[float], scale: float) -> None:
    x = np.array(values)
    scaled = log_t_evidence(len(x), (scale * x).sum(), (scale**2 * x**2).sum())
    assert scaled == pytest.approx(log_t_evidence(len(x), x.sum(), (x**2).sum()), rel=1e-6, abs=1e-6)


def test_one_observation_and_none_but_zeros_are_no_evidence() -> None:
    assert log_t_evidence(1, 0.0, 0.0) < 0
    assert log_t_evidence(1, 5.0, 25.0) < np.log(2 * np.sqrt(16))
    assert log_t_evidence(50, 0.0, 0.0) == pytest.approx(-np.log(751) / 2)
    assert np.isnan(log_t_evidence(3, np.nan, np.nan))


def test_equal_positive_differences_are_the_greatest_evidence_and_stay_finite() -> None:
    # All within-variance gone: E = 2 (1 + n g)^((n - 1) / 2).
    assert log_t_evidence(4, 8.0, 16.0) == pytest.approx(np.log(2) + 1.5 * np.log(61), abs=0.01)
    assert log_t_evidence(4, -8.0, 16.0) < -1


def test_evidence_on_a_true_mean_of_zero_reaches_its_limit_no_more_often_than_stated() -> None:
    x = np.random.default_rng(0).normal(size=(3_000, 200))
    n = np.arange(1, 201)
    for shift in (0.0, -0.2):
        y = x + shift
        evidence = log_t_evidence(n, y.cumsum(axis=1), (y**2).cumsum(axis=1))
        misled = (evidence.max(axis=1) >= np.log(1 / 0.05)).mean()
        assert misled < 0.05
        assert shift or misled > 0.01  # and it is no empty promise


def test_all_intervals_of_a_sequence_hold_the_mean() -> None:
    n = np.arange(1, 301)
    x = np.random.default_rng(1).normal(3.0, 2.0, size=(5_000, 300))
    means = x.cumsum(axis=1) / n
    variances = np.maximum((x**2).cumsum(axis=1) / n - means**2, 0)
    assert (np.abs(means - 3.0) <= t_radius(n, variances, 0.1)).all(axis=1).mean() > 0.9


def test_the_radius_is_where_the_two_sided_evidence_reaches_its_limit() -> None:
    x = np.array([0.4, 1.1, 0.7, 0.9, 1.6, 0.8])
    n, alpha, g = len(x), 0.05, 15.0
    shifted = x - x.mean() + t_radius(n, x.var(), alpha)
    ratio = (shifted**2).sum() / (n * x.var() + n * shifted.mean() ** 2 / (1 + n * g))
    assert n / 2 * np.log(ratio) - np.log(1 + n * g) / 2 == pytest.approx(np.log(1 / alpha))
    assert t_radius(1, 0.0, alpha) == np.inf
    assert t_radius(2, 1.0, alpha) == np.inf


def asymptotic_radius(n: np.ndarray, variance: np.ndarray, alpha: float) -> np.ndarray:
    """Of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (Annals of Statistics 2024), shortest at about 20."""
    strength = -2 * np.log(alpha)
    rho2 = (strength + np.log(strength + 1)) / 20
    grown = n * rho2 + 1
    return np.sqrt(variance * 2 * grown / (n**2 * rho2) * np.log(np.sqrt(grown) / alpha))


def bernstein_low(x: np.ndarray, alpha: float) -> np.ndarray:
    """Lower limits by Waudby-Smith and Ramdas (JRSSB 2024;86:1, theorem 2) for numbers from 0 to 1."""
    order = np.arange(1, x.shape[1] + 1)
    means = (0.5 + x.cumsum(axis=1)) / (order + 1)
    spread = (0.25 + ((x - means) ** 2).cumsum(axis=1)) / (order + 1)
    before, spread = (np.insert(a[:, :-1], 0, first, axis=1) for a, first in ((means, 0.5), (spread, 0.25)))
    bets = np.minimum(0.5, np.sqrt(2 * np.log(2 / alpha) / (spread * order * np.log(order + 1))))
    penalty = ((x - before) ** 2 * (-np.log1p(-bets) - bets)).cumsum(axis=1)
    return ((bets * x).cumsum(axis=1) - np.log(2 / alpha) - penalty) / bets.cumsum(axis=1)


def test_the_alternatives_that_were_turned_down_err_or_wait() -> None:
    n, alpha = np.arange(1, 301), 0.01

    def found(x: np.ndarray) -> dict[str, np.ndarray]:
        """After how many observations each finds the mean above 0; 301 for never."""
        total, squares = x.cumsum(axis=1), (x**2).cumsum(axis=1)
        means = total / n
        variances = np.maximum(squares / n - means**2, 0)
        says = {
            "evidence": log_t_evidence(n, total, squares) >= -np.log(alpha),
            "asymptotic": (means > asymptotic_radius(n, variances, 2 * alpha)) & (n >= 3),
            "bernstein": bernstein_low(np.clip((x / 10 + 1) / 2, 0, 1), 2 * alpha) > 0.5,
        }
        return {name: np.where(yes.any(axis=1), yes.argmax(axis=1) + 1, 301) for name, yes in says.items()}

    rng = np.random.default_rng(2)
    null, clear = found(rng.normal(size=(2_000, 300))), found(rng.normal(size=(200, 300)) + 4.0)
    wrong = {name: (stop <= 300).mean() for name, stop in null.items()}
    assert wrong["evidence"] <= alpha < 3 * alpha < wrong["asymptotic"]
    assert np.median(clear["evidence"]) <= 5 < 30 < np.median(clear["bernstein"])


@BOUNDED
def test_a_level_outside_0_to_1_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must lie"):
        t_radius(5, 1.0, alpha)


def test_an_effect_variance_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match="effect variance"):
        log_t_evidence(3, 1.0, 1.0, effect_variance=0.0)
