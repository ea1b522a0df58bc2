from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon as Shape  # type: ignore[import-untyped]
from shapely.geometry import box

from hemascope.core.geometry import Polygon
from hemascope.synth.nucleus import ellipse
from hemascope.synth.outline import clipped_to_field, region_outlines, wavy_outline
from hemascope.synth.patch import Canvas, patch_around
from hemascope.synth.texture import smooth_noise

quick = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32)


@quick
@given(seed=seeds, radius=st.floats(1, 12), x=st.floats(-10, 60), y=st.floats(-10, 60), mpp=st.floats(0.05, 1))
def test_clipping_agrees_with_an_independent_program(seed: int, radius: float, x: float, y: float, mpp: float) -> None:
    outline = wavy_outline(np.random.default_rng(seed), radius, waves={2: 0.05, 3: 0.03}, elongation=1.3)
    whole = outline.polygon((x, y), mpp)
    side = int(50 / mpp)
    cut = clipped_to_field(whole, side, side)
    expected = Shape(whole.points.astype(float)).intersection(box(0, 0, side, side)).area
    assert (cut.area if cut else 0.0) == pytest.approx(expected, rel=1e-3, abs=0.05)


@quick
@given(seed=seeds, radius=st.floats(0.5, 12), elongation=st.floats(1, 2))
def test_an_outline_has_the_area_of_its_disk(seed: int, radius: float, elongation: float) -> None:
    outline = wavy_outline(np.random.default_rng(seed), radius, waves={2: 0.05, 5: 0.02}, elongation=elongation)
    assert outline.radius == pytest.approx(radius, rel=1e-5)
    assert outline.polygon((0, 0), 0.1).area * 0.01 == pytest.approx(np.pi * radius**2, rel=0.01)


@pytest.mark.parametrize("mpp", [0.03, 0.1, 0.2, 0.5])
def test_the_outline_of_a_region_lies_on_its_edge(mpp: float) -> None:
    side = round(20 / mpp)
    patch = patch_around(Canvas(side, side, mpp), (10.3, 9.2), 6.0)
    assert patch is not None
    x, y = patch.coordinates()
    (found,) = region_outlines(ellipse(x, y, (0.0, 0.0), (4.0, 4.0), 0.0), patch, 0.1)
    away = np.hypot(*(found.points * mpp - (10.3, 9.2)).T)
    assert away == pytest.approx(4.0, abs=0.06)


def test_an_outline_beyond_the_field_is_nothing() -> None:
    square = Polygon(np.array([(-9, -9), (-2, -9), (-2, -2)], np.float32))
    assert clipped_to_field(square, 10, 10) is None
    assert patch_around(Canvas(10, 10, 1.0), (-20.0, 5.0), 3.0) is None


@pytest.mark.parametrize("grain", [0.5, 2.0, 11.0])
def test_noise_has_mean_zero_and_deviation_one(grain: float) -> None:
    noise = smooth_noise(np.random.default_rng(0), (700, 900), grain)
    assert noise.shape == (700, 900)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.2
    assert noise.std() == pytest.approx(1, abs=0.2)
