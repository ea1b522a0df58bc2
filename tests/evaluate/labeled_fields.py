"""Labeled fields made of boxes alone, and analyses that found given cells in them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hemascope.core.cell import Cell, Morphometry
from hemascope.core.geometry import Box, Polygon
from hemascope.core.prediction import CellPrediction
from hemascope.core.report import CellResult, FieldResult
from hemascope.core.smear import Field, QcVerdict
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.data.records import FieldRecord, LabeledBox
from hemascope.evaluate.matching import FoundBox

WHITE = CellKind.WHITE_CELL


def square(x: float, y: float, side: float = 10) -> Box:
    return Box(x, y, x + side, y + side)


def field(
    boxes: Sequence[Box],
    name: str = "images/a.png",
    kind: CellKind = WHITE,
    complete: bool = True,
    types: tuple[CellType, ...] = (),
    version: str = "",
    data_set: str = "made",
) -> FieldRecord:
    return FieldRecord(
        data_set=data_set,
        path=Path("/nowhere") / name,
        name=name,
        split="test",
        group=name,
        boxes=tuple(LabeledBox(kind, box) for box in boxes),
        label_version=version,
        labeled_kinds=frozenset({kind} if complete else ()),
        white_cell_types=types,
    )


def found(*rows: tuple[Box, float], kind: CellKind = WHITE) -> tuple[FoundBox, ...]:
    return tuple(FoundBox(kind, box, score) for box, score in rows)


def prediction(cell_type: CellType) -> CellPrediction:
    probabilities = np.full(len(CellType), 0.02)
    probabilities[list(CellType).index(cell_type)] = 1 - 0.02 * (len(CellType) - 1)
    return CellPrediction("c", probabilities, anomaly=0.1)


def analysis(field_id: str, cells: Sequence[tuple[Box, CellKind, CellType | None]]) -> FieldResult:
    results = tuple(
        CellResult(
            Cell(f"{field_id}#{n}", field_id, kind, Polygon.from_box(box), 0.9),
            Morphometry(100.0, 40.0, 0.78, 0.0),
            None if cell_type is None else prediction(cell_type),
        )
        for n, (box, kind, cell_type) in enumerate(cells)
    )
    pixels = np.full((48, 64, 3), 200, np.uint8)
    return FieldResult(Field(field_id, pixels, None), QcVerdict(), results, {"read": 0.01, "find": 0.04})
