"""Which outlines belong to which image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from made_outlines import SQUARE, coco, collection, feature, moved, polygon, tiff_bytes, write_image, write_json

from hemascope.core.errors import OutlineError
from hemascope.core.outline import FieldOutlines
from hemascope.core.smear import Field
from hemascope.sources.discover import discover
from hemascope.sources.outline_classes import ClassTable
from hemascope.sources.outline_names import base_name
from hemascope.sources.outline_shelf import OutlinedReader, OutlineShelf
from hemascope.sources.raster import RasterReader

TABLE = ClassTable()
ONE = collection(feature(polygon(SQUARE)))
BIG = [SQUARE[0], [60.0, 10.0], [60.0, 40.0], [10.0, 40.0]]
TWO = collection(feature(polygon(SQUARE)), feature(polygon(BIG), "WBC"))


def shelf(outlines: Path, images: Path | Sequence[Path], table: ClassTable = TABLE) -> OutlineShelf:
    return OutlineShelf(outlines, discover(images if isinstance(images, list) else [str(images)]), table)


def field(field_id: str, size: tuple[int, int] = (64, 48)) -> Field:
    return Field(field_id, np.zeros((size[1], size[0], 3), np.uint8), None)


def count(found: FieldOutlines) -> int:
    return len(found.outlines)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("a.geojson", "a"),
        ("a.png.geojson", "a"),
        ("a.geojson.gz", "a"),
        ("a_labels.tif", "a"),
        ("a_cp_masks.png", "a"),
        ("a-mask.png", "a"),
        ("x/y\\a.JPG", "a"),
        ("field.1.tif", "field.1"),
        ("mask.png", "mask"),
        ("_labels.png", "_labels"),
    ],
)
def test_the_name_without_endings(name: str, base: str) -> None:
    assert base_name(name) == base


@pytest.mark.parametrize("name", ["a.geojson", "a.png.geojson", "a.json", "a_outlines.geojson", "deep/down/a.geojson"])
def test_a_file_belongs_to_the_image_of_its_name(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "images" / "a.png")
    write_image(tmp_path / "images" / "b.png")
    write_json(tmp_path / "made" / name, ONE)
    write_json(tmp_path / "made" / "b.geojson", TWO)
    found = shelf(tmp_path / "made", tmp_path / "images")
    assert (count(found.of(field("a.png"))), count(found.of(field("b.png")))) == (1, 2)
    assert found.remarks == ()


def test_folders_decide_between_images_of_one_name(tmp_path: Path) -> None:
    for slide, made in (("s1", ONE), ("s2", TWO)):
        write_image(tmp_path / "images" / slide / "1.png")
        write_json(tmp_path / "made" / slide / "1.geojson", made)
    found = shelf(tmp_path / "made", tmp_path / "images")
    assert (count(found.of(field("s1/1.png"))), count(found.of(field("s2/1.png")))) == (1, 2)
    one_slide = shelf(tmp_path / "made", tmp_path / "images" / "s2")
    assert count(one_slide.of(field("1.png"))) == 2
    assert "Outlines of 1 images" in one_slide.remarks[0]


def test_one_file_for_two_images_of_one_name_is_an_error_for_both(tmp_path: Path) -> None:
    for slide in ("s1", "s2"):
        write_image(tmp_path / "images" / slide / "1.png")
    found = shelf(write_json(tmp_path / "1.geojson", ONE), tmp_path / "images")
    for name in ("s1/1.png", "s2/1.png"):
        with pytest.raises(OutlineError, match="fits 2 images equally well"):
            found.of(field(name))


def test_two_files_for_one_image_are_an_error(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png")
    write_json(tmp_path / "made" / "a.geojson", ONE)
    (tmp_path / "made" / "a_labels.tif").write_bytes(tiff_bytes(np.eye(48, 64, dtype=np.int32)))
    with pytest.raises(OutlineError, match=r"more than once.*a\.geojson.*a_labels\.tif"):
        shelf(tmp_path / "made", tmp_path / "images", ClassTable.parse(["*=rbc"])).of(field("a.png"))


def test_an_image_without_outlines_is_an_error_that_names_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_image(tmp_path / "images" / f"{name}.png")
    found = shelf(write_json(tmp_path / "a.geojson", ONE), tmp_path / "images")
    with pytest.raises(OutlineError, match=r"b\.png has no outlines"):
        found.of(field("b.png"))


def test_outlines_without_an_image_are_remarked_on(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png")
    for name in ("a", "b", "c"):
        write_json(tmp_path / "made" / f"{name}.geojson", ONE)
    (tmp_path / "made" / "d.geojson").write_text("{")
    [remark] = shelf(tmp_path / "made", tmp_path / "images").remarks
    assert "Outlines of 3 images" in remark
    assert "b.geojson, c.geojson, d.geojson" in remark
    assert "1 of them cannot be read" in remark


def test_a_single_file_belongs_to_a_single_image_whatever_its_name(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.png")
    assert count(shelf(write_json(tmp_path / "export.geojson", ONE), image).of(field("a.png"))) == 1


def test_a_single_file_that_fits_no_image_is_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_image(tmp_path / "images" / f"{name}.png")
    with pytest.raises(OutlineError, match=r"export\.geojson.*fit none of the images \(a\.png, b\.png\)"):
        shelf(write_json(tmp_path / "export.geojson", ONE), tmp_path / "images")


def test_a_broken_file_among_others_fails_its_own_image_only(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_image(tmp_path / "images" / f"{name}.png")
    write_json(tmp_path / "made" / "a.geojson", ONE)
    (tmp_path / "made" / "b.geojson").write_text("{")
    found = shelf(tmp_path / "made", tmp_path / "images")
    assert count(found.of(field("a.png"))) == 1
    with pytest.raises(OutlineError, match=r"b\.geojson is no valid JSON"):
        found.of(field("b.png"))


def test_nothing_but_broken_files_is_an_error_at_once(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.png")
    (tmp_path / "made").mkdir()
    for place in (tmp_path / "made", tmp_path / "none"):
        with pytest.raises(OutlineError, match=r"holds no file of outlines|does not exist"):
            shelf(place, image)
    (tmp_path / "made" / "x.geojson").write_text("{")
    with pytest.raises(OutlineError, match=r"x\.geojson is no valid JSON"):
        shelf(tmp_path / "made", image)
    with pytest.raises(OutlineError, match="beside the images themselves"):
        shelf(write_image(tmp_path / "only" / "a.png").parent, tmp_path / "only" / "a.png")


def test_label_images_beside_their_images_are_not_mixed_up(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.png")
    labels = np.zeros((48, 64), np.uint16)
    labels[3:9, 3:9] = 5
    (tmp_path / "a_labels.tif").write_bytes(tiff_bytes(labels))
    (tmp_path / "a_classes.csv").write_text("label,class\n5,rbc\n")
    assert count(shelf(tmp_path, image).of(field("a.png"))) == 1


def test_a_coco_file_names_its_images(tmp_path: Path) -> None:
    images = [
        {"id": 1, "file_name": "train/a.png", "width": 64, "height": 48},
        {"id": 2, "file_name": "b.jpg", "width": 64, "height": 48},
        {"id": 3, "file_name": "c.png", "width": 64, "height": 48},
    ]
    for name in ("a", "b", "d"):
        write_image(tmp_path / "images" / f"{name}.png")
    made = write_json(tmp_path / "all.json", coco({"bbox": [1, 1, 9, 9]}, images=images))
    found = shelf(made, tmp_path / "images")
    assert (count(found.of(field("a.png"))), count(found.of(field("b.png")))) == (1, 0)
    assert "c.png" in found.remarks[0]
    with pytest.raises(OutlineError, match=r"d\.png has no outlines"):
        found.of(field("d.png"))


def test_outlines_of_another_size_are_an_error(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.png")
    made = write_json(tmp_path / "a.json", coco({"bbox": [1, 1, 9, 9]}))
    with pytest.raises(OutlineError, match=r"64 x 48 pixels, but a\.png has 640 x 480"):
        shelf(made, image).of(field("a.png", (640, 480)))


def test_outlines_outside_the_image_are_left_out_until_they_are_most(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.png")
    far = feature(polygon(moved(SQUARE, 500)))
    across = feature(polygon(moved(SQUARE, 45)))
    made = write_json(tmp_path / "a.json", collection(feature(polygon(SQUARE)), far, across))
    found = shelf(made, image).of(field("a.png"))
    assert count(found) == 2
    assert "outlines: outlines outside the image or smaller than a pixel, left out: 1" in found.notes
    assert "outlines: outlines beyond the border, cut there: 1" in found.notes
    farther = feature(polygon(moved(SQUARE, 900)))
    write_json(made, collection(feature(polygon(SQUARE)), far, farther))
    with pytest.raises(OutlineError, match="2 of 3 outlines lie outside"):
        shelf(made, image).of(field("a.png"))


def test_the_digest_changes_with_the_outlines_alone(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.png")
    made = write_json(tmp_path / "made" / "a.geojson", ONE)
    first = shelf(tmp_path / "made", image)
    assert first.sha256 == shelf(made, image).sha256
    assert (first.name, shelf(made, image).name) == ("made", "a.geojson")
    write_json(made, TWO)
    assert shelf(made, image).sha256 != first.sha256


def test_the_reader_says_where_outlines_come_from(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.png")
    reader = OutlinedReader(RasterReader(), shelf(write_json(tmp_path / "a.geojson", TWO), image))
    notes = reader.read(image, "a.png").notes
    assert any(note.startswith("outlines: 2 from a.geojson (sha256 ") for note in notes)
    assert any("'RBC' as red_cell 1" in note for note in notes)
    with pytest.raises(OutlineError):
        reader.read(image, "b.png")
