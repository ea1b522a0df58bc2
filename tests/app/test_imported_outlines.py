"""Painted smears exported and imported again keep their outlines, and everything downstream follows them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from hemascope import wiring
from hemascope.cells.imported import ImportedSegmenter
from hemascope.cells.measure import measure
from hemascope.cells.scale import FALLBACK, measure_scale
from hemascope.cli.main import app
from hemascope.core.cell import Cell, Nucleus
from hemascope.core.errors import RecipeError
from hemascope.core.geometry import Polygon
from hemascope.core.outline import ImportedOutline
from hemascope.core.provenance import ModelIdentity
from hemascope.core.report import CellResult, FieldResult
from hemascope.core.smear import Field, QcVerdict
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import WHITE_CELL_DIAMETER, ScaleSource
from hemascope.export.geojson import feature
from hemascope.recipes import AnalysisRecipe, override
from hemascope.sources.outline_classes import ClassTable
from hemascope.sources.outline_files import read_file
from hemascope.synth.smear import SyntheticField, paint_field

TABLE = ClassTable()
ROUNDING = 0.0072
"""Pixels: our GeoJSON holds hundredths, so that a vertex moves by half of one along x and along y."""


@cache
def smear(seed: int) -> SyntheticField:
    return paint_field(seed, width=320, height=240, mpp=0.12)


def result(painted: SyntheticField) -> FieldResult:
    field = painted.field
    cells = []
    for i, truth in enumerate(painted.cells):
        nucleus = Nucleus(truth.nuclei) if truth.nuclei else None
        cell = Cell(f"{field.id}#{i + 1}", field.id, truth.kind, truth.outline, 0.5, nucleus)
        cells.append(CellResult(cell, measure(truth.outline, 0.12, nucleus)))
    return FieldResult(field, QcVerdict(), tuple(cells), {})


def same(first: Polygon, second: Polygon, tolerance: float) -> bool:
    """Return whether two outlines lie within ``tolerance`` pixels of each other everywhere."""
    a, b = (shapely.LinearRing(p.points.astype(float)) for p in (first, second))
    return bool(shapely.hausdorff_distance(a, b) <= tolerance)


@settings(max_examples=8)
@given(st.integers(0, 40))
def test_our_geojson_comes_back_to_a_hundredth_of_a_pixel(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    painted = smear(seed)
    exported = [feature(result(painted), cell) for cell in result(painted).cells]
    path = tmp_path_factory.getbasetemp() / "cells.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": exported}))
    [read] = read_file(path, TABLE).fields
    assert read.field == painted.field.id
    assert len(read.outlines) == len(painted.cells)
    for truth, record, found in zip(painted.cells, exported, read.outlines, strict=True):
        assert (found.kind, found.score) == (truth.kind, 0.5)
        repaired: Any = record["properties"]
        if "outline_repaired" not in repaired["metadata"]:
            assert same(found.outline, truth.outline, ROUNDING)
        assert (found.nucleus.lobes if found.nucleus else 0) == len(truth.nuclei)


@settings(max_examples=8)
@given(st.integers(0, 40))
def test_coco_polygons_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    painted = smear(seed)
    kinds = list(CellKind)
    document = {
        "images": [{"id": 0, "file_name": "f.png", "width": painted.field.width, "height": painted.field.height}],
        "categories": [{"id": i, "name": kind.value} for i, kind in enumerate(kinds)],
        "annotations": [
            {
                "id": i,
                "image_id": 0,
                "category_id": kinds.index(c.kind),
                "segmentation": [c.outline.points.ravel().tolist()],
            }
            for i, c in enumerate(painted.cells)
        ],
    }
    path = tmp_path_factory.getbasetemp() / "coco.json"
    path.write_text(json.dumps(document))
    [read] = read_file(path, TABLE).fields
    assert [o.kind for o in read.outlines] == [c.kind for c in painted.cells]
    assert all(o.outline == c.outline for o, c in zip(read.outlines, painted.cells, strict=True))


@settings(max_examples=8)
@given(st.integers(0, 40))
def test_labels_come_back_within_a_pixel(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    painted = smear(seed)
    folder = tmp_path_factory.mktemp("labels")
    tifffile.imwrite(folder / "f.tif", painted.instances.astype(np.uint16))
    (folder / "f_classes.json").write_text(json.dumps({i + 1: c.kind for i, c in enumerate(painted.cells)}))
    [read] = read_file(folder / "f.tif", TABLE).fields
    whole = [i for i, c in enumerate(painted.cells) if c.visible == 1]
    shown = sorted(set(np.unique(painted.instances)) - {0})
    by_number = dict(zip(shown, read.outlines, strict=True))
    assert whole
    for i in whole:
        found, truth = by_number[i + 1], painted.cells[i]
        assert found.kind is truth.kind
        assert same(found.outline, truth.outline, 1.0)
        assert found.outline.area == pytest.approx((painted.instances == i + 1).sum() - 0.5)


def identity() -> ModelIdentity:
    return ModelIdentity("outlines of a.geojson", "imported", "ab" * 32, "none", "not stated")


def disk(x: float, y: float, radius: float) -> Polygon:
    angle = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    return Polygon(np.stack((x + radius * np.cos(angle), y + radius * np.sin(angle)), axis=1).astype(np.float32))


def blank() -> Field:
    return Field("f", np.full((240, 320, 3), 220, np.uint8), None)


def test_imported_cells_keep_the_contract_of_a_segmenter() -> None:
    nucleus = Nucleus((disk(4, 100, 8), disk(-40, 100, 8)))
    outlines = [
        ImportedOutline(disk(5, 100, 20), CellKind.WHITE_CELL, nucleus),
        ImportedOutline(disk(100, 100, 20), CellKind.RED_CELL, score=0.25),
    ]
    white, red = ImportedSegmenter(lambda field: outlines, identity()).find(blank())
    assert (white.id, red.id) == ("f#1", "f#2")
    assert (white.score, red.score) == (1.0, 0.25)
    assert (white.touches_border, red.touches_border) == (True, False)
    assert white.outline.bounds.x0 == 0
    assert white.nucleus is not None
    assert white.nucleus.lobes == 1


@pytest.mark.parametrize(("count", "source"), [(5, ScaleSource.ESTIMATED), (4, ScaleSource.ASSUMED)])
def test_the_scale_is_that_of_the_median_whole_red_cell(count: int, source: ScaleSource) -> None:
    red = [ImportedOutline(disk(40 + 50 * i, 60, 25), CellKind.RED_CELL) for i in range(count)]
    others = [
        ImportedOutline(disk(2, 200, 9), CellKind.RED_CELL),
        ImportedOutline(disk(90, 200, 60), CellKind.WHITE_CELL),
    ]
    segmenter = ImportedSegmenter(lambda field: [*others, *red], identity())
    scale = measure_scale([blank()], segmenter)
    assert scale.source is source
    assert scale.mpp == (pytest.approx(7.5 / 50, rel=1e-3) if source is ScaleSource.ESTIMATED else FALLBACK.mpp)


def test_without_red_cells_the_median_white_cell_gives_the_scale() -> None:
    white = [ImportedOutline(disk(60 + 90 * i, 60, 40), CellKind.WHITE_CELL) for i in range(3)]
    segmenter = ImportedSegmenter(lambda field: white, identity())
    assert measure_scale([blank()], segmenter).mpp == pytest.approx(WHITE_CELL_DIAMETER / 80, rel=1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two painted images without a scale, and QuPath files of their cells; the second's is named after the image."""
    place = tmp_path_factory.mktemp("imported")
    (place / "images").mkdir()
    (place / "made").mkdir()
    for name, seed in (("a", 3), ("b", 4)):
        painted = smear(seed)
        Image.fromarray(painted.field.pixels).save(place / "images" / f"{name}.png")
        features = [feature(result(painted), cell) for cell in result(painted).cells]
        for record in features:
            record["properties"].pop("metadata")  # type: ignore[attr-defined]
        (place / "made" / f"{name}.png.geojson").write_text(json.dumps(features))
    return place


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)


