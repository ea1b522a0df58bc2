"""Tissue maps to outlines: exact on painted maps, and the star where the maps know nothing."""

import numpy as np
import pytest

from hemascope.cells.star_decode import polygon_areas, unit_rays
from hemascope.cells.white_cell_body import outline_body


def star(x: float, y: float, radius: float) -> np.ndarray:
    return (np.array((x, y)) + unit_rays(32) * radius).astype(np.float32)


def maps(*disks: tuple[int, float, float, float], side: int = 100) -> np.ndarray:
    """Return maps at half resolution, disks given as layer, x, y, radius in pixels of the input."""
    tissue = np.zeros((2, side, side), np.uint8)
    ys, xs = (np.mgrid[:side, :side] + 0.5) * 2
    for layer, x, y, radius in disks:
        tissue[layer][(xs - x) ** 2 + (ys - y) ** 2 <= radius**2] = 255
    return tissue


def test_body_and_nucleus_are_cut_out_of_the_maps() -> None:
    body = outline_body(star(100, 90, 30), [], maps((1, 100, 90, 32), (0, 105, 90, 15)), 2)
    assert polygon_areas(body.outline) == pytest.approx(np.pi * 32**2, rel=0.04)
    assert len(body.nucleus) == 1
    assert polygon_areas(body.nucleus[0]) == pytest.approx(np.pi * 15**2, rel=0.06)
    assert body.nucleus[0].mean(axis=0) == pytest.approx((105, 90), abs=0.7)


def test_lobes_come_largest_first_and_granules_are_none() -> None:
    tissue = maps((1, 100, 100, 40), (0, 80, 100, 10), (0, 112, 100, 14), (0, 100, 125, 2))
    body = outline_body(star(100, 100, 40), [], tissue, 2)
    areas = [float(polygon_areas(part)) for part in body.nucleus]
    assert len(areas) == 2
    assert areas == sorted(areas, reverse=True)


def test_what_lies_in_another_cell_is_not_claimed() -> None:
    tissue = maps((1, 80, 100, 26), (1, 130, 100, 26))
    body = outline_body(star(80, 100, 26), [star(130, 100, 26)], tissue, 2)
    assert polygon_areas(body.outline) == pytest.approx(np.pi * 26**2, rel=0.15)
    assert body.outline[:, 0].max() < 112


@pytest.mark.parametrize("tissue", [maps(), maps((1, 100, 100, 8))])
def test_where_the_maps_know_nothing_the_star_stands(tissue: np.ndarray) -> None:
    outline = star(100, 100, 30)
    body = outline_body(outline, [], tissue, 2)
    assert np.array_equal(body.outline, outline)
    assert body.nucleus == ()


@pytest.mark.parametrize("center", [(-400.0, 50.0), (0.0, 0.0), (198.0, 198.0)])
def test_a_star_at_the_edge_or_beyond_is_no_trouble(center: tuple[float, float]) -> None:
    body = outline_body(star(*center, 20), [], maps((1, 0, 0, 20), (1, 198, 198, 20)), 2)
    assert np.isfinite(body.outline).all()
    assert len(body.outline) >= 3
