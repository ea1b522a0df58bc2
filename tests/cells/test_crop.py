import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from painted import NUCLEUS, blank, disk, field

from hemascope.cells.crop import crop_cell, cut_square
from hemascope.core.cell import Cell
from hemascope.core.geometry import Box, Polygon
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import Microns

CELL = Cell("f#1", "f", CellKind.WHITE_CELL, Polygon.from_box(Box(140, 90, 260, 210)), 0.9)


def test_the_cell_lies_in_the_middle_of_its_crop() -> None:
    pixels = blank()
    disk(pixels, (200, 150), 30, NUCLEUS)
    crop = crop_cell(field(pixels), CELL, 64, Microns(20.0))
    dark = np.argwhere(crop.pixels[..., 0] < 150) + 0.5
    assert crop.pixels.shape == (64, 64, 3)
    assert dark.mean(axis=0) == pytest.approx((32, 32), abs=0.6)
    assert len(dark) == pytest.approx(np.pi * (30 * 64 / 200) ** 2, rel=0.1)


def test_the_same_width_in_um_shows_the_same_view_at_any_scale() -> None:
    small = blank(200, 150)
    disk(small, (100, 75), 15, NUCLEUS)
    large = blank(800, 600)
    disk(large, (400, 300), 60, NUCLEUS)
    one = cut_square(small, (100, 75), 100, 64)
    other = cut_square(large, (400, 300), 400, 64)
    assert np.abs(one.astype(int) - other).mean() < 3


@given(st.floats(-50, 450), st.floats(-50, 350), st.floats(1, 900), st.integers(8, 64))
def test_any_view_is_a_full_square(x: float, y: float, width: float, side: int) -> None:
    if x + width / 2 < 1 or y + width / 2 < 1 or x - width / 2 > 399 or y - width / 2 > 299:
        return
    assert cut_square(blank(), (x, y), width, side).shape == (side, side, 3)


def test_beyond_the_edge_the_border_is_mirrored() -> None:
    pixels = blank(100, 100)
    pixels[:, :10] = (0, 0, 0)
    view = cut_square(pixels, (0, 50), 40, 40)
    assert (view[:, 10:30] == 0).all()
    assert (view[:, :9] > 100).all()


def test_a_crop_needs_a_scale() -> None:
    with pytest.raises(ValueError, match="needs the scale"):
        crop_cell(Field("f", blank(), None), CELL, 64, Microns(20.0))
