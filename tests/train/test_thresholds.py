import numpy as np
import pytest

from hemascope.core.errors import DataSetError
from hemascope.train.ship_finder import Tally, choose_threshold

MIXED = Tally(np.array([0.9, 0.8, 0.5, 0.4, 0.2]), np.array([True, True, False, True, False]), 3)


def test_known_f_scores() -> None:
    assert MIXED.f_score(0.6) == pytest.approx(2 * 2 / (2 + 3))
    assert MIXED.f_score(0.3) == pytest.approx(2 * 3 / (4 + 3))
    assert MIXED.f_score(0.6, beta=2) == pytest.approx(5 * 2 / (2 + 4 * 3))
    assert Tally(np.zeros(0), np.zeros(0, bool), 0).f_score(0.5) == 0


def test_the_threshold_keeps_what_is_worth_keeping() -> None:
    assert 0.2 < choose_threshold([MIXED], beta=1.0) <= 0.4


def test_recall_pulls_the_threshold_down() -> None:
    doubtful = Tally(np.array([0.9, 0.5, 0.5, 0.5, 0.3]), np.array([True, False, False, False, True]), 2)
    assert choose_threshold([doubtful], beta=2.0) < choose_threshold([doubtful], beta=0.5)


def test_without_a_beta_as_many_are_found_as_are_labeled() -> None:
    threshold = choose_threshold([MIXED], beta=None)
    assert (MIXED.scores >= threshold).sum() == MIXED.labeled


def test_data_sets_are_pooled_cell_by_cell() -> None:
    large = Tally(np.full(100, 0.8), np.ones(100, bool), 100)
    small = Tally(np.array([0.9, 0.85]), np.array([True, False]), 1)
    assert choose_threshold([large, small], beta=1.0) <= 0.8


def test_a_kind_that_no_set_labels_is_said() -> None:
    with pytest.raises(DataSetError, match="add a data set"):
        choose_threshold([Tally(np.zeros(0), np.zeros(0, bool), 0)], beta=1.0)
