"""Every set under its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from hemascope.core.errors import DataSetError
from hemascope.data import (
    aybu,
    bccd,
    chula_rbc12,
    chula_wbc,
    pbc_acevedo,
    pbc_full,
    synthetic,
    taleqani,
    txl_pbc,
    wbc_seg,
)
from hemascope.data.records import CropRecord, DataSet, DataSetCard, FieldRecord

FIELD_READERS: Mapping[str, tuple[DataSetCard, Callable[[Path], tuple[FieldRecord, ...]]]] = {
    "bccd": (bccd.CARD, bccd.read_bccd),
    "txl_pbc_boxes": (txl_pbc.CARD, txl_pbc.read_txl_pbc),
    "aybu_fields": (aybu.CARD, aybu.read_aybu),
    "chula_wbc_fields": (chula_wbc.CARD, chula_wbc.read_chula_wbc),
    "chula_rbc12": (chula_rbc12.CARD, chula_rbc12.read_chula_rbc12),
    "wbc_seg": (wbc_seg.CARD, wbc_seg.read_wbc_seg),
    "taleqani_all": (taleqani.CARD, taleqani.read_taleqani),
    "synthetic": (synthetic.CARD, synthetic.read_synthetic),
}
"""Sets of labeled fields: name, which is also that of the folder, to card and reader."""

CROP_READERS: Mapping[str, tuple[DataSetCard, Callable[[Path], tuple[CropRecord, ...]]]] = {
    "pbc_acevedo_128": (pbc_acevedo.CARD, pbc_acevedo.read_pbc_acevedo),
    "pbc_acevedo": (pbc_full.CARD, pbc_full.read_pbc_full),
}
"""Sets of single cells: name to card and reader."""

_Record = TypeVar("_Record", FieldRecord, CropRecord)


def open_data_set(name: str, root: Path, split: str = "all", version: str | None = None) -> DataSet:
    """Return a set from the folder that holds them all.

    Parameters
    ----------
    name
        A name in ``FIELD_READERS`` or ``CROP_READERS``.
    root
        Folder in which every set has a folder of its own name.
    split
        A value of the set's ``split`` column, or ``all``.
    version
        Label version, for ``bccd`` only; None for the default, ``txl``.

    Raises
    ------
    DataSetError
        If the name, split or version is unknown, or the set is absent, incomplete or malformed.
    """
    if name in FIELD_READERS:
        card, read_fields = FIELD_READERS[name]
        folder = _folder(name, root)
        if version is not None and name != "bccd":
            raise DataSetError(f"{name} has one label version; leave out version '{version}'")
        fields = read_fields(folder) if version is None else bccd.read_bccd(folder, version)
        return DataSet(card, fields=select_split(fields, split))
    if name in CROP_READERS:
        card, read_crops = CROP_READERS[name]
        return DataSet(card, crops=select_split(read_crops(_folder(name, root)), split))
    known = ", ".join((*FIELD_READERS, *CROP_READERS))
    raise DataSetError(f"there is no data set '{name}'; choose one of {known}")


def open_fields(name: str, root: Path, split: str = "all", version: str | None = None) -> tuple[FieldRecord, ...]:
    """Return the fields of a set; see ``open_data_set``."""
    return open_data_set(name, root, split, version).fields


def open_crops(name: str, root: Path, split: str = "all") -> tuple[CropRecord, ...]:
    """Return the single cells of a set; see ``open_data_set``."""
    return open_data_set(name, root, split).crops


def select_split(records: tuple[_Record, ...], split: str) -> tuple[_Record, ...]:
    """Return the records of one split, or all of them for ``all``.

    Raises
    ------
    DataSetError
        If no record is in that split.
    """
    if split == "all":
        return records
    chosen = tuple(record for record in records if record.split == split)
    if not chosen:
        present = ", ".join(sorted({record.split for record in records}))
        raise DataSetError(f"no record is in split '{split}'; choose one of {present} or all")
    return chosen


def check_split_groups(records: Iterable[FieldRecord | CropRecord]) -> None:
    """Make sure that no group is spread over splits.

    Raises
    ------
    DataSetError
        Naming the set and group that sits in two splits: results on such splits would leak.
    """
    seen: dict[tuple[str, str], FieldRecord | CropRecord] = {}
    for record in records:
        first = seen.setdefault((record.data_set, record.group), record)
        if first.split != record.split:
            raise DataSetError(
                f"{record.data_set}: group '{record.group}' sits in two splits, '{first.split}' ({first.name}) and "
                f"'{record.split}' ({record.name}); move it into one"
            )


def _folder(name: str, root: Path) -> Path:
    folder = root.absolute() / name
    if not folder.is_dir():
        raise DataSetError(f"'{folder}' is not there; put the set '{name}' there or name another folder of data sets")
    return folder
