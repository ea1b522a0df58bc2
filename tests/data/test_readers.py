"""Each reader on a small set in its layout, and what it says of a broken one."""

from pathlib import Path

import pytest
from folder_sets import BCCD_BOXES, BCCD_LABELS, write_bccd, write_image, write_set

from hemascope.core.errors import DataSetError
from hemascope.core.geometry import Box
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.data.aybu import read_aybu
from hemascope.data.bccd import read_bccd
from hemascope.data.chula_wbc import read_chula_wbc
from hemascope.data.pbc_acevedo import read_pbc_acevedo
from hemascope.data.records import LabeledBox
from hemascope.data.synthetic import read_synthetic
from hemascope.data.txl_pbc import read_txl_pbc, shared_with_pbc


def test_bccd_gives_the_fields_of_the_version_asked_for(tmp_path: Path) -> None:
    folder = write_bccd(tmp_path)
    assert [record.name for record in read_bccd(folder)] == ["images/BloodImage_00007.png"]
    assert len(read_bccd(folder, "cbc_cleaned")) == 2
    assert len(read_bccd(folder, "original")) == 3


def test_bccd_best_takes_the_most_complete_version_of_each_field(tmp_path: Path) -> None:
    versions = [record.label_version for record in read_bccd(write_bccd(tmp_path), "best")]
    assert versions == ["txl", "cbc_cleaned", "original"]


def test_bccd_boxes_are_those_of_the_version(tmp_path: Path) -> None:
    (record,) = read_bccd(write_bccd(tmp_path))
    assert record.of_kind(CellKind.WHITE_CELL) == (LabeledBox(CellKind.WHITE_CELL, Box(1, 2, 13, 22)),)
    assert [labeled.kind.value for labeled in record.boxes] == ["white_cell", "red_cell", "platelet"]


def test_bccd_boxes_without_area_are_left_out(tmp_path: Path) -> None:
    record = read_bccd(write_bccd(tmp_path), "original")[0]
    assert [labeled.kind for labeled in record.boxes] == [CellKind.WHITE_CELL]


def test_bccd_names_what_each_version_labels_completely(tmp_path: Path) -> None:
    records = read_bccd(write_bccd(tmp_path), "best")
    assert [CellKind.RED_CELL in record.labeled_kinds for record in records] == [True, False, False]
    assert all(CellKind.WHITE_CELL in record.labeled_kinds for record in records)


def test_bccd_reads_one_several_or_no_white_cell_types(tmp_path: Path) -> None:
    types = [record.white_cell_types for record in read_bccd(write_bccd(tmp_path), "best")]
    assert types == [(CellType.NEUTROPHIL,), (CellType.NEUTROPHIL, CellType.EOSINOPHIL), ()]


def test_bccd_groups_blocks_of_four(tmp_path: Path) -> None:
    groups = [record.group for record in read_bccd(write_bccd(tmp_path), "original")]
    assert groups == ["block_00001", "block_00002", "block_00060"]


def test_bccd_finds_the_mask(tmp_path: Path) -> None:
    folder = write_bccd(tmp_path, BCCD_LABELS.replace("NEUTROPHIL,,1,1", "NEUTROPHIL,masks/7.png,1,1"))
    write_image(folder / "masks" / "7.png")
    assert [record.mask for record in read_bccd(folder, "original")] == [folder / "masks" / "7.png", None, None]


def test_paths_are_absolute_and_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bccd(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert all(r.path.is_absolute() and r.path.is_file() for r in read_bccd(Path("bccd"), "best"))


def test_bccd_refuses_an_unknown_version(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="no label version 'latest'"):
        read_bccd(write_bccd(tmp_path), "latest")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("original,WBC,1.0", "original,WBC,one", 2, "'one', not a number"),
        ("original,WBC,1.0", "original,WBC,inf", 2, "not a number"),
        ("txl,WBC,1.0,2.0,13.0", "txl,WBC,1.0,2.0,0.5", 5, "not a box"),
        ("txl,RBC", "txl,XYZ", 6, "'XYZ', not one of"),
        ("txl,RBC", "txl,", 6, "'label' is empty"),
        ("txl,RBC,30.0", "txl,RBC", 6, "not 7 columns"),
        ("images/BloodImage_00242.png,original", "images/other.png,original", 10, "not in labels.csv"),
        ("images/BloodImage_00242.png,original", "../BloodImage.png,original", 10, "not a path inside the set"),
    ],
)
def test_a_malformed_box_names_file_and_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in BCCD_BOXES
    folder = write_bccd(tmp_path, boxes=BCCD_BOXES.replace(old, new, 1))
    with pytest.raises(DataSetError, match=said) as caught:
        read_bccd(folder, "original" if "original" in old else "txl")
    assert f"{folder / 'boxes.csv'}, line {line}:" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("NEUTROPHIL,,1,1", "NEUTROFIL,,1,1", "'neutrofil', not one of"),
        (",,1,1", ",,1,yes", "'yes', not 0 or 1"),
        (",,train,", ",,,", "'split' is empty"),
        (",,1,1", ",masks/none.png,1,1", "is listed but is not there"),
        ("split", "splits", "has no column 'split'"),
        ("BloodImage_00007", "BloodImage_seven", "does not end in a number"),
    ],
)
def test_a_malformed_label_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in BCCD_LABELS
    boxes = BCCD_BOXES.replace(old, new) if "BloodImage" in old else BCCD_BOXES
    with pytest.raises(DataSetError, match=said):
        read_bccd(write_bccd(tmp_path, BCCD_LABELS.replace(old, new, 1), boxes), "best")


