import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.core.geometry import Box, Polygon, box_iou

SIDES = st.floats(0.5, 500)
STARTS = st.floats(-100, 1000)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x, y = draw(STARTS), draw(STARTS)
    return Box(x, y, x + draw(SIDES), y + draw(SIDES))


def regular(sides: int, radius: float, center: tuple[float, float] = (0, 0)) -> Polygon:
    angles = np.arange(sides) * 2 * np.pi / sides
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius + center
    return Polygon(points.astype(np.float32))


@given(boxes(), boxes())
def test_iou_is_symmetric_and_within_its_range(a: Box, b: Box) -> None:
    assert a.iou(b) == pytest.approx(b.iou(a))
    assert 0 <= a.iou(b) <= 1
    assert a.iou(a) == pytest.approx(1)


@given(st.lists(boxes(), min_size=1, max_size=5), st.lists(boxes(), min_size=1, max_size=5))
def test_the_matrix_of_iou_agrees_with_one_pair_at_a_time(first: list[Box], second: list[Box]) -> None:
    matrix = box_iou(
        np.array([(b.x0, b.y0, b.x1, b.y1) for b in first]), np.array([(b.x0, b.y0, b.x1, b.y1) for b in second])
    )
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            assert matrix[i, j] == pytest.approx(a.iou(b), abs=1e-9)


def test_known_iou() -> None:
    assert Box(0, 0, 2, 2).iou(Box(1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert Box(0, 0, 1, 1).iou(Box(1, 1, 2, 2)) == 0
    assert Box(0, 0, 0, 0).iou(Box(0, 0, 0, 0)) == 0


@pytest.mark.parametrize("corners", [(1, 0, 0, 1), (0, 1, 1, 0), (0, 0, float("nan"), 1)])
def test_what_is_no_box_is_refused(corners: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="not a box"):
        Box(*corners)


@given(boxes())
def test_a_box_as_polygon_keeps_its_area_and_bounds(box: Box) -> None:
    polygon = Polygon.from_box(box)
    assert polygon.area == pytest.approx(box.area, rel=1e-2, abs=1e-2)
    assert polygon.bounds.x0 == pytest.approx(box.x0, rel=1e-5, abs=1e-3)
    assert polygon.centroid == pytest.approx(box.center, rel=1e-3, abs=1e-2)


def test_a_fine_polygon_measures_like_its_circle() -> None:
    circle = regular(256, 10, (40, 70))
    assert circle.area == pytest.approx(math.pi * 100, rel=1e-3)
    assert circle.perimeter == pytest.approx(2 * math.pi * 10, rel=1e-3)
    assert circle.centroid == pytest.approx((40, 70), abs=1e-3)


@given(st.floats(0.1, 10), st.floats(-50, 50), st.floats(-50, 50))
def test_area_follows_scaling_and_ignores_moving(factor: float, dx: float, dy: float) -> None:
    polygon = regular(12, 20, (30, 30))
    assert polygon.scaled(factor).area == pytest.approx(polygon.area * factor**2, rel=1e-3)
    assert polygon.translated(dx, dy).area == pytest.approx(polygon.area, rel=1e-3)


def test_clipping_keeps_a_polygon_inside_its_field() -> None:
    clipped = regular(64, 20, (5, 50)).clipped(100, 60)
    assert clipped.bounds.x0 == 0
    assert clipped.bounds.y1 == 60


def test_points_of_a_polygon_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        regular(5, 1).points[0, 0] = 3


@pytest.mark.parametrize("points", [[(0, 0), (1, 1)], [(0, 0, 0)] * 4, [(0, 0), (1, 0), (float("inf"), 1)]])
def test_what_is_no_polygon_is_refused(points: list[tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match="polygon"):
        Polygon(np.array(points, np.float32))


def test_a_polygon_without_area_still_has_a_center() -> None:
    assert Polygon(np.array([(0, 0), (2, 2), (4, 4)], np.float32)).centroid == pytest.approx((2, 2))
