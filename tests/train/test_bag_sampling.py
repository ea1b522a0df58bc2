"""Which patients and which cells an epoch sees."""

from __future__ import annotations

import numpy as np
import pytest
from bag_cohorts import DISEASE, HEMOGLOBIN, MARKERS, planted
from hypothesis import given
from hypothesis import strategies as st

from hemascope.train.bags.sampling import balanced_shares, order_of_epoch, rows_of_bags


def test_everybody_comes_once_where_nothing_is_balanced() -> None:
    order = order_of_epoch(9, None, np.random.default_rng(0))
    assert sorted(order) == list(range(9))


def test_balanced_shares_make_markers_as_often_there_as_not() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((400, 2)) < (0.1, 0.3)).astype(float)
    shares = balanced_shares((MARKERS,), truth)
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(shares @ truth, 0.5, atol=1e-3)


def test_balanced_shares_make_classes_even_and_leave_the_unknown_alone() -> None:
    truth = np.array([[0.0], [0], [0], [1], [1], [2], [np.nan]])
    shares = balanced_shares((DISEASE,), truth)
    np.testing.assert_allclose([shares[:3].sum(), shares[3:5].sum(), shares[5]], (1 - shares[6]) / 3)
    assert shares[6] == pytest.approx(1 / 7)


def test_numbers_and_a_marker_nobody_has_change_nothing() -> None:
    truth = np.column_stack([np.zeros((5, 2)), np.arange(5.0)])
    np.testing.assert_allclose(balanced_shares((MARKERS, HEMOGLOBIN), truth), 0.2)


def test_draws_follow_the_shares() -> None:
    order = order_of_epoch(4, np.array([0.0, 0.5, 0.5, 0.0]), np.random.default_rng(0))
    assert len(order) == 4
    assert set(order) <= {1, 2}


@given(st.lists(st.integers(0, 39), min_size=1, max_size=8), st.integers(1, 12), st.integers(0, 99))
def test_no_bag_gives_more_cells_than_the_cap_and_only_its_own_each_once(
    places: list[int], cap: int, seed: int
) -> None:
    bags, _ = planted()
    rows, starts = rows_of_bags(bags, np.array(places), cap, np.random.default_rng(seed))
    assert len(rows) == starts[-1]
    for number, place in enumerate(places):
        mine = rows[starts[number] : starts[number + 1]]
        assert len(mine) == min(cap, bags.sizes[place])
        assert len(set(mine)) == len(mine)
        assert ((mine >= bags.starts[place]) & (mine < bags.starts[place + 1])).all()


def test_cells_are_drawn_anew() -> None:
    bags, _ = planted()
    generator = np.random.default_rng(0)
    biggest = np.array([int(bags.sizes.argmax())])
    drawn = {tuple(rows_of_bags(bags, biggest, 3, generator)[0]) for _ in range(20)}
    assert len(drawn) > 5
    assert set().union(*drawn) == set(range(bags.starts[biggest[0]], bags.starts[biggest[0] + 1]))


def test_without_a_cap_every_cell_is_seen() -> None:
    bags, _ = planted()
    rows, starts = rows_of_bags(bags, np.arange(40), None, np.random.default_rng(0))
    np.testing.assert_array_equal(rows, np.arange(len(bags.values)))
    np.testing.assert_array_equal(starts, bags.starts)
