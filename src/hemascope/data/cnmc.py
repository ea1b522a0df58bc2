"""C-NMC 2019: single lymphoblasts and normal lymphocyte precursors of known subjects, painted black outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hemascope.core.errors import DataSetError
from hemascope.data.records import DataSetCard
from hemascope.data.tables import read_table

CARD = DataSetCard(
    name="cnmc2019_fold1_128",
    title="Single cells of leukemic and normal subjects, segmented on black and normalized in stain",
    license="CC-BY-3.0 (believed, not verified)",
    citation=(
        "Gupta A, Gupta R. ALL Challenge dataset of ISBI 2019 (C-NMC 2019). The Cancer Imaging Archive 2019, "
        "doi:10.7937/tcia.2019.dc64i46r. Gupta R, Gehlot S, Gupta A. Med Eng Phys 2022;103:103793"
    ),
    may_train=False,
    url="https://doi.org/10.7937/tcia.2019.dc64i46r",
)

_BLAST = {"ALL": True, "normal": False}


@dataclass(frozen=True, slots=True)
class BlastRecord:
    """One image of a single cell.

    Attributes
    ----------
    path
        Absolute path of the image.
    name
        Path relative to the set's folder, with ``/``.
    subject
        Whose cell it is; results must not mix a subject over training and test.
    image
        Which image of that subject it was cut from; cells of one image are alike.
    blast
        Whether the subject has acute lymphoblastic leukemia: every cell of such a subject is a labeled blast, so this
        is the label of the cell and of the subject at once.
    split
        As the set gives it; protocols that leave subjects out do not use it.
    """

    path: Path
    name: str
    subject: str
    image: str
    blast: bool
    split: str


def read_cnmc(folder: Path) -> tuple[BlastRecord, ...]:
    """Return every cell in the order of the table.

    Raises
    ------
    DataSetError
        If the table is absent or malformed, or a subject sits in two splits or has two labels.
    """
    records = []
    for row in read_table(folder / "labels.csv", ("path", "label", "patient_id", "split", "image_id")):
        label = row.text("label")
        if label not in _BLAST:
            raise row.error(f"column 'label' holds '{label}', not one of {', '.join(_BLAST)}")
        subject, image = row.text("patient_id"), row.text("image_id")
        records.append(
            BlastRecord(row.file(folder), row.name(), subject, f"{subject}|{image}", _BLAST[label], row.text("split"))
        )
    first: dict[str, BlastRecord] = {}
    for record in records:
        known = first.setdefault(record.subject, record)
        if (known.split, known.blast) != (record.split, record.blast):
            raise DataSetError(
                f"{folder / 'labels.csv'}: subject '{record.subject}' has two splits or two labels ({known.name}, "
                f"{record.name}); restore the set's original file"
            )
    return tuple(records)


def open_cnmc(root: Path) -> tuple[BlastRecord, ...]:
    """Return every cell of the set in the folder that holds all sets; see ``read_cnmc``."""
    return read_cnmc(root.absolute() / CARD.name)
