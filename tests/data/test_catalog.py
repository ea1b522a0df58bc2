"""Sets by name, splits, groups, the folder they lie in, and our own table of unlabeled cells."""

from dataclasses import replace
from pathlib import Path

import pytest
from folder_sets import write_bccd

from hemascope.core.errors import DataSetError
from hemascope.core.geometry import Box
from hemascope.core.taxonomy import CellKind
from hemascope.data.adjudications import read_adjudications
from hemascope.data.catalog import (
    CROP_READERS,
    FIELD_READERS,
    check_split_groups,
    open_crops,
    open_data_set,
    open_fields,
    select_split,
)
from hemascope.data.root import data_root
from hemascope.data.txl_pbc import shared_with_pbc

REAL_FIELDS = ("bccd", "txl_pbc_boxes", "aybu_fields", "chula_wbc_fields")


@pytest.mark.parametrize(("name", "entry"), [*FIELD_READERS.items(), *CROP_READERS.items()])
def test_every_set_has_a_card_of_its_name(name: str, entry: tuple) -> None:
    card = entry[0]
    assert card.name == name
    assert card.license
    assert card.citation
    assert card.title


def test_a_set_is_opened_by_name_version_and_split(tmp_path: Path) -> None:
    write_bccd(tmp_path)
    opened = open_data_set("bccd", tmp_path, "test", "cbc_cleaned")
    assert [record.name for record in opened.fields] == ["images/BloodImage_00008.png"]
    assert (opened.crops, opened.card.license) == ((), "MIT")


@pytest.mark.parametrize(
    ("name", "split", "version", "said"),
    [
        ("bcd", "all", None, "no data set 'bcd'; choose one of bccd"),
        ("bccd", "tset", "original", "no record is in split 'tset'; choose one of test, train or all"),
        ("bccd", "all", "newest", "no label version 'newest'"),
        ("aybu_fields", "all", None, "put the set 'aybu_fields' there"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, name: str, split: str, version: str | None, said: str) -> None:
    write_bccd(tmp_path)
    with pytest.raises(DataSetError, match=said):
        open_data_set(name, tmp_path, split, version)


def test_a_version_is_for_bccd_only(tmp_path: Path) -> None:
    (tmp_path / "aybu_fields").mkdir()
    with pytest.raises(DataSetError, match="one label version"):
        open_data_set("aybu_fields", tmp_path, version="txl")


def test_a_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    write_bccd(tmp_path)
    records = open_fields("bccd", tmp_path, version="original")
    check_split_groups(records)
    spread = (*records, replace(records[0], name="images/BloodImage_00004.png", split="test"))
    with pytest.raises(DataSetError, match="group 'block_00001' sits in two splits, 'train'"):
        check_split_groups(spread)


def test_all_is_every_split(tmp_path: Path) -> None:
    write_bccd(tmp_path)
    records = open_fields("bccd", tmp_path, version="original")
    parts = [select_split(records, split) for split in ("train", "test")]
    assert {r.name for part in parts for r in part} == {r.name for r in select_split(records, "all")}


def test_the_folder_comes_from_the_user_then_the_environment(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    environment = {"HEMASCOPE_DATA": str(tmp_path)}
    assert data_root(other, environment) == other
    assert data_root(None, environment) == tmp_path


@pytest.mark.parametrize("environment", [{}, {"HEMASCOPE_DATA": ""}, {"HEMASCOPE_DATA": "/no/such/folder"}])
def test_there_is_no_default_folder(environment: dict[str, str]) -> None:
    with pytest.raises(DataSetError, match="set HEMASCOPE_DATA"):
        data_root(None, environment)


def test_the_unlabeled_cell_is_missing_in_the_older_versions_only(tmp_path: Path) -> None:
    (cell,) = (c for c in read_adjudications() if "00242" in c.name)
    write_bccd(tmp_path)
    record = replace(open_fields("bccd", tmp_path, version="original")[-1], name="images/BloodImage_00242.jpg")
    assert cell.kind is CellKind.WHITE_CELL
    assert cell.is_missing_in(record)
    assert not cell.is_missing_in(replace(record, label_version="txl"))
    assert not cell.is_missing_in(replace(record, name="images/BloodImage_00008.jpg"))
    assert cell.is_in(Box(150, 0, 315, 58))
    assert not cell.is_in(Box(17, 184, 242, 398))


def test_a_malformed_table_of_unlabeled_cells_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    table.write_text("data_set,name,label_versions,kind,x,y,note\nbccd,a.jpg,,white_cell,far,2,seen\n")
    with pytest.raises(DataSetError, match="line 2: column 'x' holds 'far'"):
        read_adjudications(table)


@pytest.mark.data
@pytest.mark.parametrize("name", REAL_FIELDS)
def test_real_splits_keep_groups_together(real_root: Path, name: str) -> None:
    check_split_groups(open_fields(name, real_root))


@pytest.mark.data
def test_real_bccd_has_the_counts_of_its_card(real_root: Path) -> None:
    def counts(version: str) -> tuple[int, ...]:
        records = open_fields("bccd", real_root, "test", version)
        return (len(records), *(sum(len(r.of_kind(kind)) for r in records) for kind in CellKind))

    assert counts("cbc_cleaned") == (40, 45, 536, 54)
    assert counts("txl") == (21, 24, 502, 22)
    assert len(open_fields("bccd", real_root, version="best")) == 300


@pytest.mark.data
def test_real_adjudicated_cells_are_in_no_box(real_root: Path) -> None:
    for cell in read_adjudications():
        for version in cell.label_versions or {None}:
            records = [r for r in open_fields(cell.data_set, real_root, version=version) if cell.is_missing_in(r)]
            assert len(records) == 1
            assert not any(cell.is_in(labeled.box) for labeled in records[0].of_kind(cell.kind))


@pytest.mark.data
def test_real_pbc_and_its_overlap(real_root: Path) -> None:
    crops = open_crops("pbc_acevedo_128", real_root)
    check_split_groups(crops)
    assert len(crops) == 9506
    split_of = {Path(crop.name).name: crop.split for crop in crops}
    boxes = open_fields("txl_pbc_boxes", real_root)
    shared = shared_with_pbc(real_root / "txl_pbc_boxes")
    agreeing = [split_of[shared[r.name]] == r.split for r in boxes if shared.get(r.name) in split_of]
    assert len(agreeing) == 196
    assert all(agreeing)
