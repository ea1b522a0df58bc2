"""Outlines from QuPath GeoJSON and COCO JSON."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_outlines import (
    INNER,
    SQUARE,
    coco,
    collection,
    feature,
    moved,
    packed,
    painted,
    polygon,
    runs_of,
    write_json,
)

from hemascope.core.errors import OutlineError
from hemascope.core.outline import FieldOutlines
from hemascope.core.taxonomy import CellKind
from hemascope.sources.coco_masks import unpacked
from hemascope.sources.coco_outlines import read_coco
from hemascope.sources.geojson_outlines import read_geojson
from hemascope.sources.outline_classes import ClassTable
from hemascope.sources.outline_files import read_file

TABLE = ClassTable()


def one(document: Any, table: ClassTable = TABLE) -> FieldOutlines:
    [found] = read_geojson(document, table)
    return found


def one_coco(document: Any) -> FieldOutlines:
    [found] = read_coco(document, TABLE)
    return found


def noted(found: FieldOutlines, text: str) -> bool:
    return any(text in note for note in found.notes)


@pytest.mark.parametrize(
    "document",
    [
        collection(feature(polygon(SQUARE))),
        [feature(polygon(SQUARE))],
        feature(polygon(SQUARE)),
        collection({**feature(polygon(SQUARE)), "properties": {"object_type": "detection", "classification": "RBC"}}),
        collection(
            {
                "type": "Feature",
                "id": "PathDetectionObject",
                "geometry": polygon(SQUARE),
                "properties": {"classification": {"name": "RBC", "colorRGB": -377282}},
            }
        ),
        collection({**feature(polygon(SQUARE)), "properties": {"classification": {"names": ["Case", "RBC"]}}}),
        collection(feature(polygon([[x, y, 0.0] for x, y in SQUARE]), kind="annotation")),
    ],
)
def test_every_dialect_of_qupath_is_read(document: Any) -> None:
    [found] = one(document).outlines
    assert found.kind is CellKind.RED_CELL
    assert found.outline.points.tolist() == SQUARE[:-1]
    assert "RBC" in found.class_name
    assert found.score is None


def test_a_cell_keeps_its_nucleus_lobe_by_lobe() -> None:
    lobes = {"type": "MultiPolygon", "coordinates": [[INNER], [moved(INNER, 1)[:4]]]}
    [found] = one(feature(polygon(SQUARE), "Neutrophil", "cell", nucleusGeometry=lobes)).outlines
    assert found.kind is CellKind.WHITE_CELL
    assert found.nucleus is not None
    assert found.nucleus.lobes == 2
    assert found.nucleus.area == 200


def test_a_red_cell_has_no_nucleus() -> None:
    found = one(feature(polygon(SQUARE), "RBC", "cell", nucleusGeometry=polygon(INNER)))
    assert found.outlines[0].nucleus is None
    assert noted(found, "nuclei of red cells")


def test_a_nucleus_of_its_own_goes_to_the_smallest_white_cell_around() -> None:
    found = one(
        [
            feature(polygon(moved(SQUARE, 100)), "WBC"),
            feature(polygon([[0, 0], [60, 0], [60, 60], [0, 60]]), "WBC"),
            feature(polygon(INNER), "Nucleus"),
            feature(polygon(SQUARE), "WBC"),
            feature(polygon(moved(INNER, 500)), "Nucleus"),
        ]
    )
    assert [o.nucleus is not None for o in found.outlines] == [False, False, True]
    assert noted(found, "nuclei in no white cell, left out: 1")


def test_holes_are_filled_and_of_parts_the_largest_is_taken() -> None:
    parts = {"type": "MultiPolygon", "coordinates": [[moved(INNER, 50)], [SQUARE, INNER]]}
    found = one(feature(parts))
    assert found.outlines[0].outline.area == 400
    assert noted(found, "holes filled: 1")
    assert noted(found, "several parts, the largest taken: 1")


def test_what_is_no_cell_is_left_out_and_said() -> None:
    found = one(
        collection(
            feature(polygon(SQUARE)),
            feature(polygon(moved(SQUARE, 5)), None, "annotation"),
            feature(polygon(moved(SQUARE, 9)), "RBC", "tile"),
            feature({"type": "Point", "coordinates": [3, 4]}),
            feature(None),
            feature(polygon(SQUARE)),
            feature(polygon([[0, 0], [5, 5], [0, 0]])),
            feature(polygon(moved(SQUARE, 40)), "Ignore*"),
        )
    )
    assert len(found.outlines) == 1
    for said in ("annotations without a class", "type tile", "(Point)", "(none)", "repeat another", "without an area"):
        assert noted(found, said), said
    assert noted(found, "'Ignore*' as ignore 1")


def test_objects_without_a_class_need_a_word_of_the_user() -> None:
    document = [feature(polygon(SQUARE), None), feature(polygon(moved(SQUARE, 30)), "Odd")]
    with pytest.raises(OutlineError, match=r"no class \(1\), 'Odd' \(1\).*--class"):
        one(document)
    assert [o.kind for o in one(document, ClassTable.parse(["*=platelet"])).outlines] == [CellKind.PLATELET] * 2


def test_scores_of_both_layouts_are_read() -> None:
    new = feature(polygon(SQUARE))
    new["properties"]["measurements"] = {"score": 0.25}
    old = feature(polygon(moved(SQUARE, 30)))
    old["properties"]["measurements"] = [{"name": "area", "value": 3}, {"name": "score", "value": 0.5}]
    wrong = feature(polygon(moved(SQUARE, 60)))
    wrong["properties"]["measurements"] = {"score": 97}
    found = one([new, old, wrong])
    assert [o.score for o in found.outlines] == [0.25, 0.5, None]
    assert noted(found, "scores outside 0 to 1")


def test_an_empty_collection_is_a_field_without_cells() -> None:
    for document in (collection(), []):
        assert one(document) == FieldOutlines("", ())


@pytest.mark.parametrize(
    "document",
    [
        {"type": "FeatureCollection"},
        {"type": "FeatureCollection", "features": {}},
        [3],
        [{"type": "Polygon", "coordinates": [SQUARE]}],
        feature({"type": "Polygon", "coordinates": None}),
        feature({"type": "Polygon", "coordinates": [[[1, 2], [3], [4, 5]]]}),
        feature({"type": "Polygon", "coordinates": [[["1", "2"], ["3", "4"], ["5", "6"]]]}),
        feature({"type": "Polygon", "coordinates": [[1, 2, 3]]}),
        feature({"type": "MultiPolygon", "coordinates": [3]}),
        feature({"type": "Polygon", "coordinates": [[[1e400, 2], [3, 3], [4, 5]]]}),
        feature(polygon(SQUARE), nucleusGeometry={"type": "Polygon", "coordinates": [[[True, False]] * 4]}),
    ],
)
def test_malformed_features_are_errors(document: Any) -> None:
    with pytest.raises(OutlineError):
        one(document)


def test_coco_polygons_masks_and_boxes() -> None:
    mask = np.zeros((48, 64), bool)
    mask[5:20, 40:50] = True
    found = one_coco(
        coco(
            {"segmentation": [[float(v) for point in SQUARE[:-1] for v in point]]},
            {"segmentation": {"size": [48, 64], "counts": runs_of(mask)}, "score": 0.5},
            {"segmentation": {"size": [48, 64], "counts": packed(runs_of(mask.T.T[::-1]))}, "category_id": 2},
            {"segmentation": [], "bbox": [2, 4, 10, 6]},
            {"segmentation": {"size": [48, 64], "counts": runs_of(mask)}, "iscrowd": 1},
        )
    )
    square, run, text, box = found.outlines
    assert (found.field, found.size) == ("a.png", (64, 48))
    assert square.outline.points.tolist() == SQUARE[:-1]
    assert run.score == 0.5
    np.testing.assert_array_equal(painted(run.outline, mask.shape), mask)
    np.testing.assert_array_equal(painted(text.outline, mask.shape), mask[::-1])
    assert text.kind is CellKind.WHITE_CELL
    assert box.outline.area == pytest.approx(np.pi * 10 * 6 / 4, rel=1e-5)
    assert box.outline.centroid == pytest.approx((7, 7))
    assert noted(found, "boxes without an outline")
    assert noted(found, "crowd regions")


def test_coco_lists_images_without_cells_too() -> None:
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png", "width": 9, "height": 9}]
    a, b = read_coco(coco({"bbox": [0, 0, 9, 9]}, images=images), TABLE)
    assert (a.size, len(a.outlines)) == (None, 1)
    assert (b.field, b.size, b.outlines) == ("b.png", (9, 9), ())


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (coco({"image_id": 7}), "no image of the id 7"),
        (coco({"category_id": 7}), "no category of the id 7"),
        (coco({}), "neither an outline nor a box"),
        (coco({"bbox": [1, 2, -3, 4]}), "neither an outline nor a box"),
        (coco({"segmentation": [[1, 2, 3]]}), "no list of x, y"),
        (coco({"segmentation": "abc"}), "neither polygons nor a mask"),
        (coco({"segmentation": {"size": [2, 2], "counts": [1, 1]}}), "do not add up"),
        (coco({"segmentation": {"size": [2], "counts": [4]}}), "without a size"),
        (coco({"segmentation": {"size": [10**6, 10**6], "counts": [10**12]}}), "too large"),
        (coco({"segmentation": {"size": [2, 2], "counts": 3}}), "neither numbers nor text"),
        (coco({"segmentation": {"size": [2, 2], "counts": "\x00"}}), "damaged"),
        (coco({"segmentation": {"size": [2, 2], "counts": "Q"}}), "cut short"),
        (coco(images=[{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}]), "more than once"),
        (coco(images=[{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}]), "two entries"),
        (coco(images=[{"id": 1}]), "file_name"),
        ({**coco(), "annotations": 3}, "no list of annotations"),
        ([{"image_id": 1, "category_id": 1, "score": 0.5}], "results"),
    ],
)
def test_malformed_coco_is_an_error_that_says_where(document: Any, said: str) -> None:
    with pytest.raises(OutlineError, match=said):
        read_coco(document, TABLE)


@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_compressed_runs_come_back(runs: list[int]) -> None:
    assert unpacked(packed(runs), "here") == runs


def test_a_mask_of_the_coco_tools_is_unpacked() -> None:
    assert unpacked("61X13mN000`0", "here") == [6, 1, 40, 4, 5, 4, 5, 4, 21]  # a test of the tools themselves


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = document.keys() if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    return [path, *(place for key in keys for place in places(document[key], (*path, key)))]


def replaced(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


GOOD = [
    collection(feature(polygon(SQUARE), "WBC", "cell", nucleusGeometry=polygon(INNER))),
    coco({"segmentation": [[1, 1, 9, 1, 9, 9]]}, {"segmentation": {"size": [2, 2], "counts": [1, 2, 1]}}),
]


@settings(max_examples=150)
@given(st.data())
def test_whatever_stands_in_a_file_only_our_errors_are_raised(tmp_path_factory: Any, data: st.DataObject) -> None:
    good = data.draw(st.sampled_from(GOOD))
    document = replaced(good, data.draw(st.sampled_from(places(good))), data.draw(VALUES))
    path = tmp_path_factory.getbasetemp() / "mutated.json"
    path.write_text(json.dumps(document), "utf-8")
    try:
        read = read_file(path, TABLE)
    except OutlineError:
        return
    assert all(o.outline.area > 0 for field in read.fields for o in field.outlines)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b"\x1f\x8b\x08",
        gzip.compress(b"[]", mtime=0)[:-4],
        b"[" * 100_000,
        b'{"type": "FeatureCollection", "features": [NaN]}',
        b"1" * 5000,
        b"{}",
        b'"text"',
    ],
)
def test_a_broken_file_is_an_error_with_its_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.geojson"
    path.write_bytes(data)
    with pytest.raises(OutlineError, match=r"broken\.geojson"):
        read_file(path, TABLE)


def test_a_compressed_file_is_read_and_digested(tmp_path: Path) -> None:
    plain = write_json(tmp_path / "a.geojson", collection(feature(polygon(SQUARE))))
    small = tmp_path / "a.geojson.gz"
    small.write_bytes(gzip.compress(plain.read_bytes()))
    first, second = read_file(plain, TABLE), read_file(small, TABLE)
    assert first.fields == second.fields
    assert first.sha256 != second.sha256
