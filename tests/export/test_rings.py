"""Rings judged by shapely, which had no part in making them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely.geometry import Polygon as ShapelyPolygon

from hemascope.core.geometry import Polygon
from hemascope.export.rings import convex_hull, is_simple, ring_of

COARSE = st.integers(3, 14).flatmap(lambda n: arrays(np.int64, (n, 2), elements=st.integers(0, 8)))
FINE = st.integers(3, 30).flatmap(
    lambda n: arrays(np.float32, (n, 2), elements=st.floats(0, 10000, width=32, allow_nan=False))
)
BOWTIE = [(0, 0), (10, 10), (10, 0), (0, 10)]


@given(st.one_of(COARSE, FINE))
@settings(max_examples=300)
def test_every_ring_is_valid_closed_and_counterclockwise(points: np.ndarray) -> None:
    ring = ring_of(Polygon(points.astype(np.float32)))
    assert ring.coordinates[0] == ring.coordinates[-1]
    polygon = ShapelyPolygon(ring.coordinates)
    assert polygon.is_valid
    assert polygon.area > 0
    assert polygon.exterior.is_ccw


@given(COARSE)
@settings(max_examples=300)
def test_simple_is_what_shapely_calls_valid(points: np.ndarray) -> None:
    kept = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    if len(kept) >= 3:
        assert is_simple(kept) == ShapelyPolygon(kept).is_valid


@given(COARSE)
def test_hull_is_the_hull(points: np.ndarray) -> None:
    hull = convex_hull(points)
    expected = ShapelyPolygon(points).convex_hull if len(points) > 2 else None
    if len(hull) >= 3 and expected is not None:
        assert ShapelyPolygon(hull).equals(expected)


@given(st.integers(3, 700), st.floats(2, 400), st.booleans())
def test_a_sound_outline_stands_as_it_was(vertices: int, radius: float, clockwise: bool) -> None:
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False) * (-1 if clockwise else 1)
    wave = radius * (1 + 0.3 * np.cos(5 * angle))
    outline = Polygon(np.stack((1000 + wave * np.cos(angle), 900 + wave * np.sin(angle)), axis=1).astype(np.float32))
    ring = ring_of(outline)
    assert ShapelyPolygon(ring.coordinates).is_valid
    if not ring.repaired:
        assert ShapelyPolygon(ring.coordinates).area == pytest.approx(outline.area, abs=0.01 * outline.perimeter)
    if radius > vertices:
        assert not ring.repaired


def test_a_bowtie_becomes_its_hull() -> None:
    ring = ring_of(Polygon(np.array(BOWTIE, np.float32)))
    assert ring.repaired == "convex hull"
    assert ShapelyPolygon(ring.coordinates).area == 100


@pytest.mark.parametrize("points", [[(5, 5)] * 3, [(0, 0), (4, 4), (8, 8)], [(2, 2), (2, 9), (2, 4)]])
def test_an_outline_without_area_becomes_a_box(points: list[tuple[int, int]]) -> None:
    ring = ring_of(Polygon(np.array(points, np.float32)))
    assert ring.repaired == "box"
    assert ShapelyPolygon(ring.coordinates).area >= 1


def test_an_outline_off_the_chart_is_refused() -> None:
    with pytest.raises(ValueError, match="10 million"):
        ring_of(Polygon(np.array([(0, 0), (2e7, 0), (0, 1)], np.float32)))
