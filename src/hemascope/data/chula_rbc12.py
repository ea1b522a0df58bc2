"""Chula-RBC-12: 640 x 480 fields with a point and a type for every red cell, and fields of five anemias."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hemascope.core.taxonomy import CellKind, RedCellType
from hemascope.data.records import DataSetCard, FieldRecord, LabeledPoint
from hemascope.data.tables import Row, read_table

CARD = DataSetCard(
    name="chula_rbc12",
    title="Fields with a point and one of twelve types for every red cell, and fields of five anemias",
    license="MIT",
    citation=(
        "Naruenatthanaset K, Chalidabhongse TH, Palasuwan D, Anantrasirichai N, Palasuwan A. Red Blood Cell "
        "Segmentation with Overlapping Cell Separation and Classification on Imbalanced Dataset. arXiv:2012.01321."
    ),
    may_train=True,
    url="https://github.com/Chula-PIC-Lab/Chula-RBC-12-Dataset",
)

BLOCK = 5
"""Consecutive image numbers that count as one smear: the splits keep such blocks whole."""

UNCATEGORIZED = "uncategorised"

TYPE_LABELS: Mapping[str, RedCellType] = {
    "normal": RedCellType.NORMAL,
    "macrocyte": RedCellType.MACROCYTE,
    "microcyte": RedCellType.MICROCYTE,
    "spherocyte": RedCellType.SPHEROCYTE,
    "target": RedCellType.TARGET_CELL,
    "stomatocyte": RedCellType.STOMATOCYTE,
    "ovalocyte": RedCellType.OVALOCYTE,
    "teardrop": RedCellType.TEARDROP_CELL,
    "burr": RedCellType.BURR_CELL,
    "schistocyte": RedCellType.SCHISTOCYTE,
    "hypochromia": RedCellType.HYPOCHROMIC,
    "elliptocyte": RedCellType.ELLIPTOCYTE,
}
"""How the set names the types."""


def read_chula_rbc12(folder: Path) -> tuple[FieldRecord, ...]:
    """Return the fields with points, grouped by blocks of five consecutive numbers.

    Red cells alone are labeled; some that the border cuts are not, so no kind counts as completely labeled.

    Raises
    ------
    DataSetError
        If a table is absent or has a malformed row.
    """
    labels = [row for row in _labels(folder) if row.text("kind") == "rbc12_field"]
    points: dict[str, list[Row]] = {row.name(): [] for row in labels}
    for row in read_table(folder / "points.csv", ("path", "x", "y", "label")):
        if row.name() not in points:
            raise row.error(f"'{row.name()}' is no field with points in labels.csv")
        points[row.name()].append(row)
    return tuple(_record(folder, row, points[row.name()]) for row in labels)


def read_anemia_fields(folder: Path) -> tuple[FieldRecord, ...]:
    """Return the fields of five anemias; nothing in them is labeled but the patient's disease.

    Raises
    ------
    DataSetError
        If the table is absent or has a malformed row.
    """
    labels = [row for row in _labels(folder) if row.text("kind") == "disease_field"]
    return tuple(
        FieldRecord(
            data_set=CARD.name,
            path=row.file(folder),
            name=row.name(),
            split=row.text("split"),
            group=row.name(),
            boxes=(),
            disease=row.text("label"),
            may_train=CARD.may_train,
        )
        for row in labels
    )


def _labels(folder: Path) -> list[Row]:
    return list(read_table(folder / "labels.csv", ("path", "label", "split", "kind")))


def _record(folder: Path, row: Row, rows: Sequence[Row]) -> FieldRecord:
    return FieldRecord(
        data_set=CARD.name,
        path=row.file(folder),
        name=row.name(),
        split=row.text("split"),
        group=_block(row),
        boxes=(),
        points=tuple(LabeledPoint(CellKind.RED_CELL, r.number("x"), r.number("y"), _type(r)) for r in rows),
        may_train=CARD.may_train,
    )


def _type(row: Row) -> RedCellType | None:
    label = row.text("label")
    if label != UNCATEGORIZED and label not in TYPE_LABELS:
        raise row.error(f"column 'label' holds '{label}', not one of {', '.join((*TYPE_LABELS, UNCATEGORIZED))}")
    return TYPE_LABELS.get(label)


def _block(row: Row) -> str:
    number = re.search(r"(\d+)\.\w+$", row.name())
    if number is None:
        raise row.error(f"'{row.name()}' does not end in a number")
    return f"block_{int(number[1]) // BLOCK:05d}"