def test_everything_follows_imported_outlines(folder: Path, tmp_path: Path) -> None:
    done = run("analyze", folder / "images", "--outlines", folder / "made", "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    for field, seed in zip(report["fields"], (3, 4), strict=True):
        truth = smear(seed).cells
        assert field["counts"] == {kind.value: sum(c.kind is kind for c in truth) for kind in CellKind}
        assert field["scale_source"] == "estimated"
        assert field["mpp"] == pytest.approx(0.12, rel=0.15)
        assert any("outlines: " in note for note in field["notes"])
    model = report["provenance"]["models"][0]
    assert model["name"] == "outlines of made"
    assert len(model["sha256"]) == 64
    assert report["provenance"]["recipe"]["segmenter"] == "outlines"
    again = run("analyze", folder / "images", "--outlines", tmp_path / "out", "--out", tmp_path / "again", "--quiet")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "again" / "cells.geojson").read_text() == (tmp_path / "out" / "cells.geojson").read_text()


def test_an_image_without_outlines_is_listed_and_the_others_analyzed(folder: Path, tmp_path: Path) -> None:
    one = folder / "made" / "b.png.geojson"
    done = run("analyze", folder / "images", "--outlines", one, "--mpp", 0.12, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [field["id"] for field in report["fields"]] == ["b.png"]
    assert [failed["error"] for failed in report["failed"]] == ["OutlineError"]


def test_outlines_without_an_image_stand_in_the_report(folder: Path, tmp_path: Path) -> None:
    image = folder / "images" / "a.png"
    done = run("analyze", image, "--outlines", folder / "made", "--mpp", 0.12, "--out", tmp_path / "out", "--quiet")
    assert done.exit_code == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "b.png.geojson" in report["statements"][-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--class", "a=rbc"], "name the outlines with --outlines"),
        (["--outlines", "MADE", "--segmenter", "classical"], "takes the place of a segmenter"),
        (["--outlines", "MADE", "--class", "a"], "is not NAME=KIND"),
        (["--outlines", "NOTHING"], "does not exist"),
        (["--segmenter", "outlines"], "name them with --outlines"),
    ],
)
def test_wrong_commands_are_refused(folder: Path, tmp_path: Path, words: list[str], said: str) -> None:
    line = ["analyze", folder / "images", "--out", tmp_path / "out", *words]
    done = run(*[folder / "made" if word == "MADE" else word for word in line])
    assert said in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_recipe_alone_brings_no_outlines() -> None:
    with pytest.raises(RecipeError, match="--outlines"):
        wiring.build_analyzer(override(AnalysisRecipe(), segmenter="outlines"))


def test_an_unknown_class_is_named(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "a.geojson"
    records = json.loads((folder / "made" / "a.png.geojson").read_text())
    for record in records:
        record["properties"]["classification"] = {"name": "Odd"}
    made.write_text(json.dumps(records))
    line = ["analyze", folder / "images" / "a.png", "--outlines", made, "--out", tmp_path / "out", "--quiet"]
    assert "'Odd'" in str(run(*line).exception)
    assert run(*line, "--class", "odd=red_cell").exit_code == 0
