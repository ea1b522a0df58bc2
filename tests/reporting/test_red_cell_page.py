"""The sections on red cells and platelets of report.html, read back by a parser."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painted_results import field_result, report_of
from PIL import Image
from test_html import EVIL, Page

from hemascope.core.morphology import Grade
from hemascope.core.report import FieldResult, SmearReport
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import DISPLAY_NAMES, RedCellType
from hemascope.core.units import ScaleSource
from hemascope.recipes import Grading
from hemascope.reporting import html
from hemascope.reporting.histogram import BASE, WIDTH, draw_histogram
from hemascope.reporting.html import HtmlReportSink
from hemascope.reporting.morphology import compute_red_cells
from hemascope.reporting.red_cell_counts import measure_diameters
from hemascope.reporting.red_cell_gallery import RedCellGallery
from hemascope.reporting.spread import size_spread
from hemascope.wiring import load_grading

ICSH = load_grading("icsh_2015")


def render(folder: Path, results: list[FieldResult], report: SmearReport | None = None) -> Page:
    sink = HtmlReportSink(folder / "report.html")
    for result in results:
        sink.add(result)
    return Page(sink.finish(report or report_of(results)).read_text(encoding="utf-8"))


def graded(results: list[FieldResult], **values: object) -> SmearReport:
    report = report_of(results)
    table = Grading.model_validate({**ICSH.model_dump(), **values})
    return replace(report, red_cells=compute_red_cells(report.fields, table))


@pytest.fixture(scope="module")
def typed() -> list[FieldResult]:
    return [
        field_result(1, "a.png", red=60, typed=True, clumped=True),
        field_result(2, EVIL, red=60, typed=True, clumped=True),
        field_result(3, "c.png", red=60, typed=True, status=QcStatus.FAIL),
    ]


def test_every_finding_stands_there_with_its_numbers(tmp_path: Path, typed: list[FieldResult]) -> None:
    report = graded(typed, least_cells=50)
    page = render(tmp_path, typed, report)
    assert report.red_cells is not None
    for name, finding in report.red_cells.types.items():
        rate = finding.rate
        shown = f"{rate.count} of {rate.total} {rate.value:.1f} {rate.low:.1f} to {rate.high:.1f}"
        assert shown in page.text, name
    badges = [attributes["class"] for attributes in page.all("span", "grade")]
    graded_rows = [f for f in (*report.red_cells.findings.values(), *report.red_cells.types.values()) if f.grade]
    assert len(badges) == len(graded_rows) > 8
    assert sum("gnone" in (name or "") for name in badges) == sum(f.grade is Grade.BELOW for f in graded_rows)
    assert "14 of 14 rows not verified" in page.text
    assert report.provenance.tables[0].sha256 in page.text
    assert "Schistocytes are counted among at least 1,000 red cells" in page.text


def test_a_withheld_grade_shows_its_range_and_why(tmp_path: Path, typed: list[FieldResult]) -> None:
    page = render(tmp_path, typed)
    assert not page.all("span", "grade")
    assert re.search(r"\((none|1\+|2\+|3\+)( to (1\+|2\+|3\+))?\)", page.text)
    assert "fewer than the 1,000 that a grade needs" in page.text


@pytest.mark.parametrize("source", list(ScaleSource))
def test_sizes_are_absolute_only_where_the_scale_is(tmp_path: Path, source: ScaleSource) -> None:
    page = render(tmp_path, [field_result(1, red=60, typed=True, scale=source)])
    known = source in (ScaleSource.METADATA, ScaleSource.STATED)
    assert ("The dashed lines are" in page.text) == known
    assert bool(page.all("path", "limit")) == known
    assert ("diameters are relative to the median" in page.text) == (not known)
    assert ("nothing can be said of size; give --mpp" in page.text) == (not known)
    assert ("By area, rough" in page.text) == known


def test_untyped_red_cells_are_measured_and_said_to_be_untyped(tmp_path: Path) -> None:
    page = render(tmp_path, [field_result(1, red=60)])
    assert "Red cells were not typed, so nothing is said of their shape." in page.text
    assert "Target cell" not in page.text
    assert "Anisocytosis" in page.text
    assert page.all("svg", "histogram")


def test_examples_are_the_most_certain_of_their_type_from_fields_that_count(typed: list[FieldResult]) -> None:
    gallery = RedCellGallery(2)
    for number, result in enumerate(typed):
        gallery.add(result, number)
    assert gallery.of(RedCellType.NORMAL) == []
    found = 0
    for kind in RedCellType:
        if kind is RedCellType.NORMAL:
            continue
        truth = [
            (cell.red_cell.confidence, -number, -index)
            for number, result in enumerate(typed[:2])
            for index, cell in enumerate(result.cells)
            if cell.red_cell and cell.red_cell.label is kind
        ]
        assert [portrait[:3] for portrait in gallery.of(kind)] == sorted(truth, reverse=True)[:2]
        found += len(gallery.of(kind))
    assert found > 8


def test_an_example_shows_its_cell_and_leads_to_its_field(tmp_path: Path, typed: list[FieldResult]) -> None:
    page = render(tmp_path, typed)
    pictures = [image["src"] or "" for image in page.all("img") if image.get("width") == "64"]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[0].split(",")[1]))).convert("RGB"))
    assert shown.shape == (80, 80, 3)
    assert shown[36:44, 36:44, 1].mean() < 200  # green: 230 beside cells, 168 in red ones
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {(link["href"] or "")[1:] for link in page.all("a")} <= ids


def test_a_gallery_is_capped(tmp_path: Path, typed: list[FieldResult], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "RED_CELL_CAP", 1)
    page = render(tmp_path, typed)
    titles = [attributes["alt"] for attributes in page.all("img") if attributes.get("width") == "64"]
    assert len(titles) == len(set(titles)) > 4


def test_red_cells_that_are_not_normal_are_drawn_apart_with_their_name(
    tmp_path: Path, typed: list[FieldResult]
) -> None:
    page = render(tmp_path, typed[:1])
    apart = page.all("path", "m")
    kinds = {c.red_cell.label for c in typed[0].cells if c.red_cell and c.red_cell.label is not RedCellType.NORMAL}
    assert len(apart) == len(kinds)
    drawn = sum((path["d"] or "").count("M") for path in page.all("path", "R"))
    assert drawn == 60
    assert all(DISPLAY_NAMES[kind] in page.text for kind in kinds)


def test_clumps_are_counted_dotted_and_linked(tmp_path: Path, typed: list[FieldResult]) -> None:
    page = render(tmp_path, typed)
    assert len(page.all("path", "K")) == 2
    assert "2 6 platelets, at most 3 together in 2 fields" in page.text
    assert "Platelets are clumped" in page.text
    assert "none seen" in render(tmp_path, [field_result(1)]).text


def test_a_hostile_table_is_text(tmp_path: Path, typed: list[FieldResult]) -> None:
    page = render(tmp_path, typed, graded(typed, name=EVIL, version=EVIL, source=EVIL))
    assert not page.all("script")
    assert page.text.count(EVIL) >= 4


def test_a_report_without_morphology_has_no_such_section(tmp_path: Path, typed: list[FieldResult]) -> None:
    page = render(tmp_path, typed, replace(report_of(typed), red_cells=None, platelets=None))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert not ids & {"red-cells", "platelets"}


def test_a_histogram_holds_every_cell_and_stays_in_its_frame() -> None:
    diameters = [6.05] * 10 + [7.05] * 40 + [8.05] * 20
    areas = (np.pi * (np.array(diameters) / 2) ** 2).tolist()
    drawn = draw_histogram(size_spread([measure_diameters(areas)], True), (6.0, 9.0))
    assert drawn is not None
    bars = re.findall(r"M([\d.]+) 160v-([\d.]+)h([\d.]+)V160z", drawn.bars)
    heights = [float(height) for _, height, _ in bars]
    assert heights == pytest.approx([max(heights) * part for part in (0.25, 1, 0.5)], abs=0.1)
    assert max(heights) < BASE
    assert all(0 <= float(x) <= WIDTH - float(width) for x, _, width in bars)
    assert [mark.label for mark in drawn.limits] == ["6", "9"]
    assert [mark.label for mark in drawn.ticks] == [str(um) for um in range(4, 12)]
    # The bar of 6.0 to 6.2 um begins at the mark of 6 um.
    assert float(bars[0][0]) == pytest.approx(drawn.limits[0].x)


@pytest.mark.parametrize("diameter", [0.5, 15.9, 40.0])
def test_cells_of_any_size_have_a_histogram(diameter: float) -> None:
    area = np.pi * (diameter / 2) ** 2
    for absolute in (True, False):
        drawn = draw_histogram(size_spread([measure_diameters([area] * 3)], absolute), (6.0, 9.0))
        assert drawn is not None
        assert drawn.bars.count("M") == 1
    assert draw_histogram(size_spread([], True), (6.0, 9.0)) is None
