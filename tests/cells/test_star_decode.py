import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemascope.cells.star_decode import Candidates, decode, suppress, unit_rays

RAYS = 32
THRESHOLDS = np.full(3, 0.3, np.float32)


def star(center: tuple[float, float], radius: float) -> np.ndarray:
    return (np.array(center) + radius * unit_rays(RAYS)).astype(np.float32)


def candidates(*objects: tuple[tuple[float, float], float, int, float]) -> Candidates:
    return Candidates(
        np.stack([star(center, radius) for center, radius, _, _ in objects]),
        np.array([kind for _, _, kind, _ in objects], np.int64),
        np.array([score for _, _, _, score in objects], np.float32),
    )


def test_a_peak_becomes_an_outline_around_its_place() -> None:
    heat = np.zeros((3, 20, 30), np.float32)
    radii = np.full((RAYS, 20, 30), 6.0, np.float32)
    heat[1, 7, 11] = 0.9
    found = decode(heat, radii, 2, THRESHOLDS)
    assert len(found) == 1
    assert found.kinds.tolist() == [1]
    assert found.points[0].mean(axis=0) == pytest.approx((23, 15), abs=1e-3)
    assert found.boxes[0] == pytest.approx((17, 9, 29, 21), abs=1e-3)


def test_peaks_below_the_threshold_of_their_kind_are_left_out() -> None:
    heat = np.zeros((3, 8, 8), np.float32)
    heat[0, 2, 2], heat[2, 6, 6] = 0.4, 0.4
    radii = np.ones((RAYS, 8, 8), np.float32)
    found = decode(heat, radii, 2, np.array([0.3, 0.3, 0.5], np.float32))
    assert found.kinds.tolist() == [0]


def test_nothing_gives_nothing() -> None:
    found = decode(np.zeros((3, 4, 4), np.float32), np.ones((RAYS, 4, 4), np.float32), 2, THRESHOLDS)
    assert len(suppress(found)) == 0
    assert len(Candidates.join([], RAYS)) == 0


def test_a_repeated_cell_is_reported_once_and_the_better_one_stays() -> None:
    kept = suppress(candidates(((50, 50), 20, 1, 0.9), ((52, 50), 20, 1, 0.8)))
    assert kept.scores.tolist() == pytest.approx([0.9])


def test_overlapping_cells_both_stay() -> None:
    assert len(suppress(candidates(((50, 50), 20, 1, 0.9), ((74, 50), 20, 1, 0.8)))) == 2


def test_a_part_of_a_cell_is_no_cell_of_its_own() -> None:
    assert len(suppress(candidates(((50, 50), 20, 1, 0.9), ((58, 50), 8, 1, 0.8)))) == 1


def test_a_platelet_on_a_red_cell_stays() -> None:
    assert len(suppress(candidates(((50, 50), 20, 1, 0.9), ((55, 50), 6, 2, 0.8)))) == 2


def test_one_place_is_not_both_a_white_and_a_red_cell() -> None:
    kept = suppress(candidates(((50, 50), 30, 0, 0.9), ((51, 50), 28, 1, 0.7)))
    assert kept.kinds.tolist() == [0]


objects = st.tuples(
    st.tuples(st.floats(0, 200), st.floats(0, 200)), st.floats(3, 30), st.integers(0, 2), st.floats(0.3, 1)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(objects, min_size=1, max_size=12))
def test_suppression_is_stable_and_keeps_the_best(drawn: list[tuple[tuple[float, float], float, int, float]]) -> None:
    found = Candidates.join([candidates(*drawn)], RAYS)
    kept = suppress(found)
    again = suppress(kept)
    assert 1 <= len(kept) <= len(found)
    assert kept.scores[0] == found.scores[0]
    assert (np.diff(kept.scores) <= 0).all()
    assert np.array_equal(again.points, kept.points)
