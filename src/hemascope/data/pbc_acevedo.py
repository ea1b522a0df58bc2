"""PBC: single cells of eight classes, reduced to 128 x 128."""

from __future__ import annotations

from pathlib import Path

from hemascope.data.records import CropRecord, DataSetCard
from hemascope.data.tables import read_table

CARD = DataSetCard(
    name="pbc_acevedo_128",
    title="Single blood cells of eight classes at 128 x 128",
    license="CC-BY-4.0",
    citation=(
        "Acevedo A, Merino A, Alferez S, Molina A, Boldu L, Rodellar J. A dataset of microscopic peripheral blood cell "
        "images for development of automatic recognition systems. Data in Brief 2020;30:105474, "
        "doi:10.1016/j.dib.2020.105474; data doi:10.17632/snkd93bnjr.1"
    ),
    may_train=True,
    url="https://data.mendeley.com/datasets/snkd93bnjr/1",
)

WIDTH_UM = 360 / 10.1
"""Width of a crop: 360 pixels at the 10.1 pixels per um usually quoted for the set; unverified, and acquisition B
has another pixel size that is not known."""


def read_pbc_acevedo(folder: Path) -> tuple[CropRecord, ...]:
    """Return every cell, grouped by near-duplicates.

    Raises
    ------
    DataSetError
        If the table is absent or has a malformed row.
    """
    rows = read_table(folder / "labels.csv", ("path", "label", "split", "subtype", "acq", "group"))
    return tuple(
        CropRecord(
            data_set=CARD.name,
            path=row.file(folder),
            name=row.name(),
            cell_type=row.cell_type(),
            split=row.text("split"),
            group=row.text("group"),
            subtype=row.optional("subtype"),
            acquisition=row.optional("acq"),
            width_um=WIDTH_UM,
            may_train=CARD.may_train,
        )
        for row in rows
    )
