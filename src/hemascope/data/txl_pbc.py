"""TXL-PBC: boxes in crops around white cells, from two laboratories."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hemascope.core.taxonomy import CellKind
from hemascope.data.records import DataSetCard, FieldRecord, LabeledBox
from hemascope.data.tables import Row, boxes_by_name, read_table

CARD = DataSetCard(
    name="txl_pbc_boxes",
    title="Boxes of red cells, white cells and platelets in crops of Raabin-WBC (575 x 575) and PBC (360 x 363)",
    license="MIT (boxes); CC-BY-4.0 (PBC images); terms of the Raabin images unverified",
    citation=(
        "Gan L et al. TXL-PBC: a freely accessible labeled peripheral blood cell dataset, arXiv:2407.13214. Acevedo A "
        "et al. Data in Brief 2020;30:105474, doi:10.1016/j.dib.2020.105474. Mousavi Kouzehkanan Z et al. Sci Rep "
        "2022;12:1123, doi:10.1038/s41598-021-04426-x."
    ),
    may_train=True,
    url="https://github.com/lugan113/TXL-PBC_Dataset",
)

TRAINABLE_SOURCES = frozenset({"PBC"})
"""Parts whose license is known to allow training weights that ship."""


def read_txl_pbc(folder: Path) -> tuple[FieldRecord, ...]:
    """Return every crop; ``may_train`` is False for the Raabin part.

    Raises
    ------
    DataSetError
        If a table is absent or has a malformed row.
    """
    labels = list(read_table(folder / "labels.csv", ("path", "split", "source_subset", "wbc_type", "pbc_name")))
    rows = read_table(folder / "boxes.csv", ("path", "label", "xmin", "ymin", "xmax", "ymax"))
    boxes = boxes_by_name(rows, (row.name() for row in labels))
    return tuple(_record(folder, row, boxes[row.name()]) for row in labels)


def _record(folder: Path, row: Row, rows: Sequence[Row]) -> FieldRecord:
    source = row.text("source_subset")
    return FieldRecord(
        data_set=CARD.name,
        path=row.file(folder),
        name=row.name(),
        split=row.text("split"),
        group=row.optional("pbc_name") or row.name(),
        boxes=tuple(LabeledBox(r.kind(), r.box()) for r in rows),
        labeled_kinds=frozenset(CellKind),
        white_cell_types=row.cell_types("wbc_type"),
        source=source,
        may_train=source in TRAINABLE_SOURCES,
    )


def shared_with_pbc(folder: Path) -> dict[str, str]:
    """Return which crops are PBC images: the crop's name to the PBC file name.

    These are the same photographs as in ``pbc_acevedo_128`` (where it holds them), so results on the two sets
    are not independent.

    Parameters
    ----------
    folder
        The folder of ``txl_pbc_boxes``.

    Raises
    ------
    DataSetError
        If the table is absent or has a malformed row.
    """
    rows = read_table(folder / "labels.csv", ("path", "pbc_name"))
    return {row.name(): row.optional("pbc_name") for row in rows if row.optional("pbc_name")}
