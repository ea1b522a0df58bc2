"""Stability of attention maps by known answers; nothing of it can fall below 0."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.evaluate.attention_stability import mutual_information, relative_difference


def test_equal_maps_do_not_differ_and_tell_each_other() -> None:
    maps = np.random.default_rng(0).random((50, 7, 7))
    assert np.allclose(relative_difference(maps, maps), 0)
    nats, share = mutual_information(maps, maps)
    assert nats == pytest.approx(np.log(8), abs=0.02)
    assert share == pytest.approx(1, abs=0.01)


def test_the_difference_is_the_ratio_of_frobenius_norms() -> None:
    first = np.array([[[3.0, 4.0]], [[0.0, 0.0]], [[0.0, 0.0]]])
    second = np.array([[[3.0, 0.0]], [[0.0, 0.0]], [[1.0, 0.0]]])
    found = relative_difference(first, second)
    assert found[0] == pytest.approx(4 / 5)
    assert found[1] == 0
    assert np.isnan(found[2])


def test_maps_that_know_nothing_of_each_other_share_next_to_nothing() -> None:
    generator = np.random.default_rng(1)
    nats, share = mutual_information(generator.random((200, 7, 7)), generator.random((200, 7, 7)))
    assert 0 <= nats < 0.01
    assert 0 <= share < 0.01


def test_a_monotone_change_keeps_all_the_information() -> None:
    maps = np.random.default_rng(0).random((50, 7, 7))
    assert mutual_information(maps, maps**3)[1] == pytest.approx(1, abs=0.01)


def test_two_halves_tell_one_bit() -> None:
    first = np.repeat([[0.0, 1.0]], 1000, axis=0)[:, None]
    assert mutual_information(first, 1 - first, bins=2)[0] == pytest.approx(np.log(2), abs=0.001)


def test_a_constant_map_has_no_share() -> None:
    nats, share = mutual_information(np.ones((4, 3, 3)), np.random.default_rng(0).random((4, 3, 3)))
    assert nats == 0
    assert np.isnan(share)


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_nothing_falls_below_zero(seed: int, bins: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(2, 3, 4, 4))
    assert (relative_difference(first, second) >= 0).all()
    nats, share = mutual_information(first, second, bins)
    assert nats >= 0
    assert 0 <= share <= 1


def test_maps_must_agree_in_shape() -> None:
    with pytest.raises(ValueError, match="one shape"):
        relative_difference(np.ones((2, 3)), np.ones((3, 3)))
    with pytest.raises(ValueError, match="no information"):
        mutual_information(np.ones((0, 3)), np.ones((0, 3)))
