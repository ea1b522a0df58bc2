"""Outlines from label images, and the classes beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_outlines import painted, png_bytes, tiff_bytes
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_fill_holes

from hemascope.core.errors import OutlineError
from hemascope.core.outline import FieldOutlines
from hemascope.core.taxonomy import CellKind
from hemascope.sources.label_outlines import label_outlines, read_labels
from hemascope.sources.outline_classes import ClassTable
from hemascope.sources.outline_files import read_file
from hemascope.sources.pixel_regions import trace

RED = ClassTable.parse(["*=red_cell"])
TABLE = ClassTable()


def labels() -> NDArray[np.int32]:
    image = np.zeros((20, 30), np.int32)
    image[2:8, 3:9] = 7
    image[2:8, 9:12] = 300
    image[12:18, 0:5] = 2
    return image


def outlines(image: NDArray[Any], class_of: dict[int, str] | None = None, table: ClassTable = RED) -> FieldOutlines:
    return label_outlines(image, class_of or {}, table)


def test_outlines_hold_the_pixel_centers_of_their_object_and_no_others() -> None:
    image = labels()
    found = outlines(image)
    assert found.size == (30, 20)
    for number, outline in zip((2, 7, 300), found.outlines, strict=True):
        np.testing.assert_array_equal(painted(outline.outline, image.shape), image == number)
        assert outline.outline.area == (image == number).sum() - 0.5


@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_the_trace_of_any_region_gives_back_its_pixels(mask: NDArray[np.bool_]) -> None:
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    for part in range(1, parts.max() + 1):
        region = binary_fill_holes(parts == part)
        outline = trace(region)
        x, y = outline.T
        area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
        assert area == region.sum() - 0.5
        polygon = np.round(outline * 2).astype(np.int32)  # whole: every vertex lies on a side's middle
        doubled = np.array(
            [
                [cv2.pointPolygonTest(polygon, (2 * j + 1.0, 2 * i + 1.0), False) > 0 for j in range(region.shape[1])]
                for i in range(region.shape[0])
            ]
        )
        np.testing.assert_array_equal(doubled, region)


def test_a_disk_keeps_its_perimeter_within_six_percent() -> None:
    ys, xs = np.mgrid[:80, :80]
    found = outlines(((xs - 40) ** 2 + (ys - 40) ** 2 < 30**2).astype(np.int32))
    assert found.outlines[0].outline.perimeter == pytest.approx(2 * np.pi * 30, rel=0.06)


def test_parts_and_holes_are_said() -> None:
    image = labels()
    image[4, 5] = 0
    image[15:17, 20:22] = 7
    image[19, 29] = 7
    found = outlines(image)
    assert found.outlines[1].outline.area == 35.5
    assert any("several parts, the largest taken: 1" in note for note in found.notes)
    assert any("holes filled: 1" in note for note in found.notes)


def test_huge_numbers_are_no_trouble() -> None:
    image = labels().astype(np.int64)
    image[image == 300] = 2**40
    assert [o.outline.area for o in outlines(image).outlines] == [29.5, 35.5, 17.5]


def test_an_image_of_zeros_is_a_field_without_cells() -> None:
    assert outlines(np.zeros((4, 6), np.int32)) == FieldOutlines("", (), (6, 4))


def test_a_mask_is_no_label_image() -> None:
    image = (labels() > 0).astype(np.int32) * 255
    image[18:, 20:] = 255
    with pytest.raises(OutlineError, match="a mask, not a label image"):
        outlines(image)


@pytest.mark.parametrize(
    "data",
    [
        png_bytes(np.minimum(labels(), 255).astype(np.uint8)),
        png_bytes(labels().astype(np.uint16)),
        tiff_bytes(np.minimum(labels(), 255).astype(np.uint8)),
        tiff_bytes(labels().astype(np.uint16), compression="zlib"),
        tiff_bytes(labels().astype(np.uint32)),
        tiff_bytes(labels()),
        tiff_bytes(labels().astype(">u4"), byteorder=">"),
        tiff_bytes(labels().astype(np.float32)),
        tiff_bytes(labels()[None, None]),
    ],
)
def test_every_depth_is_read(data: bytes) -> None:
    read = read_labels(data)
    np.testing.assert_array_equal(np.minimum(read, 255), np.minimum(labels(), 255))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_compressed_tiff_is_read(tmp_path: Path, dtype: type) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.minimum(labels(), 255).astype(dtype)).save(path, compression="tiff_lzw")
    np.testing.assert_array_equal(read_labels(path.read_bytes()), np.minimum(labels(), 255))


def test_palette_images_are_read_by_index(tmp_path: Path) -> None:
    picture = Image.fromarray(np.minimum(labels(), 9).astype(np.uint8)).convert("P")
    picture.putpalette([v for i in range(256) for v in (255 - i, i, 7)])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels((tmp_path / "a.png").read_bytes()), np.minimum(labels(), 9))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"GIF89a", "no GeoJSON, COCO JSON, TIFF or PNG"),
        (png_bytes(np.zeros((3, 4, 3), np.uint8)), "no label image"),
        (png_bytes(labels() > 0), "one bit a pixel"),
        (tiff_bytes(labels() / 3), "no whole numbers"),
        (tiff_bytes(np.full((3, 3), np.nan, np.float32)), "no whole numbers"),
        (tiff_bytes(-labels()), "cannot number"),
        (tiff_bytes(np.stack([labels(), labels()]), photometric="minisblack"), "stack of 2 pages"),
        (tiff_bytes(labels())[:-200], "readable"),
        (png_bytes(labels().astype(np.uint16))[:60], "readable"),
    ],
)
def test_what_is_no_label_image_is_an_error(data: bytes, said: str) -> None:
    with pytest.raises(OutlineError, match=said):
        read_labels(data)


@given(st.binary(max_size=200), st.sampled_from([b"II*\0", b"MM\0*", b"\x89PNG\r\n\x1a\n", b""]))
def test_any_bytes_give_labels_or_our_error(data: bytes, start: bytes) -> None:
    try:
        read_labels(start + data)
    except OutlineError:
        return


CSV = "label,class\n2,WBC\n7,Platelet\n300,nucleus\n"
MANY_CSV = "image,label,class\nb.png,2,rbc\na.png,2,WBC\na,7,Platelet\na_labels.tif,300,nucleus\n"
JSON = {"2": "WBC", "7": "Platelet", "300": "nucleus"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a_labels_classes.csv", CSV),
        ("a_classes.csv", CSV),
        ("classes.csv", CSV),
        ("classes.csv", MANY_CSV),
        ("a_classes.json", json.dumps(JSON)),
        ("classes.json", json.dumps({"a.png": JSON, "b.png": {"2": "rbc"}})),
    ],
)
def test_a_table_beside_the_labels_gives_their_classes(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "a_labels.tif").write_bytes(tiff_bytes(labels()))
    (tmp_path / name).write_text(text, "utf-8")
    read = read_file(tmp_path / "a_labels.tif", TABLE)
    assert [o.kind for o in read.fields[0].outlines] == [CellKind.WHITE_CELL, CellKind.PLATELET]


def test_an_image_beside_the_labels_gives_their_classes(tmp_path: Path) -> None:
    (tmp_path / "a_labels.tif").write_bytes(tiff_bytes(labels()))
    classes = np.where(labels() == 2, 1, np.where(labels() > 0, 4, 0)).astype(np.uint8)
    classes[2, 3] = 9  # a pixel astray
    (tmp_path / "a_classes.png").write_bytes(png_bytes(classes))
    read = read_file(tmp_path / "a_labels.tif", ClassTable.parse(["1=wbc", "4=rbc"]))
    assert [o.class_name for o in read.fields[0].outlines] == ["1", "4", "4"]
    assert [o.kind for o in read.fields[0].outlines][:2] == [CellKind.WHITE_CELL, CellKind.RED_CELL]
    assert read.sha256 != read_file(tmp_path / "a_classes.png", RED).sha256


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a_classes.csv": "number,class\n1,rbc\n"}, "columns 'label' and 'class'"),
        ({"a_classes.csv": "label,class\none,rbc\n"}, "row 2"),
        ({"a_classes.csv": "label,class\n2,rbc\n2,wbc\n"}, "two classes"),
        ({"a_classes.csv": b"\xff\xfe\x00"}, "no CSV table"),
        ({"a_classes.json": "[1]"}, "no table"),
        ({"a_classes.json": '{"x": "rbc"}'}, "for a label"),
        ({"a_classes.json": '{"1": null}'}, "no class"),
        ({"a_classes.json": "{"}, "no valid JSON"),
        ({"a_classes.json": "{}", "a_classes.csv": CSV}, "two files of classes"),
        ({"a_classes.png": png_bytes(np.zeros((3, 3), np.uint8))}, "3 x 3 pixels beside 30 x 20"),
        ({"a_classes.csv": "label,class\n2,rbc\n"}, "not known: no class"),
    ],
)
def test_faulty_classes_are_errors_that_name_the_file(tmp_path: Path, files: dict[str, Any], said: str) -> None:
    (tmp_path / "a_labels.tif").write_bytes(tiff_bytes(labels()))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(OutlineError, match=rf"a_labels\.tif.*{said}"):
        read_file(tmp_path / "a_labels.tif", TABLE)


def test_a_class_without_its_object_is_said(tmp_path: Path) -> None:
    (tmp_path / "a_labels.tif").write_bytes(tiff_bytes(labels()))
    (tmp_path / "a_classes.csv").write_text("label,class\n5,WBC\n", "utf-8")
    read = read_file(tmp_path / "a_labels.tif", RED)
    assert any("numbers that the image does not hold: 1" in note for note in read.fields[0].notes)
