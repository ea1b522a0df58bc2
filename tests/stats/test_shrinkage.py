"""The share of the identity: known values, and what it does as samples grow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.stats.shrinkage import ledoit_wolf_share


def test_by_hand() -> None:
    values = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    # S = diag(0.5, 2): d2 = 2 * 0.75^2, and b2 = (mean of |x|^4, 8.5, less |S|^2, 4.25) / 4
    assert ledoit_wolf_share(values) == pytest.approx(min(1.0, (17 / 16) / 1.125))


def test_many_samples_of_a_long_ellipse_need_none_and_few_need_much() -> None:
    rng = np.random.default_rng(0)
    scale = np.linspace(0.2, 3, 20)
    few, many = (ledoit_wolf_share(rng.normal(size=(n, 20)) * scale) for n in (15, 5000))
    assert many < 0.01
    assert 0.2 < few <= 1


def test_round_clouds_are_shrunk_whole() -> None:
    assert ledoit_wolf_share(np.random.default_rng(1).normal(size=(50, 30))) > 0.8
    assert ledoit_wolf_share(np.eye(3)) == pytest.approx(1.0)


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_units_and_turns_do_not_matter(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(12, 4)) * [1, 2, 3, 4]
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert ledoit_wolf_share(values @ turn * unit) == pytest.approx(ledoit_wolf_share(values), rel=1e-6)


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        ledoit_wolf_share(np.zeros((0, 3)))
