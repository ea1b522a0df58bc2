"""AYBU: 256 x 256 tiles with boxes of red and white cells."""

from __future__ import annotations

from pathlib import Path

from hemascope.core.taxonomy import CellKind
from hemascope.data.records import DataSetCard, FieldRecord, LabeledBox
from hemascope.data.tables import boxes_by_name, read_table

CARD = DataSetCard(
    name="aybu_fields",
    title="Small tiles of fields at high zoom with boxes of red and white cells",
    license="MIT",
    citation="Aslan A. blood-cell-detection-dataset, 2020, https://github.com/draaslan/blood-cell-detection-dataset",
    may_train=True,
    url="https://github.com/draaslan/blood-cell-detection-dataset",
)


def read_aybu(folder: Path) -> tuple[FieldRecord, ...]:
    """Return every tile; platelets are not labeled.

    Raises
    ------
    DataSetError
        If a table is absent or has a malformed row.
    """
    labels = list(read_table(folder / "labels.csv", ("path", "split")))
    rows = read_table(folder / "boxes.csv", ("path", "label", "xmin", "ymin", "xmax", "ymax"))
    boxes = boxes_by_name(rows, (row.name() for row in labels))
    return tuple(
        FieldRecord(
            data_set=CARD.name,
            path=row.file(folder),
            name=row.name(),
            split=row.text("split"),
            group=row.name(),
            boxes=tuple(LabeledBox(r.kind(), r.box()) for r in boxes[row.name()]),
            labeled_kinds=frozenset({CellKind.WHITE_CELL, CellKind.RED_CELL}),
            may_train=CARD.may_train,
        )
        for row in labels
    )
