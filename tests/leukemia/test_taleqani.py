"""The reader of taleqani_all, its rotations and its views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import CELLS, CLUSTERS, FIELDS, paint_field, write_taleqani
from hemascope.core.errors import DataSetError
from hemascope.core.optics import background_color
from hemascope.data.catalog import check_split_groups, open_data_set, open_fields
from hemascope.data.folds import Fold
from hemascope.data.root import data_root
from hemascope.data.taleqani import SUBTYPES, rotate_clusters, subtype_number
from hemascope.data.taleqani_views import (
    keep_by_hsv,
    mask_scale_bar,
    nucleated_mask,
    paint_out_cells,
    view_of,
)
from hemascope.evaluate.field_descriptors import (
    CELL_DESCRIPTORS,
    DESCRIPTOR_NAMES,
    describe_field,
    part_cells,
)


def test_classes_and_stain_clusters_are_read(root: Path) -> None:
    opened = open_data_set("taleqani_all", root)
    assert not opened.card.may_train
    assert len(opened.fields) == len(CELLS) * CLUSTERS * FIELDS
    first = opened.fields[0]
    assert (first.disease, first.group, first.split, first.may_train) == ("Benign", "Benign-stain0", "test", False)
    assert [subtype_number(f) for f in opened.fields[:: CLUSTERS * FIELDS]] == [0, 1, 2, 3]
    check_split_groups(opened.fields)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",Pre,,test,1,,", ",Post,,test,1,,", "column 'label' holds 'Post', not one of Benign"),
        (",Pre,,test,1,,", ",Pre,,test,0,,", "column 'malignant' contradicts the class 'Pre'"),
        (",Pre-stain0\n", ",\n", "column 'stain_cluster' is empty"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    table = write_taleqani(tmp_path) / "taleqani_all" / "labels.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(DataSetError, match=said):
        open_fields("taleqani_all", tmp_path)


def test_rotations_hold_out_every_cluster_once_and_every_class_each_time(root: Path) -> None:
    records = open_fields("taleqani_all", root)
    seen: list[str] = []
    for index in range(1, 5):
        turned = rotate_clusters(records, Fold(index, 4))
        check_split_groups(turned)
        out = [record for record in turned if record.split == "test"]
        assert {record.disease for record in out} == set(SUBTYPES)
        seen += sorted({record.group for record in out})
    assert sorted(seen) == sorted({record.group for record in records})


def test_too_few_clusters_for_the_folds_are_an_error(root: Path) -> None:
    with pytest.raises(DataSetError, match="class Benign has 4 stain clusters, too few for 5 folds"):
        rotate_clusters(open_fields("taleqani_all", root), Fold(1, 5))


def test_the_scale_bar_is_masked_and_nothing_else() -> None:
    pixels = paint_field(3, 6, 0)
    masked = mask_scale_bar(pixels)
    assert (masked[-24:, -54:] == background_color(pixels).astype(np.uint8)).all()
    assert (masked[:-24] == pixels[:-24]).all()
    assert (masked[:, :-54] == pixels[:, :-54]).all()


def test_violet_cells_are_found_kept_and_painted_out() -> None:
    pixels = mask_scale_bar(paint_field(3, 9, 1))
    mask = nucleated_mask(pixels)
    truth = 3 * np.pi * 9.5**2
    assert mask.sum() == pytest.approx(truth, rel=0.25)
    assert part_cells(mask).max() == 3
    kept = keep_by_hsv(pixels)
    assert ((kept > 0).any(axis=2) & mask).sum() > 0.8 * mask.sum()
    assert ((kept > 0).any(axis=2) & ~mask).sum() < 0.1 * mask.sum()
    painted = paint_out_cells(pixels)
    assert (painted[mask] == background_color(pixels).astype(np.uint8)).all()
    assert (painted != pixels).any(axis=2).sum() > mask.sum()


@pytest.mark.parametrize("view", ["whole", "hsv", "background"])
def test_no_view_shows_the_scale_bar(view: str) -> None:
    pixels = paint_field(3, 6, 2)
    other = pixels.copy()
    other[-8:, -30:] = (255, 0, 0)
    first, second = (view_of(p, view).astype(int) for p in (pixels, other))  # type: ignore[arg-type]
    assert abs(first - second).max() <= 2


def test_descriptors_count_cells_and_measure_them() -> None:
    few, many = describe_field(paint_field(3, 6, 3)), describe_field(paint_field(9, 6, 3))
    large = describe_field(paint_field(3, 9, 3))
    assert len(few) == len(DESCRIPTOR_NAMES)
    place = DESCRIPTOR_NAMES.index
    assert np.exp(few[place("log_cells")]) == pytest.approx(3, abs=0.1)
    assert np.exp(many[place("log_cells")]) == pytest.approx(9, abs=0.1)
    assert large[place("mean_log_area")] - few[place("mean_log_area")] == pytest.approx(2 * np.log(9.5 / 6.5), abs=0.15)
    assert few[place("mean_roundness")] > 0.8


def test_descriptors_of_cells_hardly_follow_the_strength_of_the_stain() -> None:
    pixels = paint_field(6, 9, 4)
    light = background_color(pixels)
    stronger = np.clip(light * (pixels / light) ** 1.4, 0, 255).astype(np.uint8)
    shapes = [i for i, name in enumerate(DESCRIPTOR_NAMES) if name.startswith("mean_")][: len(CELL_DESCRIPTORS)][:4]
    assert describe_field(stronger)[shapes] == pytest.approx(describe_field(pixels)[shapes], abs=0.1)


def test_an_empty_field_has_descriptors_too() -> None:
    values = describe_field(np.full((96, 96, 3), 240, np.uint8))
    assert np.isfinite(values).all()
    assert values[: 5 * len(CELL_DESCRIPTORS)].tolist() == [0.0] * (5 * len(CELL_DESCRIPTORS))


@pytest.mark.data
def test_the_real_set_holds_what_its_card_says() -> None:
    try:
        records = open_fields("taleqani_all", data_root())
    except DataSetError as error:
        pytest.skip(str(error))
    check_split_groups(records)
    assert len(records) == 960
    assert [sum(r.disease == name for r in records) for name in SUBTYPES] == [240] * 4
    for index in range(1, 5):
        out = [r for r in rotate_clusters(records, Fold(index, 4)) if r.split == "test"]
        assert {r.disease for r in out} == set(SUBTYPES)
