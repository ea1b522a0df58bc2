"""Which white cells of a field have a certain type."""

from pathlib import Path

from hemascope.core.geometry import Box
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.data.records import FieldRecord, LabeledBox
from hemascope.data.typed_boxes import typed_white_cells

BOX, OTHER = Box(1, 2, 11, 12), Box(20, 2, 31, 12)


def field(*boxes: LabeledBox, types: tuple[CellType, ...] = ()) -> FieldRecord:
    return FieldRecord("set", Path("a.png"), "a.png", "train", "g", boxes, white_cell_types=types)


def test_a_box_with_a_type_is_typed_beside_one_without() -> None:
    typed = LabeledBox(CellKind.WHITE_CELL, BOX, CellType.MONOCYTE)
    assert typed_white_cells(field(typed, LabeledBox(CellKind.WHITE_CELL, OTHER))) == [(BOX, CellType.MONOCYTE)]


def test_the_only_white_cell_of_a_field_takes_the_only_type() -> None:
    record = field(
        LabeledBox(CellKind.WHITE_CELL, BOX), LabeledBox(CellKind.RED_CELL, OTHER), types=(CellType.NEUTROPHIL,)
    )
    assert typed_white_cells(record) == [(BOX, CellType.NEUTROPHIL)]


def test_two_white_cells_under_one_type_stay_open() -> None:
    white = (LabeledBox(CellKind.WHITE_CELL, BOX), LabeledBox(CellKind.WHITE_CELL, OTHER))
    assert typed_white_cells(field(*white, types=(CellType.NEUTROPHIL,))) == []


def test_one_white_cell_under_two_types_stays_open() -> None:
    white = LabeledBox(CellKind.WHITE_CELL, BOX)
    assert typed_white_cells(field(white, types=(CellType.NEUTROPHIL, CellType.EOSINOPHIL))) == []
