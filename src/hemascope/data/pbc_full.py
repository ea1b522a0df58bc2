"""PBC at full size, a part of it: 480 single cells, 300 of them with the eleven attributes of WBCAtt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hemascope.core.errors import DataSetError
from hemascope.core.taxonomy import CellType
from hemascope.data.pbc_acevedo import CARD as REDUCED_CARD
from hemascope.data.pbc_acevedo import WIDTH_UM
from hemascope.data.records import CropRecord, DataSetCard
from hemascope.data.tables import Row, read_table

CARD = DataSetCard(
    name="pbc_acevedo",
    title="Single blood cells of eight classes at about 360 x 363, with morphological attributes",
    license="CC-BY-4.0",
    citation=(
        f"{REDUCED_CARD.citation}. Attributes (MIT): Tsutsui S, Pang W, Wen B. WBCAtt: a white blood cell dataset "
        "annotated with detailed morphological attributes. NeurIPS 2023 Datasets and Benchmarks"
    ),
    may_train=True,
    url=REDUCED_CARD.url,
)

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "cell_size": ("small", "big"),
    "cell_shape": ("round", "irregular"),
    "nucleus_shape": (
        "unsegmented-round",
        "unsegmented-indented",
        "unsegmented-band",
        "segmented-bilobed",
        "segmented-multilobed",
        "irregular",
    ),
    "nuclear_cytoplasmic_ratio": ("low", "high"),
    "chromatin_density": ("loosely", "densely"),
    "cytoplasm_vacuole": ("no", "yes"),
    "cytoplasm_texture": ("clear", "frosted"),
    "cytoplasm_colour": ("light blue", "blue", "purple blue"),
    "granule_type": ("nil", "small", "round", "coarse"),
    "granule_colour": ("nil", "pink", "purple", "red"),
    "granularity": ("no", "yes"),
}
"""The attributes of WBCAtt and their values, as the set spells them."""

ATTRIBUTED_TYPES = (
    CellType.BASOPHIL,
    CellType.EOSINOPHIL,
    CellType.LYMPHOCYTE,
    CellType.MONOCYTE,
    CellType.NEUTROPHIL,
)
"""The types that WBCAtt describes."""

SUBTYPES: Mapping[CellType, Mapping[str, str]] = {
    CellType.NEUTROPHIL: {"BNE": "band", "SNE": "segmented"},
    CellType.IMMATURE_GRANULOCYTE: {"PMY": "promyelocyte", "MY": "myelocyte", "MMY": "metamyelocyte"},
}
"""Codes of the column ``subtype`` that say something; ``NEUTROPHIL`` and ``IG`` leave it open."""


@dataclass(frozen=True, slots=True)
class AttributedCell:
    """One single-cell image and what WBCAtt says of it.

    Attributes
    ----------
    crop
        The image.
    attributes
        Every key of ``ATTRIBUTES`` to its value.
    """

    crop: CropRecord
    attributes: Mapping[str, str]


def read_pbc_full(folder: Path) -> tuple[CropRecord, ...]:
    """Return every cell; each is a group of its own, for the set keeps one image of each group of near-duplicates.

    Every cell is in ``pbc_acevedo_128``, too: never learn from one of the two sets and measure on the other without
    ``check_same_splits``.

    Raises
    ------
    DataSetError
        If the table is absent or has a malformed row.
    """
    return tuple(_record(row, folder) for row in _rows(folder))


def read_attributes(folder: Path) -> tuple[AttributedCell, ...]:
    """Return the cells that have attributes.

    Raises
    ------
    DataSetError
        If the table is absent or has a malformed row, or an attribute has an unknown value.
    """
    return tuple(
        AttributedCell(_record(row, folder), {name: _value(row, name) for name in ATTRIBUTES})
        for row in _rows(folder)
        if row.flag("has_attributes")
    )


def check_same_splits(full: Sequence[CropRecord], reduced: Sequence[CropRecord]) -> None:
    """Make sure that a cell is in the same split at both sizes.

    Parameters
    ----------
    full, reduced
        Records of ``pbc_acevedo`` and of ``pbc_acevedo_128``.

    Raises
    ------
    DataSetError
        Naming the first cell that is not: what was trained on one of the sets would have seen test cells of the other.
    """
    known = {record.name: record.split for record in reduced}
    for record in full:
        if known.get(record.name, record.split) != record.split:
            raise DataSetError(
                f"{record.name} is in split '{record.split}' of {CARD.name} and in '{known[record.name]}' of "
                f"{REDUCED_CARD.name}; restore the sets' original tables"
            )


def _rows(folder: Path) -> list[Row]:
    columns = ("path", "label", "split", "subtype", "acq", "has_attributes", *ATTRIBUTES)
    return list(read_table(folder / "labels.csv", columns))


def _value(row: Row, name: str) -> str:
    value = row.text(name)
    if value not in ATTRIBUTES[name]:
        raise row.error(f"column '{name}' holds '{value}', not one of {', '.join(ATTRIBUTES[name])}")
    return value


def _record(row: Row, folder: Path) -> CropRecord:
    return CropRecord(
        data_set=CARD.name,
        path=row.file(folder),
        name=row.name(),
        cell_type=row.cell_type(),
        split=row.text("split"),
        group=row.name(),
        subtype=row.optional("subtype"),
        acquisition=row.optional("acq"),
        width_um=WIDTH_UM,
        may_train=CARD.may_train,
    )
