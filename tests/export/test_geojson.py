"""cells.geojson read back with shapely, and held against what QuPath expects."""

import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from painted_results import report_of
from shapely.geometry import shape

from hemascope.core.errors import OutputError
from hemascope.core.report import FieldResult
from hemascope.core.taxonomy import DISPLAY_NAMES, CellKind, RedCellType
from hemascope.export.geojson import CellsGeoJsonSink, field_file_name


def write(folder: Path, results: list[FieldResult]) -> Path:
    sink = CellsGeoJsonSink(folder / "cells.geojson")
    for result in results:
        sink.add(result)
    return sink.finish(report_of(results))


def test_every_cell_is_a_qupath_object(tmp_path: Path, results: list[FieldResult], read_json: Any) -> None:
    whole = read_json(write(tmp_path, results))
    assert whole["type"] == "FeatureCollection"
    cells = [cell for result in results for cell in result.cells]
    assert len(whole["features"]) == len(cells)
    for feature, cell in zip(whole["features"], cells, strict=True):
        geometry = shape(feature["geometry"])
        assert geometry.is_valid
        assert geometry.exterior.is_ccw
        assert geometry.area == pytest.approx(cell.cell.outline.area, rel=0.01, abs=1)
        assert geometry.centroid.coords[0] == pytest.approx(cell.cell.outline.centroid, abs=0.1)
        assert uuid.UUID(feature["id"]).version == 5
        assert ("nucleusGeometry" in feature) == (cell.cell.kind is CellKind.WHITE_CELL)
        properties = feature["properties"]
        assert properties["objectType"] == "cell"
        assert len(properties["classification"]["color"]) == 3
        assert all(0 <= channel <= 255 for channel in properties["classification"]["color"])
        assert properties["measurements"]["area_um2"] == pytest.approx(cell.morphometry.area_um2, abs=1e-6)
        if "nucleusGeometry" in feature:
            assert shape(feature["nucleusGeometry"]).is_valid
            assert sum(v for k, v in properties["measurements"].items() if k.startswith("p_")) == pytest.approx(
                1, abs=1e-5
            )
    assert len({feature["id"] for feature in whole["features"]}) == len(cells)


def test_a_typed_red_cell_is_a_derived_class(tmp_path: Path, results: list[FieldResult], read_json: Any) -> None:
    features = read_json(write(tmp_path, results[:1]))["features"]
    for feature, cell in zip(features, results[0].cells, strict=True):
        name, facts = feature["properties"]["classification"]["name"], feature["properties"]["metadata"]
        assert facts.get("platelet_clump") == ("1" if cell.cell.id in results[0].clumps[0].cell_ids else None)
        if cell.red_cell is None:
            assert "red_cell_type" not in facts
            assert ":" not in name
            continue
        assert facts["red_cell_type"] == cell.red_cell.label
        shown = "" if cell.red_cell.label is RedCellType.NORMAL else f": {DISPLAY_NAMES[cell.red_cell.label]}"
        assert name == f"Red cell{shown}"
        numbers = feature["properties"]["measurements"]
        assert sum(v for k, v in numbers.items() if k.startswith("p_red_cell_")) == pytest.approx(1, abs=1e-5)
        assert numbers["red_cell_confidence"] == pytest.approx(cell.red_cell.confidence, abs=1e-5)


def test_each_field_has_a_file_for_its_image(tmp_path: Path, results: list[FieldResult], read_json: Any) -> None:
    whole = read_json(write(tmp_path, results))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.geojson", "geojson"]
    parts = [read_json(tmp_path / "geojson" / field_file_name(result.field.id)) for result in results]
    assert len(list((tmp_path / "geojson").iterdir())) == len(results)
    assert [feature for part in parts for feature in part["features"]] == whole["features"]


def test_a_single_field_needs_no_folder(tmp_path: Path, results: list[FieldResult]) -> None:
    write(tmp_path, results[:1])
    assert [path.name for path in tmp_path.iterdir()] == ["cells.geojson"]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, results: list[FieldResult]) -> None:
    first = write(tmp_path, results).read_bytes()
    assert write(tmp_path, results).read_bytes() == first  # over the folder of the first run, too
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.geojson", "geojson"]


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path, results: list[FieldResult]) -> None:
    (tmp_path / "geojson").mkdir()
    (tmp_path / "geojson" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="other files"):
        write(tmp_path, results)
    assert (tmp_path / "geojson" / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["geojson"]


@given(st.lists(st.text(max_size=300), min_size=2, max_size=8, unique=True))
def test_file_names_are_safe_and_never_collide(ids: list[str]) -> None:
    names = [field_file_name(field_id) for field_id in ids]
    assert len({name.lower() for name in names}) == len(ids)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,97}\.geojson", name)
        assert Path(name).name == name


def test_no_cells_at_all_is_an_empty_collection(tmp_path: Path, results: list[FieldResult], read_json: Any) -> None:
    assert read_json(write(tmp_path, []))["features"] == []
    assert read_json(write(tmp_path, results[3:]))["features"] == []
