"""Clumps of platelets: known answers, and what must hold for any platelets."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon as ShapelyPolygon

from hemascope.cells.clumps import LEAST_PLATELETS, REACH, find_clumps, gap
from hemascope.core.cell import Cell
from hemascope.core.geometry import Polygon
from hemascope.core.taxonomy import CellKind


def disk(x: float, y: float, radius: float = 10.0, corners: int = 24) -> Polygon:
    angle = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    return Polygon(np.stack((x + radius * np.cos(angle), y + radius * np.sin(angle)), axis=1).astype(np.float32))


def platelets(centers: list[tuple[float, float]], radius: float = 10.0) -> list[Cell]:
    return [Cell(f"f#{index}", "f", CellKind.PLATELET, disk(x, y, radius), 0.9) for index, (x, y) in enumerate(centers)]


def members(cells: list[Cell]) -> list[list[str]]:
    return [list(clump.cell_ids) for clump in find_clumps(cells)]


def test_three_touching_platelets_are_a_clump_and_two_are_not() -> None:
    assert members(platelets([(0, 0), (20, 0), (40, 0)])) == [["f#0", "f#1", "f#2"]]
    assert members(platelets([(0, 0), (20, 0), (400, 0)])) == []


@pytest.mark.parametrize(("apart", "clumps"), [(29.0, 1), (31.0, 0)])
def test_the_reach_is_half_a_diameter(apart: float, clumps: int) -> None:
    # Disks of diameter 20: a center distance of 30 leaves a gap of 10, half a diameter.
    assert len(find_clumps(platelets([(0, 0), (apart, 0), (2 * apart, 0)]))) == clumps


def test_two_clumps_stay_apart_and_come_in_order() -> None:
    cells = platelets([(0, 0), (500, 0), (20, 0), (520, 0), (10, 15), (510, 15), (250, 250)])
    assert members(cells) == [["f#0", "f#2", "f#4"], ["f#1", "f#3", "f#5"]]


def test_a_giant_platelet_reaches_its_small_neighbors() -> None:
    small = [Cell(f"s{i}", "f", CellKind.PLATELET, disk(60 * math.cos(i), 60 * math.sin(i), 8), 0.9) for i in range(2)]
    giant = Cell("g", "f", CellKind.PLATELET, disk(0, 0, 40), 0.9)
    # A gap of 12 to a mean diameter of 48.
    assert members([giant, *small]) == [["g", "s0", "s1"]]


def test_other_cells_join_nothing() -> None:
    cells = platelets([(0, 0), (20, 0)])
    red = Cell("r", "f", CellKind.RED_CELL, disk(10, 15), 0.9)
    assert find_clumps([*cells, red]) == ()
    assert find_clumps([]) == ()


def test_the_outline_holds_every_platelet() -> None:
    cells = platelets([(0, 0), (20, 0), (10, 18)])
    [clump] = find_clumps(cells)
    hull = ShapelyPolygon(clump.outline.points).buffer(1e-3)
    assert all(hull.contains(ShapelyPolygon(cell.outline.points)) for cell in cells)


spots = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(3, 14)), min_size=0, max_size=25, unique=True
)


@given(spots, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_neither_scale_nor_order_matters(spot: list[tuple[int, int, int]], random: Random) -> None:
    cells = [Cell(f"{i}", "f", CellKind.PLATELET, disk(x, y, r), 0.9) for i, (x, y, r) in enumerate(spot)]
    found = {frozenset(clump.cell_ids) for clump in find_clumps(cells)}
    other = [Cell(c.id, "f", c.kind, c.outline.scaled(2.0), 0.9) for c in cells]
    random.shuffle(other)
    assert {frozenset(clump.cell_ids) for clump in find_clumps(other)} == found
    together = [cell_id for clump in found for cell_id in clump]
    assert len(together) == len(set(together))
    assert all(len(clump) >= LEAST_PLATELETS for clump in found)


@given(spots)
@settings(max_examples=40)
def test_clumps_are_the_components_of_all_pairs_within_reach(spot: list[tuple[int, int, int]]) -> None:
    cells = [Cell(f"{i}", "f", CellKind.PLATELET, disk(x, y, r), 0.9) for i, (x, y, r) in enumerate(spot)]
    shapes = [ShapelyPolygon(cell.outline.points) for cell in cells]
    sizes = [2 * math.sqrt(shape.area / math.pi) for shape in shapes]
    groups = [{i} for i in range(len(cells))]
    for i in range(len(cells)):
        for j in range(i):
            distance, reach = shapes[i].distance(shapes[j]), REACH * (sizes[i] + sizes[j]) / 2
            if abs(distance - reach) < 1e-3:
                return  # too close to the limit to call
            if distance <= reach:
                joined = next(g for g in groups if i in g) | next(g for g in groups if j in g)
                groups = [g for g in groups if not g & joined] + [joined]
    expected = {frozenset(str(i) for i in g) for g in groups if len(g) >= LEAST_PLATELETS}
    assert {frozenset(clump.cell_ids) for clump in find_clumps(cells)} == expected


@given(st.integers(0, 60), st.integers(0, 60), st.integers(3, 12), st.integers(3, 12))
def test_the_gap_is_the_distance_of_the_outlines(x: int, y: int, first: int, second: int) -> None:
    a, b = disk(0, 0, first), disk(x, y, second)
    truth = ShapelyPolygon(a.points).distance(ShapelyPolygon(b.points))
    assert gap(a, b) == pytest.approx(truth, abs=0.05 * min(first, second) if truth == 0 else 1e-3)
    assert gap(a, b) == gap(b, a)
