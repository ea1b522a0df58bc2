"""The conformance suite of the port `Segmenter`, and what each finder finds in painted fields."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from painted import blank, disk, field, platelet, red_cell, white_cell

from hemascope import wiring
from hemascope.cells.scale import FALLBACK, estimate_scale
from hemascope.core.ports import Segmenter
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.synth.smear import paint_field

NAMES = ("classical", "network")


@pytest.fixture(scope="module", params=NAMES)
def segmenter(request: pytest.FixtureRequest) -> Segmenter:
    return wiring.build_segmenter(request.param)


def painted_smear() -> np.ndarray:
    pixels = blank(640, 480)
    for x, y in ((80, 80), (220, 90), (90, 240), (420, 400), (560, 80), (120, 400), (330, 250)):
        red_cell(pixels, (x, y))
    white_cell(pixels, (480, 220))
    platelet(pixels, (300, 400))
    return pixels


def test_it_says_what_it_is(segmenter: Segmenter) -> None:
    assert segmenter.identity.name
    assert segmenter.identity.license == "Apache-2.0"


def test_cells_keep_the_contract(segmenter: Segmenter) -> None:
    smear = paint_field(3, mpp=0.1).field
    cells = segmenter.find(smear)
    assert cells
    assert len({cell.id for cell in cells}) == len(cells)
    for cell in cells:
        box = cell.outline.bounds
        assert cell.field_id == smear.id
        assert cell.outline.area >= 1
        assert 0 <= cell.score <= 1
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= smear.width
        assert box.y1 <= smear.height


def test_the_same_field_gives_the_same_cells(segmenter: Segmenter) -> None:
    smear = field(painted_smear())
    assert segmenter.find(smear) == segmenter.find(smear)


def test_painted_cells_are_found_by_kind(segmenter: Segmenter) -> None:
    cells = segmenter.find(field(painted_smear()))
    white = [c for c in cells if c.kind is CellKind.WHITE_CELL]
    red = [c for c in cells if c.kind is CellKind.RED_CELL]
    assert len(white) == 1
    assert white[0].outline.centroid == pytest.approx((480, 220), abs=12)
    assert len(red) == 7
    assert np.median([c.outline.area for c in red]) == pytest.approx(np.pi * 37.5**2, rel=0.2)


def test_touching_red_cells_are_counted_apart(segmenter: Segmenter) -> None:
    pixels = painted_smear()
    red_cell(pixels, (150, 82))
    cells = segmenter.find(field(pixels))
    assert sum(c.kind is CellKind.RED_CELL for c in cells) == 8


@pytest.mark.parametrize("gray", [0, 128, 255])
def test_a_field_of_one_color_holds_no_cells(segmenter: Segmenter, gray: int) -> None:
    assert segmenter.find(field(np.full((240, 320, 3), gray, np.uint8))) == []


@pytest.mark.parametrize("size", [(3, 3), (1, 40), (17, 9)])
def test_a_field_of_a_few_pixels_is_no_trouble(segmenter: Segmenter, size: tuple[int, int]) -> None:
    assert segmenter.find(field(np.full((*size, 3), 200, np.uint8))) == []


def test_a_cell_at_the_border_is_marked(segmenter: Segmenter) -> None:
    pixels = blank(400, 300)
    red_cell(pixels, (200, 150))
    red_cell(pixels, (0, 60))
    cells = segmenter.find(field(pixels))
    assert sorted(cell.touches_border for cell in cells) == [False, True]


def test_a_field_without_scale_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(ValueError, match="scale"):
        segmenter.find(Field("f", blank(), None))


@pytest.mark.parametrize("mpp", [0.06, 0.1, 0.16])
def test_the_scale_is_estimated_from_red_cells(segmenter: Segmenter, mpp: float) -> None:
    fields = [paint_field(seed, mpp=mpp).field for seed in (1, 2)]
    assert estimate_scale(fields, segmenter).mpp == pytest.approx(mpp, rel=0.12)


def test_without_red_cells_the_scale_is_only_assumed(segmenter: Segmenter) -> None:
    assert estimate_scale([Field("f", blank(), None)], segmenter) == FALLBACK


def test_tiles_find_what_one_pass_finds() -> None:
    from dataclasses import replace

    from hemascope.cells.network import NetworkSegmenter

    whole = wiring.build_segmenter("network")
    assert isinstance(whole, NetworkSegmenter)
    tiled = NetworkSegmenter(whole._graph, replace(whole._spec, tile=256, overlap=96))
    smear = paint_field(5, width=1000, height=800, mpp=0.1).field
    one, other = whole.find(smear), tiled.find(smear)
    assert len(one) > 40
    assert abs(len(one) - len(other)) <= 0.04 * len(one)
    centers = np.array([c.outline.bounds.center for c in other])
    gaps = [float(np.hypot(*(a - b))) for a, b in pairwise(centers[np.lexsort(centers.T)])]
    assert min(gaps) > 3


def test_a_giant_cell_survives_the_border_of_tiles() -> None:
    from dataclasses import replace

    from hemascope.cells.network import NetworkSegmenter

    whole = wiring.build_segmenter("network")
    assert isinstance(whole, NetworkSegmenter)
    tiled = NetworkSegmenter(whole._graph, replace(whole._spec, tile=256, overlap=128))
    pixels = blank(700, 400)
    white_cell(pixels, (384, 200))
    disk(pixels, (100, 100), 37, (205, 140, 140))
    cells = tiled.find(field(pixels))
    assert sum(c.kind is CellKind.WHITE_CELL for c in cells) == 1
