import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from painted import BACKGROUND, CYTOPLASM, NUCLEUS, blank, disk

from hemascope.cells.measure import circularity, eccentricity, measure
from hemascope.cells.nucleus import find_nucleus
from hemascope.core.geometry import Box, Polygon

LIGHT = np.array(BACKGROUND, np.float32)


def ellipse(a: float, b: float, center: tuple[float, float] = (100, 100), turned: float = 0.0) -> Polygon:
    angles = np.arange(360) * np.pi / 180
    x, y = a * np.cos(angles), b * np.sin(angles)
    points = np.stack([x * math.cos(turned) - y * math.sin(turned), x * math.sin(turned) + y * math.cos(turned)], 1)
    return Polygon((points + center).astype(np.float32))


@given(a=st.floats(5, 90), ratio=st.floats(0.2, 1), turned=st.floats(0, 3.14))
def test_eccentricity_of_an_ellipse_is_that_of_its_axes(a: float, ratio: float, turned: float) -> None:
    assert eccentricity(ellipse(a, a * ratio, turned=turned)) == pytest.approx(math.sqrt(1 - ratio**2), abs=0.02)


def test_a_disk_is_round_and_a_square_is_less() -> None:
    assert circularity(ellipse(30, 30)) == pytest.approx(1, abs=1e-3)
    assert circularity(Polygon.from_box(Box(0, 0, 10, 10))) == pytest.approx(math.pi / 4)


def test_shape_does_not_depend_on_where_the_cell_lies() -> None:
    near, far = ellipse(20, 12, (30, 30)), ellipse(20, 12, (9000, 7000))
    assert eccentricity(far) == pytest.approx(eccentricity(near), abs=1e-3)


def test_sizes_are_in_micrometers() -> None:
    measured = measure(ellipse(40, 40), mpp=0.1)
    assert measured.area_um2 == pytest.approx(math.pi * 16, rel=1e-3)
    assert measured.perimeter_um == pytest.approx(math.pi * 8, rel=1e-3)
    assert measured.nucleus_area_um2 is None
    assert measured.nucleus_to_cell_ratio is None


def white_cell(nuclei: list[tuple[tuple[float, float], float]], radius: float = 60) -> np.ndarray:
    pixels = blank(200, 200)
    disk(pixels, (100, 100), radius, CYTOPLASM)
    for center, size in nuclei:
        disk(pixels, center, size, NUCLEUS)
    return pixels


def test_the_nucleus_of_a_known_cell_and_both_ratios() -> None:
    pixels = white_cell([((100, 100), 40)])
    nucleus = find_nucleus(pixels, ellipse(60, 60), LIGHT)
    assert nucleus is not None
    assert nucleus.area == pytest.approx(math.pi * 1600, rel=0.05)
    assert nucleus.lobes == 1
    assert nucleus.outline.centroid == pytest.approx((100, 100), abs=1)
    measured = measure(ellipse(60, 60), 0.1, nucleus)
    assert measured.nucleus_to_cell_ratio == pytest.approx(16 / 36, rel=0.04)
    assert measured.nucleus_to_cytoplasm_ratio == pytest.approx(16 / 20, rel=0.08)
    assert measured.nucleus_area_um2 is not None
    assert measured.cytoplasm_area_um2 is not None
    assert measured.nucleus_area_um2 + measured.cytoplasm_area_um2 == pytest.approx(measured.area_um2)


def test_lobes_are_counted_and_granules_are_not() -> None:
    pixels = white_cell([((75, 78), 16), ((125, 78), 16), ((100, 128), 16), ((140, 115), 2)])
    nucleus = find_nucleus(pixels, ellipse(60, 60), LIGHT)
    assert nucleus is not None
    assert nucleus.lobes == 3


def test_a_cell_that_is_all_nucleus_has_no_cytoplasm_to_divide_by() -> None:
    pixels = blank(200, 200)
    disk(pixels, (100, 100), 40, NUCLEUS)
    nucleus = find_nucleus(pixels, ellipse(36, 36), LIGHT)
    assert nucleus is not None
    measured = measure(ellipse(36, 36), 0.1, nucleus)
    assert measured.nucleus_to_cell_ratio == pytest.approx(1, abs=0.06)


def test_a_speck_has_no_nucleus() -> None:
    assert find_nucleus(blank(), ellipse(2, 2), LIGHT) is None


def test_a_cell_cut_by_the_border_is_measured_where_it_is_seen() -> None:
    pixels = white_cell([((100, 100), 40)])[:, 100:]
    half = ellipse(60, 60, (0, 100)).clipped(100, 200)
    nucleus = find_nucleus(np.ascontiguousarray(pixels), half, LIGHT)
    assert nucleus is not None
    assert nucleus.area == pytest.approx(math.pi * 800, rel=0.06)
    assert cv2.contourArea(nucleus.outline.points) > 0
