"""The bootstrap against formulas it must reproduce, and its promises on seeds, blocks and groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.stats.resample import bootstrap_distribution, bootstrap_interval, bootstrap_p_value, percentile_interval


def mean_of(values: np.ndarray):
    return lambda weights: weights @ values / weights.sum(axis=1)


def test_spread_of_the_mean_is_the_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=400)
    drawn = bootstrap_distribution(np.arange(400), mean_of(values), resamples=4000)
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.005)
    assert drawn.std() == pytest.approx(values.std() / 20, rel=0.05)


def test_groups_of_copies_are_as_uncertain_as_one_of_each() -> None:
    values = np.random.default_rng(2).normal(size=50)
    single = bootstrap_distribution(np.arange(50), mean_of(values), seed=5)
    copied = bootstrap_distribution(np.repeat(np.arange(50), 8), mean_of(np.repeat(values, 8)), seed=5)
    assert copied == pytest.approx(single)


def test_a_group_is_drawn_whole() -> None:
    groups = np.array(["a", "a", "b", "c", "b"])
    weights = bootstrap_distribution(groups, lambda w: np.abs(w[:, 0] - w[:, 1]) + np.abs(w[:, 2] - w[:, 4]))
    assert not weights.any()


def test_as_many_groups_are_drawn_as_there_are() -> None:
    groups = np.repeat(np.arange(6), 3)
    assert (bootstrap_distribution(groups, lambda w: w.sum(axis=1)) == 18).all()


@given(st.integers(1, 300), st.integers(1, 250), st.integers(0, 5))
def test_the_block_changes_nothing(block: int, resamples: int, seed: int) -> None:
    values = np.arange(20.0)
    whole = bootstrap_distribution(np.arange(20), mean_of(values), resamples, seed, block=1000)
    assert bootstrap_distribution(np.arange(20), mean_of(values), resamples, seed, block) == pytest.approx(whole)


def test_the_seed_decides() -> None:
    values = np.arange(20.0)
    first, again, other = (bootstrap_interval(np.arange(20), mean_of(values), seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_percentiles_of_a_known_distribution() -> None:
    assert percentile_interval(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))


def test_undefined_resamples_are_left_out() -> None:
    assert percentile_interval([np.nan, 3.0, 3.0]) == (3.0, 3.0)
    assert percentile_interval([np.nan]) is None


def test_nothing_cannot_be_resampled() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval(np.array([]), mean_of(np.array([])))


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for seed in range(200):
        values = generator.normal(size=60)
        interval = bootstrap_interval(np.arange(60), mean_of(values), resamples=400, seed=seed)
        assert interval is not None
        covered += interval[0] <= 0 <= interval[1]
    assert 178 <= covered <= 198  # 190 expected; 4 standard deviations below, and short of always


def test_a_p_value_counts_the_rarer_side() -> None:
    values = np.r_[np.full(9, -1.0), np.full(990, 1.0)]
    assert bootstrap_p_value(values) == pytest.approx(2 * 10 / 1000)
    assert bootstrap_p_value(values, null=1.0) == 1
    assert bootstrap_p_value([2.0] * 99) == pytest.approx(0.02)
    assert bootstrap_p_value([np.nan]) is None


def test_a_p_value_rejects_as_often_as_stated() -> None:
    drawn = np.random.default_rng(4).normal(size=(200, 60))
    rejected = [bootstrap_p_value(bootstrap_distribution(np.arange(60), mean_of(row), 300)) < 0.05 for row in drawn]
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.04)
