"""Exact intervals against published tables, closed forms and their own definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, poisson

from hemascope.stats.intervals import binomial_interval, poisson_rate_interval, poisson_ratio_interval

CONFIDENCE = st.floats(0.5, 0.999)


@pytest.mark.parametrize(
    ("percent", "total", "low", "high"),
    [
        (5, 100, 1.6, 11.3),
        (5, 200, 2.4, 9.0),
        (5, 400, 3.1, 7.6),
        (20, 200, 14.7, 26.2),
        (20, 400, 16.2, 24.3),
    ],
)
def test_binomial_interval_is_the_one_of_ruemke(percent: int, total: int, low: float, high: float) -> None:
    limits = binomial_interval(percent * total // 100, total)
    assert [round(100 * limit, 1) for limit in limits] == [low, high]


def test_binomial_interval_at_the_ends_has_its_closed_form() -> None:
    low, high = binomial_interval(0, 100)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 100), rel=1e-12)
    low, high = binomial_interval(100, 100)
    assert high == 1
    assert low == pytest.approx(0.025 ** (1 / 100), rel=1e-12)


@given(st.integers(1, 2000), st.data(), CONFIDENCE)
def test_binomial_limits_leave_one_tail_each(total: int, data: st.DataObject, confidence: float) -> None:
    count = data.draw(st.integers(0, total))
    low, high = binomial_interval(count, total, confidence)
    assert 0 <= low <= count / total <= high <= 1
    tail = (1 - confidence) / 2
    if count > 0:
        assert binom.sf(count - 1, total, low) == pytest.approx(tail, rel=1e-6)
    if count < total:
        assert binom.cdf(count, total, high) == pytest.approx(tail, rel=1e-6)


@given(st.integers(1, 500), st.data())
def test_binomial_interval_mirrors(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    low, high = binomial_interval(count, total)
    other_low, other_high = binomial_interval(total - count, total)
    assert (1 - other_high, 1 - other_low) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.025, 5.572), (5, 1.623, 11.668), (10, 4.795, 18.390)]
)
def test_poisson_interval_is_the_one_of_garwood(count: int, low: float, high: float) -> None:
    assert poisson_rate_interval(count, 1) == pytest.approx((low, high), abs=6e-4)


@given(st.integers(0, 5000), st.floats(0.01, 1e4), CONFIDENCE)
def test_poisson_limits_leave_one_tail_each(count: int, exposure: float, confidence: float) -> None:
    low, high = poisson_rate_interval(count, exposure, confidence)
    assert 0 <= low <= count / exposure * (1 + 1e-12)
    assert high >= count / exposure
    tail = (1 - confidence) / 2
    if count > 0:
        assert poisson.sf(count - 1, low * exposure) == pytest.approx(tail, rel=1e-6)
    assert poisson.cdf(count, high * exposure) == pytest.approx(tail, rel=1e-6)


def test_ratio_interval_of_nothing_is_everything() -> None:
    assert poisson_ratio_interval(0, 0) == (0, math.inf)
    assert poisson_ratio_interval(3, 0)[1] == math.inf
    assert poisson_ratio_interval(3, 0)[0] > 0
    assert poisson_ratio_interval(0, 3)[0] == 0


def test_ratio_interval_has_its_known_answer() -> None:
    # 5 against 5: the share lies in 18.71% to 81.29%, so the ratio in 0.2302 to 4.345.
    low, high = poisson_ratio_interval(5, 5)
    assert (low, high) == pytest.approx((0.23016, 4.34482), rel=1e-3)
    assert low * high == pytest.approx(1)


@given(st.integers(0, 3000), st.integers(1, 3000), CONFIDENCE)
def test_ratio_interval_holds_the_ratio_and_inverts(a: int, b: int, confidence: float) -> None:
    low, high = poisson_ratio_interval(a, b, confidence)
    assert 0 <= low <= a / b <= high
    inverse_low, inverse_high = poisson_ratio_interval(b, a, confidence)
    assert inverse_low * high == pytest.approx(1)
    assert low == 0 or low * inverse_high == pytest.approx(1)


@pytest.mark.parametrize(
    ("count", "total"), [(-1, 10), (11, 10), (0, 0), (0, -1), (1.5, 10), (1, 10.5), (math.nan, 10), (1, math.inf)]
)
def test_impossible_proportions_are_refused(count: float, total: float) -> None:
    with pytest.raises(ValueError, match=r"count|total"):
        binomial_interval(count, total)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "exposure"), [(-1, 1), (0.5, 1), (1, 0), (1, -2), (1, math.inf), (1, math.nan)])
def test_impossible_rates_are_refused(count: float, exposure: float) -> None:
    with pytest.raises(ValueError, match=r"count|exposure"):
        poisson_rate_interval(count, exposure)  # type: ignore[arg-type]


@pytest.mark.parametrize(("a", "b"), [(-1, 1), (1, -1), (0.5, 1), (math.inf, 1)])
def test_impossible_ratios_are_refused(a: float, b: float) -> None:
    with pytest.raises(ValueError, match="count_"):
        poisson_ratio_interval(a, b)  # type: ignore[arg-type]


@pytest.mark.parametrize("confidence", [0, 1, -0.1, 1.1, math.nan])
def test_impossible_confidence_is_refused(confidence: float) -> None:
    for call in (
        lambda: binomial_interval(1, 2, confidence),
        lambda: poisson_rate_interval(1, 2, confidence),
        lambda: poisson_ratio_interval(1, 2, confidence),
        lambda: poisson_ratio_interval(0, 0, confidence),
    ):
        with pytest.raises(ValueError, match="confidence"):
            call()
