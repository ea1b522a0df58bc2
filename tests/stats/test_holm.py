"""Holm's adjustment by hand, against Bonferroni, and its promise on false rejections."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.stats.holm import holm

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_steps_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_test_that_was_not_done_does_not_count() -> None:
    assert holm([0.01, np.nan, 0.02]) == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)
    assert holm([]).shape == (0,)


@given(VALUES)
def test_never_stricter_than_bonferroni_never_below_the_value(values: list[float]) -> None:
    adjusted, plain = holm(values), np.array(values)
    assert (adjusted >= plain).all()
    assert (adjusted <= np.minimum(1, plain * len(values)) + 1e-12).all()
    order = np.argsort(plain, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


@given(VALUES, st.integers(0, 99))
def test_order_does_not_matter(values: list[float], seed: int) -> None:
    places = np.random.default_rng(seed).permutation(len(values))
    assert holm(np.array(values)[places]) == pytest.approx(holm(values)[places])


def test_false_rejections_are_rare_where_one_hypothesis_is_wrong() -> None:
    values = np.random.default_rng(0).uniform(size=(2000, 6))
    values[:, 0] = 1e-6
    false = [(holm(row)[1:] <= 0.05).any() for row in values]
    assert np.mean(false) == pytest.approx(0.049, abs=0.015)


@pytest.mark.parametrize("wrong", [[-0.1], [1.1], [np.inf], [[0.5]]])
def test_what_is_no_p_value_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="p values between 0 and 1"):
        holm(wrong)
