"""Correlations of weighted records against scipy's of copied ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from hemascope.stats.correlation import pearson_statistic, spearman_statistic

PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=20)


@given(PAIRS, st.integers(0, 9))
@pytest.mark.filterwarnings("ignore")
def test_weights_are_copies(pairs: list[tuple[int, int]], seed: int) -> None:
    x, y = (np.array(side, float) for side in zip(*pairs, strict=True))
    drawn = np.random.default_rng(seed).multinomial(len(x), np.full(len(x), 1 / len(x)))
    for statistic, known in ((pearson_statistic, pearsonr), (spearman_statistic, spearmanr)):
        ours = statistic(x, y)(drawn[None].astype(float))[0]
        theirs = known(np.repeat(x, drawn), np.repeat(y, drawn))[0]
        assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)


def test_large_offsets_cost_no_digits() -> None:
    x = np.random.default_rng(0).normal(size=50)
    y = x + np.random.default_rng(1).normal(size=50)
    plain, moved = pearson_statistic(x, y), pearson_statistic(x + 1e6, y - 1e6)
    weights = np.ones((1, 50))
    assert moved(weights)[0] == pytest.approx(plain(weights)[0], abs=1e-8)


def test_ranks_know_nothing_of_scale() -> None:
    x = np.arange(10.0)
    assert spearman_statistic(x, np.exp(x))(np.ones((1, 10)))[0] == pytest.approx(1)
    assert spearman_statistic(x, -(x**3))(np.ones((1, 10)))[0] == pytest.approx(-1)


def test_what_does_not_vary_has_no_correlation() -> None:
    for statistic in (pearson_statistic, spearman_statistic):
        assert np.isnan(statistic([1, 2, 3], [5, 5, 5])(np.ones((1, 3)))).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        pearson_statistic([1, np.nan], [1, 2])
    with pytest.raises(ValueError, match="finite numbers"):
        spearman_statistic([1, 2], [1])
