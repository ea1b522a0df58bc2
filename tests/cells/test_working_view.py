"""A field at another scale, tile by tile: the same pixels however it is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemascope.cells.star_decode import Candidates, unit_rays
from hemascope.cells.working_view import WorkingView
from hemascope.synth.smear import paint_field

PIXELS = paint_field(2, width=150, height=110, mpp=0.2).field.pixels


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([(64, 16), (96, 32)]))
@settings(max_examples=60, deadline=None)
def test_every_place_is_owned_by_one_tile(width: int, height: int, cut: tuple[int, int]) -> None:
    view = WorkingView(np.full((height, width, 3), 200, np.uint8), 1.0)
    rng = np.random.default_rng(width * 1000 + height)
    centers = rng.uniform((0, 0), (width, height), (40, 2)).astype(np.float32)
    points = centers[:, None] + unit_rays(8)
    found = Candidates(points, np.zeros(40, np.int64), np.linspace(1, 0.5, 40, dtype=np.float32))
    assert sum(len(tile.owned(found)) for tile in view.tiles(*cut)) == 40
    maps = np.zeros((2, -(-height // 2), -(-width // 2)), np.uint8)
    for tile in view.tiles(*cut):
        side = view.network_input(tile, 32).shape
        tile.paste(np.ones((2, side[2] // 2, side[3] // 2), np.float32), maps, 2)
    assert (maps == 255).all()


@pytest.mark.parametrize("factor", [2.5, 1.7])
def test_an_enlarged_field_is_the_same_in_tiles_and_whole(factor: float) -> None:
    view = WorkingView(PIXELS, factor)
    (whole,) = view.tiles(100_000, 64)
    assert (whole.x1, whole.y1) == (round(150 * factor), round(110 * factor))
    reference = view.network_input(whole, 1)[0]
    for tile in view.tiles(128, 32):
        part = view.network_input(tile, 1)[0]
        assert np.abs(part - reference[:, tile.y0 : tile.y1, tile.x0 : tile.x1]).max() < 0.02


def test_a_reduced_field_keeps_its_mean() -> None:
    view = WorkingView(PIXELS, 0.5)
    (tile,) = view.tiles(1000, 64)
    small = view.network_input(tile, 1)[0].mean()
    (same,) = WorkingView(PIXELS, 1.0).tiles(1000, 64)
    assert small == pytest.approx(WorkingView(PIXELS, 1.0).network_input(same, 1)[0].mean(), rel=0.03)
