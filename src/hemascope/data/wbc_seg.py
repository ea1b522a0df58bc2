"""WBC segmentation: small images of one white cell each with masks of nucleus and cytoplasm, in two stains."""

from __future__ import annotations

from pathlib import Path

from hemascope.core.taxonomy import CellKind
from hemascope.data.records import DataSetCard, FieldRecord
from hemascope.data.tables import read_table

CARD = DataSetCard(
    name="wbc_seg",
    title="Single white cells with masks of nucleus and cytoplasm: 120 x 120 (Tecom) and 300 x 300 (CellaVision blog)",
    license="GPL-3.0",
    citation=(
        "Zheng X, Wang Y, Wang G, Liu J. Fast and robust segmentation of white blood cell images by self-supervised "
        "learning. Micron 2018;107:55-71, doi:10.1016/j.micron.2018.01.010."
    ),
    may_train=False,
    url="https://github.com/zxaoyou/segmentation_WBC",
)


def read_wbc_seg(folder: Path) -> tuple[FieldRecord, ...]:
    """Return every image; its mask is its label: 0 other, 128 cytoplasm, 255 nucleus.

    Weights that ship must not be trained on it: ``may_train`` is False throughout.

    Raises
    ------
    DataSetError
        If the table is absent or has a malformed row.
    """
    labels = read_table(folder / "labels.csv", ("path", "label", "split", "mask", "source_subset"))
    return tuple(
        FieldRecord(
            data_set=CARD.name,
            path=row.file(folder),
            name=row.name(),
            split=row.text("split"),
            group=row.name(),
            boxes=(),
            labeled_kinds=frozenset({CellKind.WHITE_CELL}),
            white_cell_types=row.cell_types("label"),
            mask=row.file(folder, "mask"),
            source=row.text("source_subset"),
            may_train=CARD.may_train,
        )
        for row in labels
    )
