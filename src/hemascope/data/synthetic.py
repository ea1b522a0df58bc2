"""Folders written by this package's own generator of smears."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hemascope.core.taxonomy import CellKind
from hemascope.data.records import DataSetCard, FieldRecord, LabeledBox
from hemascope.data.tables import Row, boxes_by_name, read_table

CARD = DataSetCard(
    name="synthetic",
    title="Painted fields with known truth; figures measured on them say nothing about real smears",
    license="Apache-2.0",
    citation="hemascope data synthesize",
    may_train=True,
    url="",
)


def read_synthetic(folder: Path) -> tuple[FieldRecord, ...]:
    """Return every field of a generated folder; everything in it is labeled.

    Raises
    ------
    DataSetError
        If a table is absent or has a malformed row.
    """
    labels = list(read_table(folder / "labels.csv", ("path",)))
    rows = read_table(folder / "boxes.csv", ("path", "label", "xmin", "ymin", "xmax", "ymax", "cell_type"))
    boxes = boxes_by_name(rows, (row.name() for row in labels))
    return tuple(_record(folder, row, boxes[row.name()]) for row in labels)


def _record(folder: Path, row: Row, rows: Sequence[Row]) -> FieldRecord:
    cells = tuple(LabeledBox(r.kind(), r.box(), next(iter(r.cell_types("cell_type")), None)) for r in rows)
    return FieldRecord(
        data_set=CARD.name,
        path=row.file(folder),
        name=row.name(),
        split=row.optional("split") or "test",
        group=row.name(),
        boxes=cells,
        labeled_kinds=frozenset(CellKind),
        white_cell_types=tuple(
            cell.cell_type for cell in cells if cell.kind is CellKind.WHITE_CELL and cell.cell_type is not None
        ),
        may_train=CARD.may_train,
    )
