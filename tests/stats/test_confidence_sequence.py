"""Confidence sequences: values by integration, and how often the evidence misleads who looks every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import nct, norm
from scipy.stats import t as student

from hemascope.stats.confidence_sequence import asymptotic_radius, bounded_interval, log_t_evidence, t_radius

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
    rng = np.random.default_rng(1)
    n = np.arange(1, 301)
    x = rng.normal(3.0, 2.0, size=(5_000, 300))
    means = x.cumsum(axis=1) / n
    variances = np.maximum((x**2).cumsum(axis=1) / n - means**2, 0)
    assert (np.abs(means - 3.0) <= t_radius(n, variances, 0.1)).all(axis=1).mean() > 0.9
    skewed = rng.beta(0.3, 3.0, size=(2_000, 300))
    low, high = bounded_interval(skewed, 0.1)
    assert ((low <= 0.3 / 3.3) & (high >= 0.3 / 3.3)).all(axis=1).mean() > 0.9
    assert ((high - low)[:, -1] < 0.2).all()


def test_the_radius_is_where_the_two_sided_evidence_reaches_its_limit() -> None:
    x = np.array([0.4, 1.1, 0.7, 0.9, 1.6, 0.8])
    n, alpha, g = len(x), 0.05, 15.0
    shifted = x - x.mean() + t_radius(n, x.var(), alpha)
    ratio = (shifted**2).sum() / (n * x.var() + n * shifted.mean() ** 2 / (1 + n * g))
    assert n / 2 * np.log(ratio) - np.log(1 + n * g) / 2 == pytest.approx(np.log(1 / alpha))
    assert t_radius(1, 0.0, alpha) == np.inf
    assert t_radius(2, 1.0, alpha) == np.inf


def test_the_asymptotic_radius_is_shortest_for_its_count_and_nears_the_usual_one() -> None:
    aimed = [float(asymptotic_radius(100, 1.0, 0.05, best_at=at)) for at in (5, 100, 2000)]
    assert min(aimed) == aimed[1]
    assert 1.5 * 1.96 / 10 < aimed[1] < 2 * 1.96 / 10


@BOUNDED
def test_a_level_outside_0_to_1_is_refused(alpha: float) -> None:
    for attempt in (
        lambda: t_radius(5, 1.0, alpha),
        lambda: asymptotic_radius(5, 1.0, alpha),
        lambda: bounded_interval([0.5], alpha),
    ):
        with pytest.raises(ValueError, match="alpha must lie"):
            attempt()


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        bounded_interval([0.5, 1.1], 0.05)
    with pytest.raises(ValueError, match="effect variance"):
        log_t_evidence(3, 1.0, 1.0, effect_variance=0.0)
    with pytest.raises(ValueError, match="number of observations"):
        asymptotic_radius(3, 1.0, 0.05, best_at=0)