def test_an_absent_image_is_named(tmp_path: Path) -> None:
    folder = write_bccd(tmp_path)
    (folder / "images" / "BloodImage_00008.png").unlink()
    with pytest.raises(DataSetError, match=r"labels\.csv, line 3.*BloodImage_00008"):
        read_bccd(folder, "original")


def test_an_absent_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"labels\.csv cannot be read"):
        read_aybu(tmp_path)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(DataSetError, match="not a UTF-8 CSV table"):
        read_pbc_acevedo(tmp_path)


def test_txl_pbc_lets_only_the_pbc_part_train(tmp_path: Path) -> None:
    folder = write_set(
        tmp_path / "txl_pbc_boxes",
        labels="path,label,patient_id,split,source_subset,wbc_type,pbc_name\n"
        "images/a.png,,,train,Raabin,,\nimages/b.png,,,test,PBC,monocyte,MO_1.jpg\n",
        boxes="path,label,xmin,ymin,xmax,ymax\nimages/b.png,Platelets,0,0,5,5\n",
    )
    raabin, pbc = read_txl_pbc(folder)
    assert (raabin.source, raabin.may_train, raabin.boxes, raabin.group) == ("Raabin", False, (), "images/a.png")
    assert (pbc.source, pbc.may_train, pbc.group) == ("PBC", True, "MO_1.jpg")
    assert pbc.white_cell_types == (CellType.MONOCYTE,)
    assert shared_with_pbc(folder) == {"images/b.png": "MO_1.jpg"}


def test_aybu_labels_no_platelets(tmp_path: Path) -> None:
    folder = write_set(
        tmp_path / "aybu_fields",
        labels="path,label,patient_id,split\nimages/image-1.png,WBC=1,,train\n",
        boxes="path,label,xmin,ymin,xmax,ymax\nimages/image-1.png,WBC,1.5,0.0,20,30\n",
    )
    (record,) = read_aybu(folder)
    assert record.labeled_kinds == {CellKind.WHITE_CELL, CellKind.RED_CELL}
    assert record.boxes == (LabeledBox(CellKind.WHITE_CELL, Box(1.5, 0, 20, 30)),)


def test_chula_types_its_white_cells_and_groups_by_slide(tmp_path: Path) -> None:
    folder = write_set(
        tmp_path / "chula_wbc_fields",
        labels="path,label,patient_id,split,tag\nimages/a.png,basophil=1,slide_3,val,B-3\n",
        boxes="path,label,xmin,ymin,xmax,ymax\nimages/a.png,basophil,1,2,20,30\nimages/a.png,monocyte,30,2,40,30\n",
    )
    (record,) = read_chula_wbc(folder)
    assert (record.group, record.labeled_kinds) == ("slide_3", {CellKind.WHITE_CELL})
    assert [labeled.cell_type for labeled in record.boxes] == [CellType.BASOPHIL, CellType.MONOCYTE]
    assert record.white_cell_types == (CellType.BASOPHIL, CellType.MONOCYTE)


def test_pbc_maps_ig_and_keeps_near_duplicates_together(tmp_path: Path) -> None:
    folder = write_set(
        tmp_path / "pbc_acevedo_128",
        labels="path,label,patient_id,split,subtype,acq,group\n"
        "images/ig/MY_1.png,ig,,train,MY,B,MY_0.png\nimages/platelet/P.png,platelet,,test,PLATELET,A,P.png\n",
    )
    first, second = read_pbc_acevedo(folder)
    assert (first.cell_type, first.group, first.subtype, first.acquisition) == (
        CellType.IMMATURE_GRANULOCYTE,
        "MY_0.png",
        "MY",
        "B",
    )
    assert second.cell_type is CellType.PLATELET
    assert first.width_um == pytest.approx(35.6, abs=0.1)


def test_pbc_refuses_a_cell_of_two_types(tmp_path: Path) -> None:
    folder = write_set(
        tmp_path / "pbc_acevedo_128",
        labels='path,label,split,subtype,acq,group\na.png,"ig,monocyte",train,MY,A,a.png\n',
    )
    with pytest.raises(DataSetError, match=r"line 2: .*not one cell type"):
        read_pbc_acevedo(folder)


def test_generated_folders_label_everything(tmp_path: Path) -> None:
    folder = write_set(
        tmp_path / "made",
        labels="path\nimages/field_000.png\n",
        boxes="path,label,xmin,ymin,xmax,ymax,cell_type\n"
        "images/field_000.png,WBC,1,2,20,30,erythroblast\nimages/field_000.png,RBC,30,2,40,30,\n",
    )
    (record,) = read_synthetic(folder)
    assert record.labeled_kinds == set(CellKind)
    assert [labeled.cell_type for labeled in record.boxes] == [CellType.ERYTHROBLAST, None]
    assert record.white_cell_types == (CellType.ERYTHROBLAST,)


def test_what_the_generator_writes_can_be_read(tmp_path: Path) -> None:
    from hemascope.synth.write import write_smear

    folder = write_smear(tmp_path / "made", 1, seed=3, width=200, height=160, white_cells={CellType.MONOCYTE: 1})
    (record,) = read_synthetic(folder)
    assert record.split == "test"
    assert record.white_cell_types == (CellType.MONOCYTE,)
    assert record.of_kind(CellKind.RED_CELL)
    assert all(labeled.box.x1 <= 200 and labeled.box.y1 <= 160 for labeled in record.boxes)
