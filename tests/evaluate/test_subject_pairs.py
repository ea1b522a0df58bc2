"""Pairs of subjects left out, the area under the curve, and its mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.core.errors import DataSetError
from hemascope.evaluate.subject_pairs import auroc, auroc_statistic, mean_over_pairs, subject_pairs

SUBJECTS = np.array(["a", "a", "b", "c", "n", "m", "m"])
POSITIVE = np.array([True, True, True, True, False, False, False])


def test_every_pair_is_left_out_whole_once() -> None:
    pairs = dict(subject_pairs(SUBJECTS, POSITIVE))
    assert sorted(pairs) == [(one, other) for one in "abc" for other in "mn"]
    assert pairs["a", "m"].tolist() == [True, True, False, False, False, True, True]


def test_a_subject_of_both_kinds_is_refused() -> None:
    with pytest.raises(DataSetError, match="subject 'a' has cells of both kinds"):
        list(subject_pairs(SUBJECTS, np.array([True, False, True, True, False, False, False])))


def test_a_kind_of_one_subject_is_refused() -> None:
    with pytest.raises(DataSetError, match="not 3 and 1"):
        list(subject_pairs(SUBJECTS[:5], POSITIVE[:5]))


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


def test_the_mean_over_pairs_resamples_subjects_of_both_kinds() -> None:
    by_normal = {(one, other): 0.9 if other == "m" else 0.5 for one in "abc" for other in "mn"}
    estimate = mean_over_pairs(by_normal)
    assert estimate.value == pytest.approx(0.7)
    assert (estimate.low, estimate.high) == pytest.approx((0.5, 0.9))
