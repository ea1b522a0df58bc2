"""NIH malaria cells: single red cells of patients with and without malaria, gray, painted black outside."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import DataSetError
from hemascope.data.records import DataSetCard
from hemascope.data.tables import Row, read_table

CARD = DataSetCard(
    name="malaria_nih_gray50",
    title="Single red cells of patients with and without malaria, parasitized or not, gray, 50 x 50",
    license="public, terms not verified",
    citation=(
        "Rajaraman S et al. Pre-trained convolutional neural networks as feature extractors toward improved malaria "
        "parasite detection in thin blood smear images. PeerJ 2018;6:e4568, doi:10.7717/peerj.4568"
    ),
    may_train=False,
    url="https://doi.org/10.7717/peerj.4568",
)

SIDE = 50
"""Pixels; the crops were squashed to it, so that height and width of a cell are not comparable."""

_PATIENT = {"malaria": True, "healthy": False}
_CELL = {"parasitized": True, "uninfected": False}


@dataclass(frozen=True, slots=True)
class RedCellOfPatient:
    """One red cell.

    Attributes
    ----------
    index
        Its place among the set's images.
    patient
        Whose it is; results must not mix a patient over training and test.
    malaria
        Whether the patient has malaria.
    parasitized
        Whether the cell holds a parasite: for scoring, never for training.
    split
        As the set gives it, by patient.
    """

    index: int
    patient: str
    malaria: bool
    parasitized: bool
    split: str


@dataclass(frozen=True, slots=True, eq=False)
class MalariaSet:
    """All cells.

    Attributes
    ----------
    records
        N cells in the order of the table.
    images
        N x 50 x 50 uint8 gray values in the same order, 0 outside the cell.
    """

    records: tuple[RedCellOfPatient, ...]
    images: NDArray[np.uint8]


def read_malaria(folder: Path) -> MalariaSet:
    """Return every cell in the order of the table.

    Raises
    ------
    DataSetError
        If the table or the images are absent or malformed, an image is named twice or is not there, a patient sits in
        two splits or has two labels, or a cell of a patient without malaria is parasitized.
    """
    table = folder / "labels.csv"
    images = _images(folder / "cells.npz")
    records: list[RedCellOfPatient] = []
    first: dict[str, RedCellOfPatient] = {}
    taken: set[int] = set()
    for row in read_table(table, ("index", "label", "patient_id", "patient_label", "split")):
        record = _record(row, len(images))
        if record.index in taken:
            raise row.error(f"image {record.index} is listed before")
        known = first.setdefault(record.patient, record)
        if (known.split, known.malaria) != (record.split, record.malaria):
            raise row.error(f"patient '{record.patient}' has two splits or two labels")
        taken.add(record.index)
        records.append(record)
    if not records:
        raise DataSetError(f"{table} lists no cell; restore the set's original file")
    return MalariaSet(tuple(records), images[[record.index for record in records]])


def open_malaria(root: Path) -> MalariaSet:
    """Return every cell of the set in the folder that holds all sets; see ``read_malaria``."""
    return read_malaria(root.absolute() / CARD.name)


def _record(row: Row, count: int) -> RedCellOfPatient:
    patient, cell = row.text("patient_label"), row.text("label")
    if patient not in _PATIENT:
        raise row.error(f"column 'patient_label' holds '{patient}', not one of {', '.join(_PATIENT)}")
    if cell not in _CELL:
        raise row.error(f"column 'label' holds '{cell}', not one of {', '.join(_CELL)}")
    if _CELL[cell] and not _PATIENT[patient]:
        raise row.error("a parasitized cell of a patient without malaria")
    index = row.text("index")
    if not (index.isdecimal() and int(index) < count):
        raise row.error(f"column 'index' holds '{index}', not the place of one of {count} images")
    return RedCellOfPatient(int(index), row.text("patient_id"), _PATIENT[patient], _CELL[cell], row.text("split"))


def _images(path: Path) -> NDArray[np.uint8]:
    try:
        with np.load(path, allow_pickle=False) as kept:
            images = np.asarray(kept["images"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataSetError(f"{path} cannot be read ({error}); restore the set's original file") from error
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
        raise DataSetError(
            f"{path} holds {images.dtype} of shape {images.shape}, not uint8 of N x {SIDE} x {SIDE}; "
            "restore the set's original file"
        )
    return images
