"""Areas under two curves against their definitions, counted pair by pair and step by step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.evaluate.curves import precision_recall_curve
from hemascope.stats.ranking import auroc, auroc_statistic, average_precision, average_precision_statistic

CELLS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30)


def test_the_area_counts_pairs_in_order_and_ties_half() -> None:
    assert auroc([1.0, 2.0, 2.0, 3.0], [False, True, False, True]) == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert np.isnan(auroc([1.0, 2.0], [True, True]))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_the_area_is_that_of_all_pairs(cells: list[tuple[int, bool]]) -> None:
    above = [score for score, positive in cells if positive]
    below = [score for score, positive in cells if not positive]
    area = auroc([score for score, _ in cells], [positive for _, positive in cells])
    if not above or not below:
        assert np.isnan(area)
    else:
        assert area == pytest.approx(np.mean([(a > b) + 0.5 * (a == b) for a in above for b in below]))


def test_weights_count_a_cell_as_often_as_it_was_drawn() -> None:
    scores, positive = np.array([1.0, 2.0, 3.0]), np.array([False, True, False])
    weighted = auroc_statistic(scores, positive)(np.array([[2.0, 1.0, 1.0]]))[0]
    assert weighted == auroc([1.0, 1.0, 2.0, 3.0], [False, False, True, False])


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="finite score"):
        auroc([np.nan, 1.0], [True, False])


@given(CELLS)
def test_average_precision_is_the_area_of_the_curve(cells: list[tuple[int, bool]]) -> None:
    scores, positive = [score for score, _ in cells], [there for _, there in cells]
    area = average_precision(scores, positive)
    if all(positive) or not any(positive):
        assert np.isnan(area)
    else:
        assert area == pytest.approx(precision_recall_curve(scores, positive).area)


def test_average_precision_by_hand() -> None:
    # Ranks of the positives 1 and 3: half of (1/1 + 2/3).
    assert average_precision([4, 3, 2, 1], [True, False, True, False]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([1, 1, 1, 1], [True, False, False, False]) == pytest.approx(0.25)


@given(CELLS, st.integers(0, 5))
def test_average_precision_of_weights_is_that_of_copies(cells: list[tuple[int, bool]], seed: int) -> None:
    scores, positive = np.array([score for score, _ in cells]), np.array([there for _, there in cells])
    drawn = np.random.default_rng(seed).integers(0, 3, len(cells))
    weighted = average_precision_statistic(scores, positive)(drawn[None].astype(float))[0]
    copies = average_precision(np.repeat(scores, drawn), np.repeat(positive, drawn))
    assert weighted == pytest.approx(copies, nan_ok=True)
