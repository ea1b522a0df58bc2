"""BCCD: 640 x 480 fields with boxes in three label versions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hemascope.core.errors import DataSetError
from hemascope.core.taxonomy import CellKind
from hemascope.data.records import DataSetCard, FieldRecord, LabeledBox
from hemascope.data.tables import Row, boxes_by_name, read_table

CARD = DataSetCard(
    name="bccd",
    title="Fields with boxes of red cells, white cells and platelets, nucleus masks and white cell types",
    license="MIT",
    citation=(
        "Shenggan/BCCD_Dataset (images, original boxes). Alam MM, Islam MT. Machine learning approach of automatic "
        "identification and counting of blood cells. Healthc Technol Lett 2019, doi:10.1049/htl.2018.5098 (version "
        "cbc_cleaned). Gan L et al. TXL-PBC, arXiv:2407.13214 (version txl). Banik PP, Saha R, Kim K-D. Expert Syst "
        "Appl 2020, doi:10.1016/j.eswa.2020.113211 (masks)."
    ),
    may_train=True,
    url="https://github.com/Shenggan/BCCD_Dataset",
)

BEST_FIRST = ("txl", "cbc_cleaned", "original")
"""The label versions, the most complete first."""

COMPLETE_KINDS: Mapping[str, frozenset[CellKind]] = {
    "txl": frozenset(CellKind),
    "cbc_cleaned": frozenset({CellKind.WHITE_CELL, CellKind.PLATELET}),
    "original": frozenset({CellKind.WHITE_CELL}),
}
"""Kinds that a version labels completely: the two older ones box about 11 of 23 red cells a field, and
``original`` misses platelets too."""

BLOCK = 4
"""Consecutive image numbers that count as neighbors: the splits keep such blocks whole."""


def read_bccd(folder: Path, version: str = "txl") -> tuple[FieldRecord, ...]:
    """Return the fields that ``version`` covers.

    Boxes without area (two red cells of the older versions) are left out: nothing can match them.

    Parameters
    ----------
    folder
        The set's folder.
    version
        ``original``, ``cbc_cleaned``, ``txl``, or ``best``: all fields, each in the best version it has.

    Raises
    ------
    DataSetError
        If the version is unknown, or a table is absent or has a malformed row.
    """
    if version not in (*BEST_FIRST, "best"):
        raise DataSetError(f"bccd has no label version '{version}'; choose one of {', '.join(BEST_FIRST)} or best")
    labels = list(read_table(folder / "labels.csv", ("path", "split", "wbc_type", "has_cleaned", "has_txl")))
    rows = read_table(folder / "boxes.csv", ("path", "version", "label", "xmin", "ymin", "xmax", "ymax"))
    boxes = boxes_by_name(rows, (row.name() for row in labels))
    wanted = BEST_FIRST if version == "best" else (version,)
    records = []
    for row in labels:
        chosen = next((v for v in wanted if v in _versions(row)), None)
        if chosen is not None:
            records.append(_record(folder, row, chosen, boxes[row.name()]))
    return tuple(records)


def _versions(row: Row) -> set[str]:
    """Return the label versions an image has."""
    versions = {"original"}
    if row.flag("has_cleaned"):
        versions.add("cbc_cleaned")
    if row.flag("has_txl"):
        versions.add("txl")
    return versions


def _record(folder: Path, row: Row, version: str, rows: Sequence[Row]) -> FieldRecord:
    boxes = [LabeledBox(r.kind(), r.box()) for r in rows if r.text("version") == version]
    return FieldRecord(
        data_set=CARD.name,
        path=row.file(folder),
        name=row.name(),
        split=row.text("split"),
        group=_block(row),
        boxes=tuple(labeled for labeled in boxes if labeled.box.area > 0),
        label_version=version,
        labeled_kinds=COMPLETE_KINDS[version],
        white_cell_types=row.cell_types("wbc_type"),
        mask=row.file(folder, "nucleus_mask") if row.optional("nucleus_mask") else None,
        may_train=CARD.may_train,
    )


def _block(row: Row) -> str:
    """Return the block of consecutive captures that an image number falls into."""
    number = re.search(r"(\d+)\.\w+$", row.name())
    if number is None:
        raise row.error(f"'{row.name()}' does not end in a number")
    return f"block_{int(number[1]) // BLOCK:05d}"
