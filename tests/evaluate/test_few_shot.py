"""Draws of few labels, and figures over several draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.core.errors import DataSetError
from hemascope.evaluate.few_shot import draw_few, rest_of_pool, score_draws

LABELS = np.repeat([0, 1, 2], 20)
GROUPS = np.array([f"g{i // 2}" for i in range(60)])


@given(st.integers(min_value=0, max_value=1000), st.integers(min_value=1, max_value=10))
def test_a_draw_has_so_many_of_each_class_and_one_a_group(seed: int, count: int) -> None:
    drawn = draw_few(LABELS, GROUPS, count, seed)
    assert np.bincount(LABELS[drawn]).tolist() == [count] * 3
    assert len(set(GROUPS[drawn])) == len(drawn)
    rest = rest_of_pool(GROUPS, drawn)
    assert not set(GROUPS[rest]) & set(GROUPS[drawn])
    assert len(rest) == 60 - 2 * len(drawn)


def test_a_seed_always_draws_the_same_and_another_one_another() -> None:
    assert (draw_few(LABELS, GROUPS, 5, 1) == draw_few(LABELS, GROUPS, 5, 1)).all()
    assert set(draw_few(LABELS, GROUPS, 5, 1)) != set(draw_few(LABELS, GROUPS, 5, 2))


def test_a_class_with_too_few_groups_is_named() -> None:
    with pytest.raises(DataSetError, match="class 0 has 10 groups to draw from, not 11"):
        draw_few(LABELS, GROUPS, 11, 0)


def test_figures_are_means_over_draws_with_their_deviation() -> None:
    truth = np.array([0, 0, 0, 1])
    told = [np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])]
    figures = score_draws(told, truth, np.arange(4))
    assert figures["accuracy"].value == pytest.approx(0.875)
    assert figures["balanced_accuracy"].value == pytest.approx(0.75)
    assert figures["accuracy_spread"].value == pytest.approx(np.std([1.0, 0.75], ddof=1))
    low, high = figures["accuracy"].low, figures["accuracy"].high
    assert low is not None
    assert high is not None
    assert low < 0.875 < high <= 1


def test_one_draw_has_no_deviation() -> None:
    assert score_draws([np.zeros(3, int)], np.zeros(3, int), np.arange(3))["accuracy_spread"].value is None


def test_no_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="every draw"):
        score_draws([], np.zeros(3, int), np.arange(3))
