from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from hemascope.core.errors import DataSetError
from hemascope.core.taxonomy import CellType
from hemascope.data.catalog import open_crops
from hemascope.data.pbc_full import (
    ATTRIBUTED_TYPES,
    ATTRIBUTES,
    SUBTYPES,
    check_same_splits,
    read_attributes,
    read_pbc_full,
)
from hemascope.data.root import data_root

HEADER = ",".join(("path", "label", "patient_id", "split", "subtype", "acq", "size", "has_attributes", *ATTRIBUTES))
FIRST_VALUES = ",".join(values[0] for values in ATTRIBUTES.values())
WITH = f"images/a.jpg,basophil,,train,BA,A,360x363,1,{FIRST_VALUES}"
WITHOUT = "images/b.jpg,ig,,test,PMY,B,366x369,0" + "," * len(ATTRIBUTES)


def write(folder: Path, *rows: str) -> Path:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (36, 36), (200, 180, 200)).save(folder / "images" / name)
    (folder / "labels.csv").write_text("\n".join((HEADER, *rows)) + "\n", "utf-8")
    return folder


def test_cells_are_read_with_and_without_attributes(tmp_path: Path) -> None:
    folder = write(tmp_path, WITH, WITHOUT)
    first, second = read_pbc_full(folder)
    assert (first.cell_type, first.split, first.group) == (CellType.BASOPHIL, "train", "images/a.jpg")
    assert (second.cell_type, second.subtype, second.acquisition) == (CellType.IMMATURE_GRANULOCYTE, "PMY", "B")
    assert second.width_um == pytest.approx(35.64, abs=0.01)
    [attributed] = read_attributes(folder)
    assert attributed.crop == first
    assert attributed.attributes == {name: values[0] for name, values in ATTRIBUTES.items()}


def test_an_unknown_value_is_named_with_its_line(tmp_path: Path) -> None:
    folder = write(tmp_path, WITHOUT, WITH.replace("small,round", "middling,round"))
    with pytest.raises(DataSetError, match=r"line 3: column 'cell_size' holds 'middling', not one of small, big"):
        read_attributes(folder)


def test_a_cell_in_two_splits_is_refused(tmp_path: Path) -> None:
    full = read_pbc_full(write(tmp_path, WITH, WITHOUT))
    check_same_splits(full, full)
    check_same_splits(full, ())
    moved = (dataclasses.replace(full[0], split="test"), full[1])
    with pytest.raises(DataSetError, match=r"images/a.jpg is in split 'train' of pbc_acevedo and in 'test' of"):
        check_same_splits(full, moved)


@pytest.fixture(scope="module")
def real_root() -> Path:
    try:
        return data_root(None)
    except DataSetError:
        pytest.skip("HEMASCOPE_DATA names no folder of data sets")


@pytest.mark.data
def test_the_real_set_agrees_with_its_reduced_copy(real_root: Path) -> None:
    full, reduced = open_crops("pbc_acevedo", real_root), open_crops("pbc_acevedo_128", real_root)
    assert len(full) == 480
    assert {record.name for record in full} <= {record.name for record in reduced}
    check_same_splits(full, reduced)
    attributed = read_attributes(real_root / "pbc_acevedo")
    assert Counter(cell.crop.cell_type for cell in attributed) == dict.fromkeys(ATTRIBUTED_TYPES, 60)
    subtypes = {(record.cell_type, record.subtype) for record in reduced}
    assert all((cell_type, code) in subtypes for cell_type, codes in SUBTYPES.items() for code in codes)
