"""The reader of red cells of patients with and without malaria."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hemascope.core.errors import DataSetError
from hemascope.data.malaria import open_malaria, read_malaria

HEADER = "path,index,label,patient_id,patient_label,split,original_name\n"
ROWS = (
    "cells.npz#images,2,parasitized,C1P1,malaria,train,a.png",
    "cells.npz#images,0,uninfected,C1P1,malaria,train,b.png",
    "cells.npz#images,1,uninfected,C2N,healthy,test,c.png",
)


def write(folder: Path, rows: tuple[str, ...] = ROWS, images: object = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_text(HEADER + "\n".join(rows) + "\n", "utf-8")
    shown = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((1, 50, 50), np.uint8) if images is None else images
    np.savez_compressed(folder / "cells.npz", images=shown)  # type: ignore[arg-type]
    return folder


def test_cells_and_images_come_in_the_order_of_the_table(tmp_path: Path) -> None:
    found = read_malaria(write(tmp_path / "set"))
    assert [(r.index, r.patient, r.malaria, r.parasitized, r.split) for r in found.records] == [
        (2, "C1P1", True, True, "train"),
        (0, "C1P1", True, False, "train"),
        (1, "C2N", False, False, "test"),
    ]
    assert found.images[:, 0, 0].tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("p,1,parasitized,C3N,healthy,test,c", "a parasitized cell of a patient without malaria"),
        ("p,1,infected,C2N,healthy,test,c", "column 'label' holds 'infected', not one of parasitized, uninfected"),
        ("p,1,uninfected,C2N,well,test,c", "column 'patient_label' holds 'well', not one of malaria, healthy"),
        ("p,3,uninfected,C2N,healthy,test,c", "column 'index' holds '3', not the place of one of 3 images"),
        ("p,-1,uninfected,C2N,healthy,test,c", "column 'index' holds '-1'"),
        ("p,0,uninfected,C2N,healthy,test,c", "image 0 is listed before"),
        ("p,1,uninfected,C1P1,malaria,test,c", "patient 'C1P1' has two splits or two labels"),
        ("p,1,uninfected,C1P1,healthy,train,c", "patient 'C1P1' has two splits or two labels"),
        ("p,1,uninfected,,healthy,test,c", "column 'patient_id' is empty"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path: Path, row: str, problem: str) -> None:
    with pytest.raises(DataSetError, match=rf"labels\.csv, line 4: {problem}"):
        read_malaria(write(tmp_path / "set", (*ROWS[:2], row)))


@pytest.mark.parametrize(
    "images", [np.zeros((3, 50, 50), np.float32), np.zeros((3, 48, 50), np.uint8), np.zeros((3, 50, 50, 3), np.uint8)]
)
def test_images_of_another_kind_are_refused(tmp_path: Path, images: object) -> None:
    with pytest.raises(DataSetError, match=r"cells\.npz holds .* not uint8 of N x 50 x 50"):
        read_malaria(write(tmp_path / "set", images=images))


def test_absent_or_broken_images_and_an_empty_table_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", ())
    with pytest.raises(DataSetError, match="lists no cell"):
        read_malaria(folder)
    (folder / "cells.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataSetError, match=r"cells\.npz cannot be read"):
        read_malaria(folder)
    (folder / "cells.npz").unlink()
    with pytest.raises(DataSetError, match=r"cells\.npz cannot be read"):
        read_malaria(folder)


@pytest.mark.data
def test_the_public_set_has_148_patients(public_data: Path) -> None:
    found = open_malaria(public_data)
    patients = {record.patient: record.malaria for record in found.records}
    assert (len(found.records), len(patients), sum(patients.values())) == (4701, 148, 112)
    assert sum(record.parasitized for record in found.records) == 2061
    assert found.images.shape == (4701, 50, 50)
