"""Chulalongkorn white cells: 1440 x 900 fields from a low-cost camera."""

from __future__ import annotations

from pathlib import Path

from hemascope.core.taxonomy import CellKind
from hemascope.data.records import DataSetCard, FieldRecord, LabeledBox
from hemascope.data.tables import boxes_by_name, read_table

CARD = DataSetCard(
    name="chula_wbc_fields",
    title="Wide fields of poor optics with boxes and types of white cells",
    license="MIT",
    citation="Embedded System and IC Design Laboratory, Chulalongkorn University. singgihbekti/WBC_Dataset, 2022, "
    "https://github.com/singgihbekti/WBC_Dataset",
    may_train=True,
    url="https://github.com/singgihbekti/WBC_Dataset",
)


def read_chula_wbc(folder: Path) -> tuple[FieldRecord, ...]:
    """Return every field, grouped by slide; only white cells are labeled, each with its type.

    Raises
    ------
    DataSetError
        If a table is absent or has a malformed row.
    """
    labels = list(read_table(folder / "labels.csv", ("path", "patient_id", "split")))
    rows = read_table(folder / "boxes.csv", ("path", "label", "xmin", "ymin", "xmax", "ymax"))
    boxes = boxes_by_name(rows, (row.name() for row in labels))
    records = []
    for row in labels:
        cells = tuple(LabeledBox(CellKind.WHITE_CELL, r.box(), r.cell_type()) for r in boxes[row.name()])
        records.append(
            FieldRecord(
                data_set=CARD.name,
                path=row.file(folder),
                name=row.name(),
                split=row.text("split"),
                group=row.text("patient_id"),
                boxes=cells,
                labeled_kinds=frozenset({CellKind.WHITE_CELL}),
                white_cell_types=tuple(cell.cell_type for cell in cells if cell.cell_type is not None),
                may_train=CARD.may_train,
            )
        )
    return tuple(records)
