"""The sets with points and with masks, on small folders in their layout and, where they are, for real."""

from collections import Counter
from pathlib import Path

import pytest
from folder_sets import write_image, write_set

from hemascope.core.errors import DataSetError
from hemascope.core.taxonomy import CellKind, RedCellType
from hemascope.data.catalog import check_split_groups, open_fields
from hemascope.data.chula_rbc12 import read_anemia_fields, read_chula_rbc12
from hemascope.data.wbc_seg import read_wbc_seg

LABELS = """path,label,patient_id,split,kind
fields/12.png,burr=1,,train,rbc12_field
fields/15.png,normal=1,,test,rbc12_field
disease_fields/thalassaemia/1.png,thalassaemia,,val,disease_field
"""
POINTS = """path,x,y,class_id,label
fields/12.png,4.0,5.0,8,burr
fields/12.png,9.0,5.0,10,uncategorised
fields/15.png,7.5,5.0,0,normal
"""


def test_points_carry_their_type_and_fields_their_block(tmp_path: Path) -> None:
    first, second = read_chula_rbc12(write_set(tmp_path / "chula_rbc12", labels=LABELS, points=POINTS))
    assert [point.red_cell_type for point in first.points] == [RedCellType.BURR_CELL, None]
    assert (second.points[0].x, second.points[0].y) == (7.5, 5.0)
    assert (first.group, second.group) == ("block_00002", "block_00003")
    assert not first.labeled_kinds


def test_anemia_fields_name_their_disease(tmp_path: Path) -> None:
    (record,) = read_anemia_fields(write_set(tmp_path / "chula_rbc12", labels=LABELS, points=POINTS))
    assert record.disease == "thalassaemia"
    assert record.split == "val"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (POINTS.replace("8,burr", "8,banana"), "banana"),
        (POINTS.replace("fields/15.png", "fields/99.png"), "fields/99.png"),
        (POINTS.replace("7.5", "x"), "not a number"),
    ],
)
def test_a_broken_table_of_points_names_its_row(tmp_path: Path, broken: str, words: str) -> None:
    folder = write_set(tmp_path / "chula_rbc12", labels=LABELS, points=broken)
    with pytest.raises(DataSetError, match=words):
        read_chula_rbc12(folder)


def test_masks_may_train_nothing_that_ships(tmp_path: Path) -> None:
    table = "path,label,split,mask,source_subset\nimages/a.png,neutrophil,train,masks/a.png,tecom\n"
    folder = write_set(tmp_path / "wbc_seg", labels=table)
    write_image(folder / "masks" / "a.png")
    (record,) = read_wbc_seg(folder)
    assert record.mask == folder / "masks" / "a.png"
    assert record.source == "tecom"
    assert not record.may_train


def test_the_real_sets_hold_what_their_cards_say(real_root: Path) -> None:
    fields = open_fields("chula_rbc12", real_root)
    check_split_groups(fields)
    types = Counter(point.red_cell_type for record in fields for point in record.points)
    assert (len(fields), types.total(), types[None], types[RedCellType.SPHEROCYTE]) == (125, 8057, 63, 1552)
    assert {point.kind for record in fields for point in record.points} == {CellKind.RED_CELL}
    assert Counter(r.source for r in open_fields("wbc_seg", real_root)) == {"tecom": 223, "cellavision_blog": 83}
