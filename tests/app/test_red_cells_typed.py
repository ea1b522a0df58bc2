"""Red cells are typed where they are whole, unless the recipe says no."""

from __future__ import annotations

from pathlib import Path

import pytest

from hemascope import wiring
from hemascope.app.analyzer import RED_CELLS_AT_ONCE
from hemascope.core.report import FieldResult
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import Scale, ScaleSource
from hemascope.recipes import AnalysisRecipe, load_recipe
from hemascope.synth.smear import paint_field


@pytest.fixture(scope="module")
def field() -> Field:
    painted = paint_field(seed=5).field
    return Field("painted", painted.pixels, Scale(0.1, ScaleSource.STATED))


def red_cells(result: FieldResult) -> list[tuple[bool, bool]]:
    """Return for each red cell whether the border cuts it, and whether it is typed."""
    cells = (c for c in result.cells if c.cell.kind is CellKind.RED_CELL)
    return [(c.cell.touches_border, c.red_cell is not None) for c in cells]


def test_whole_red_cells_are_typed_and_nothing_else(field: Field) -> None:
    analyzer = wiring.build_analyzer()
    result = analyzer.analyze(field)
    assert {(False, True), (True, False)} == set(red_cells(result))
    assert all(c.red_cell is None for c in result.cells if c.cell.kind is not CellKind.RED_CELL)
    assert all(c.red_cell is None or c.red_cell.cell_id == c.cell.id for c in result.cells)
    assert "red_cells" in result.seconds
    assert [model.name for model in analyzer.models][:3] == ["finder", "cell_classifier", "red_cell_classifier"]


def test_without_a_classifier_none_is(field: Field, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("red_cells = false\n")
    analyzer = wiring.build_analyzer(load_recipe(path, AnalysisRecipe))
    assert not any(typed for _, typed in red_cells(analyzer.analyze(field)))
    assert "red_cell_classifier" not in [model.name for model in analyzer.models]


def test_more_than_one_batch_is_typed_in_order(field: Field) -> None:
    tiled = wiring.build_analyzer()
    assert tiled.red_cells is not None
    [first] = [c for c in tiled.analyze(field).cells if c.red_cell is not None][:1]
    many = tiled._morphology(field, [first.cell] * (RED_CELLS_AT_ONCE + 1))
    assert list(many) == [first.cell.id]
