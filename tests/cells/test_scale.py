"""The scale from what cells measure: red cells first, white cells where they are all there is."""

import numpy as np
import pytest
from painted import blank, field, red_cell, white_cell

from hemascope.cells.scale import FALLBACK, estimate_scale
from hemascope.core.cell import Cell
from hemascope.core.geometry import Polygon
from hemascope.core.ports import CandidateFinder
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import WHITE_CELL_DIAMETER, ScaleSource
from hemascope.wiring import build_segmenter


class Rings:
    """Finds circles of given diameters in pixels, whatever the scale it is told."""

    identity = ModelIdentity("rings", "1", "", "none", "Apache-2.0")

    def __init__(self, *cells: tuple[CellKind, float]) -> None:
        self.cells = cells

    def find(self, field: Field) -> list[Cell]:
        angles = np.arange(128) * 2 * np.pi / 128
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return [
            Cell(f"{field.id}#{n}", field.id, kind, Polygon((ring * size / 2 + 100).astype(np.float32)), 0.9)
            for n, (kind, size) in enumerate(self.cells)
        ]


def fields(count: int = 4) -> list[Field]:
    return [Field(f"f{n}", blank(200, 200), None) for n in range(count)]


def test_red_cells_decide_where_there_are_more_of_them() -> None:
    smear = Rings(*[(CellKind.RED_CELL, 75.0)] * 3, (CellKind.WHITE_CELL, 200.0))
    assert estimate_scale(fields(), smear).mpp == pytest.approx(0.1, rel=0.01)


def test_white_cells_decide_where_they_are_most_of_what_there_is() -> None:
    scale = estimate_scale(fields(), Rings((CellKind.WHITE_CELL, 70.0)))
    assert scale.mpp == pytest.approx(WHITE_CELL_DIAMETER / 70, rel=0.01)
    assert scale.source is ScaleSource.ESTIMATED
    mostly = Rings((CellKind.WHITE_CELL, 70.0), (CellKind.WHITE_CELL, 70.0), (CellKind.RED_CELL, 9.0))
    assert estimate_scale(fields(6), mostly).mpp == pytest.approx(WHITE_CELL_DIAMETER / 70, rel=0.01)


def test_two_white_cells_are_no_median() -> None:
    assert estimate_scale(fields(2), Rings((CellKind.WHITE_CELL, 70.0))) == FALLBACK


def test_the_finder_finds_the_scale_of_single_white_cells() -> None:
    shown = []
    for number in range(4):
        pixels = blank(160, 160)
        white_cell(pixels, (80, 80))
        shown.append(Field(f"cell {number}", pixels, None))
    scale = estimate_scale(shown, build_segmenter("network"))
    assert scale.source is ScaleSource.ESTIMATED
    assert 0.07 < scale.mpp < 0.16


def test_candidates_of_a_half_and_more_are_what_is_found() -> None:
    finder = build_segmenter("network")
    assert isinstance(finder, CandidateFinder)
    pixels = blank(400, 300)
    red_cell(pixels, (120, 150))
    white_cell(pixels, (280, 150))
    found, every = finder.find(field(pixels)), finder.candidates(field(pixels), 0.02)
    assert len(every) >= len(found) > 0
    outlines = [c.outline for c in every if c.score >= 0.5]
    assert outlines == [c.outline for c in found]
