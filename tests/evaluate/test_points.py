"""Joining found cells and labeled points."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemascope.evaluate.points import match_points, median_radius, score_points, stained_coverage

SIZE = (100.0, 80.0)

places = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 80)), max_size=12)


def test_joins_what_lies_within_the_radius_and_nothing_else() -> None:
    match = match_points([(20, 20), (50, 50), (80, 60)], [(52, 50), (20, 26)], 5, SIZE, 0)
    assert match.partner == (None, 0, None)
    assert match.points_found.tolist() == [True, False]
    assert match.counts == (1, 2, 1, 3)


def test_two_cells_cannot_share_a_point() -> None:
    match = match_points([(50, 50), (51, 50)], [(51.2, 50)], 5, SIZE, 0)
    assert match.partner == (None, 0)


def test_makes_as_many_pairs_as_possible_where_the_nearest_first_would_lose_one() -> None:
    # The first cell is nearest to the second point, which is the only one the second cell reaches.
    match = match_points([(50, 50), (56, 50)], [(46, 50), (52, 50)], 4.5, SIZE, 0)
    assert match.partner == (0, 1)


def test_what_lies_in_the_border_counts_neither_way_but_can_be_a_partner() -> None:
    match = match_points([(9, 40), (50, 50), (95, 40)], [(11, 40), (50, 79)], 5, SIZE, 10)
    assert match.partner == (0, None, None)
    assert match.counts == (1, 1, 0, 1)


@pytest.mark.parametrize("centers", [[], [(50, 50)]])
def test_a_side_may_be_empty(centers: list[tuple[float, float]]) -> None:
    match = match_points(centers, [], 5, SIZE, 5)
    assert match.partner == (None,) * len(centers)
    assert match.counts == (0, 0, 0, len(centers))


@pytest.mark.parametrize(("radius", "border"), [(0, 1), (-1, 1), (5, -1), (float("nan"), 0)])
def test_refuses_a_radius_or_border_that_is_none(radius: float, border: float) -> None:
    with pytest.raises(ValueError, match="radius"):
        match_points([(1, 1)], [(1, 1)], radius, SIZE, border)


def test_refuses_a_coordinate_that_is_none() -> None:
    with pytest.raises(ValueError, match="finite"):
        match_points([(float("nan"), 1)], [(1, 1)], 5, SIZE, 0)


@given(places, places, st.floats(0.5, 30), st.integers(0, 100))
@settings(max_examples=60, deadline=None)
def test_pairs_are_one_to_one_near_and_independent_of_the_order(
    centers: list[tuple[float, float]], points: list[tuple[float, float]], radius: float, seed: int
) -> None:
    match = match_points(centers, points, radius, SIZE, 0)
    taken = [index for index in match.partner if index is not None]
    assert len(taken) == len(set(taken))
    for center, index in zip(centers, match.partner, strict=True):
        if index is not None:
            assert np.hypot(center[0] - points[index][0], center[1] - points[index][1]) <= radius
    order = np.random.default_rng(seed).permutation(len(centers))
    again = match_points([centers[i] for i in order], points, radius, SIZE, 0)
    assert again.counts == match.counts


def test_the_radius_is_that_of_the_median_disk() -> None:
    assert median_radius([np.pi * 9, np.pi * 25, np.pi * 100]) == pytest.approx(5)
    assert median_radius([]) is None


def test_scores_known_counts() -> None:
    first = match_points([(20, 20), (50, 50), (80, 60)], [(52, 50), (20, 26)], 5, SIZE, 0)
    second = match_points([(30, 30)], [(30, 31), (70, 70)], 5, SIZE, 0)
    scores = score_points([first, second], ["a", "b"])
    assert (scores["labeled"].value, scores["found"].value) == (4, 4)
    assert scores["recall"].value == pytest.approx(0.5)
    assert scores["precision"].value == pytest.approx(0.5)
    assert scores["f1"].value == pytest.approx(0.5)
    assert scores["f1"].low is not None
    assert scores["f1"].low <= 0.5 <= (scores["f1"].high or 0)


def test_f1_is_zero_where_nothing_matches_and_undefined_where_nothing_is_labeled() -> None:
    nothing_right = match_points([(20, 20)], [(60, 60)], 5, SIZE, 0)
    assert score_points([nothing_right], ["a"])["f1"].value == 0
    nothing_labeled = match_points([(20, 20)], [], 5, SIZE, 0)
    assert score_points([nothing_labeled], ["a"])["recall"].value is None


def test_needs_a_group_a_field() -> None:
    with pytest.raises(ValueError, match="groups"):
        score_points([match_points([], [], 1, SIZE, 0)], [])


def test_coverage_is_the_share_of_cells_that_have_a_point() -> None:
    pixels = np.full((100, 200, 3), 230, np.uint8)
    for x in (50, 100, 150):
        cv2.circle(pixels, (x, 50), 12, (160, 90, 110), -1)
    assert stained_coverage(pixels, [(50, 50), (101, 49)], 15, 0) == pytest.approx(2 / 3, abs=0.02)
    assert stained_coverage(pixels, [(50, 50), (100, 50), (150, 50)], 15, 0) == 1
    assert stained_coverage(pixels, [(100, 50)], 15, 70) == 0
    assert stained_coverage(pixels, [], 15, 0) == 0
