"""The map of abnormal cells read back: every white cell once, in its place, its color and shape what was said of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from painted_results import field_result, report_of, verdict

from hemascope.cli.summary import generative_line
from hemascope.core.report import CellResult, FieldResult, FieldSummary, GenerativeCounts, SmearReport
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import CellKind
from hemascope.reporting import abnormal_map
from hemascope.reporting.abnormal_map import LEVELS, AbnormalMap, MapView
from hemascope.reporting.generative import (
    LIMITS,
    SHIFT,
    compute_generative,
    generative_statements,
    shifted,
    summary_lines,
    used,
)
from hemascope.reporting.generative_counts import count_judgements
from hemascope.reporting.html import HtmlReportSink
from hemascope.reporting.map_dots import BINS, COLUMNS, MAP_BINS, RANK_BINS, bin_of, draw_dots
from hemascope.reporting.spool import FieldSpool


def view_of(folder: Path, results: list[FieldResult]) -> tuple[MapView | None, SmearReport]:
    spool, smear = FieldSpool(folder / "page.html"), AbnormalMap()
    try:
        for number, result in enumerate(results):
            smear.add(result, number, result.field.pixels, spool)
        report = report_of(results)
        return smear.view(report, {field.id: n for n, field in enumerate(report.fields)}, spool), report
    finally:
        spool.remove()


def page_of(folder: Path, results: list[FieldResult]) -> str:
    sink = HtmlReportSink(folder / "report.html")
    for result in results:
        sink.add(result)
    return sink.finish(report_of(results)).read_text("utf-8")


@pytest.fixture(scope="module")
def judged() -> list[FieldResult]:
    return [
        field_result(1, "a.png", white=12, judged=True),
        field_result(2, "b <i>.png", white=0, judged=True),
        field_result(3, "c.png", white=9, status=QcStatus.FAIL, judged=True),
    ]


def white(result: FieldResult) -> list[tuple[int, object]]:
    return [(i, cell) for i, cell in enumerate(result.cells) if cell.cell.kind is CellKind.WHITE_CELL]


def test_every_white_cell_is_a_dot_that_says_what_was_said(tmp_path: Path, judged: list[FieldResult]) -> None:
    found, _ = view_of(tmp_path, judged)
    assert found is not None
    for number, (result, tile) in enumerate(zip(judged, found.tiles, strict=True)):
        drawing = ElementTree.fromstring(f"<svg>{tile.dots}</svg>")
        links = {link.get("href"): link for link in drawing}
        assert set(links) == {f"#c{number}-{index}" for index, _ in white(result)}
        for index, cell in white(result):
            link, judgement = links[f"#c{number}-{index}"], cell.prediction.judgement
            style = (link[0].get("class") or "").split()
            assert style[0] == MAP_BINS[sum(judgement.anomaly > limit for limit in BINS)][0]
            assert (style[0] in ("q3", "q4")) == judgement.badly_explained
            assert ("x" in style) == cell.prediction.disputed
            assert (link[0].tag == "path") == cell.prediction.disputed
            assert f"anomaly {judgement.anomaly:.2f}" in (link[1].text or "")
            if link[0].tag == "circle":
                x, y = cell.cell.outline.centroid
                assert float(str(link[0].get("cx"))) == pytest.approx(100 * x / result.field.width, abs=0.06)
                assert float(str(link[0].get("cy"))) == pytest.approx(100 * y / result.field.width, abs=0.06)
    assert [tile.excluded for tile in found.tiles] == [False, False, True]
    assert found.tiles[1].dots == ""


def test_the_strangest_cells_come_first_and_name_their_place(tmp_path: Path, judged: list[FieldResult]) -> None:
    found, _ = view_of(tmp_path, judged)
    assert found is not None
    every = sorted(
        ((cell.prediction.judgement.anomaly, f"c{n}-{i}") for n, r in enumerate(judged) for i, cell in white(r)),
        reverse=True,
    )
    strange = [anchor for anomaly, anchor in every if anomaly > 1]
    assert [cell.anchor for cell in found.strangest] == [anchor for _, anchor in every[: max(6, len(strange))]]
    rows = [(row.field.id, row.field.generative.unlike) for row in found.rows]
    assert rows == sorted(rows, key=lambda row: -row[1])
    assert "b <i>.png" not in [name for name, _ in rows]


def test_the_page_has_the_map_and_says_how_many(tmp_path: Path, judged: list[FieldResult]) -> None:
    page = page_of(tmp_path, judged)
    counts = count_judgements(judged[0])
    assert f"{counts.unlike} of {counts.judged} nucleated cells" in page
    assert '<section id="map">' in page
    assert 'href="#map"' in page
    anchors = set(re.findall(r'id="(c\d+-\d+|f\d+)"', page))
    start = page.index('<section id="map">')
    section = page[start : page.index("</section>", start)]
    assert set(re.findall(r'href="#([^"]+)"', section)) <= anchors
    assert "b &lt;i&gt;.png: 0 nucleated cells" in section
    assert "generative model: " in page[page.index('<section id="cells">') : start]


def test_without_a_generative_model_the_page_says_nothing_of_one(tmp_path: Path) -> None:
    page = page_of(tmp_path, [field_result(1, "a.png", white=12)])
    assert "enerative" not in page
    assert 'id="map"' not in page
    assert 'href="#map"' not in page


def test_more_dots_than_can_be_pointed_at_are_drawn_bare(
    tmp_path: Path, judged: list[FieldResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abnormal_map, "MAX_DOTS", 5)
    found, _ = view_of(tmp_path, judged)
    assert found is not None
    drawn = "".join(tile.dots for tile in found.tiles)
    assert drawn.count("<a ") == 5
    assert drawn.count("h0") == found.unlinked == 21 - 5
    assert drawn.count('class="q4') + drawn.count('class="q3') >= 4


@pytest.mark.parametrize(("fields", "name"), [(1, "one"), (2, "few"), (13, "some"), (61, "many"), (401, "most")])
def test_tiles_shrink_with_their_number(
    tmp_path: Path, fields: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abnormal_map, "encode", lambda pixels, quality: np.array(pixels.shape[:2]).tobytes())
    monkeypatch.setattr(abnormal_map, "decode", lambda data: np.zeros((*np.frombuffer(data, np.int64), 3), np.uint8))
    monkeypatch.setattr(abnormal_map, "data_uri", lambda data: str(np.frombuffer(data, np.int64).max()))
    spool, smear = FieldSpool(tmp_path / "page.html"), AbnormalMap()
    one = field_result(1, "0", white=2, red=0, judged=True)
    results = [replace(one, field=replace(one.field, id=str(number))) for number in range(fields)]
    for number, result in enumerate(results):
        smear.add(result, number, result.field.pixels, spool)
    report = report_of(results)
    found = smear.view(report, {field.id: n for n, field in enumerate(report.fields)}, spool)
    spool.remove()
    assert found is not None
    level = next(level for level in LEVELS if level.name == name)
    assert found.level == name
    assert {tile.picture for tile in found.tiles} == {str(level.picture) if level.picture else ""}
    assert len(found.tiles) == fields


@given(st.floats(0, 1e6, width=32))
def test_a_dot_is_orange_exactly_where_a_cell_is_strange(anomaly: float) -> None:
    assert (bin_of(anomaly) >= 3) == (anomaly > 1)
    assert 0 <= bin_of(anomaly) < len(MAP_BINS)


def strange(result: FieldResult) -> FieldResult:
    """The same field with every cell three thresholds further away."""

    def moved(cell: CellResult) -> CellResult:
        if cell.prediction is None or cell.prediction.judgement is None:
            return cell
        judgement = replace(cell.prediction.judgement, anomaly=cell.prediction.judgement.anomaly + 3)
        return replace(cell, prediction=replace(cell.prediction, judgement=judgement))

    return replace(result, cells=tuple(map(moved, result.cells)))


def test_a_smear_that_is_strange_as_a_whole_is_ranked_within_itself(tmp_path: Path) -> None:
    results = [strange(field_result(1, "a.png", white=40, judged=True))]
    found, report = view_of(tmp_path, results)
    assert found is not None
    assert report.generative is not None
    assert report.generative.unlike.count == 40
    assert (found.relative, found.bins) == (True, RANK_BINS)
    styles = [style.split()[0] for style in re.findall(r'class="(q\d[^"]*)"', found.tiles[0].dots)]
    assert [styles.count(f"q{place}") for place in range(5)] == [20, 12, 4, 2, 2]
    page = page_of(tmp_path, results)
    assert SHIFT in page
    assert "strangest 3% of this smear" in page
    assert "◆" not in page
    few = compute_generative([summary(GenerativeCounts(4, 3, 0))])
    assert not shifted(few)
    assert not shifted(None)
    assert shifted(compute_generative([summary(GenerativeCounts(40, 20, 0))]))


def test_a_cell_that_was_not_judged_is_an_empty_ring() -> None:
    dots = np.array([[0, 3, 0.5, 0.5, np.nan, 8, -1, 0, 0]], np.float32)
    assert dots.shape[1] == COLUMNS
    drawn = draw_dots(dots, np.array([True]), 75.0, 2.0)
    assert 'class="qn"' in drawn
    assert "Unidentified; not judged" in drawn


def summary(counts: GenerativeCounts, status: QcStatus = QcStatus.PASS) -> FieldSummary:
    return FieldSummary("f", "", "", 640, 480, 0.1, "stated", verdict(status), {}, {}, generative=counts)


def test_shares_are_of_judged_cells_in_fields_that_count() -> None:
    failed = summary(GenerativeCounts(50, 50, 50), QcStatus.FAIL)
    found = compute_generative([summary(GenerativeCounts(7, 2, 1)), summary(GenerativeCounts(3)), failed])
    assert found is not None
    assert (found.judged, found.unlike.count, found.unlike.value, found.disputed.value) == (10, 2, 20.0, 10.0)
    # Clopper-Pearson for 2 of 10.
    assert (found.unlike.low, found.unlike.high) == (pytest.approx(2.52, abs=0.01), pytest.approx(55.61, abs=0.01))
    assert "2 of 10 nucleated cells (20%; 2.5 to 55.6)" in summary_lines(found)[0]
    assert compute_generative([failed, summary(GenerativeCounts())]) is None
    assert generative_statements(None) == ()
    assert generative_statements(found)[0] == LIMITS


@pytest.mark.parametrize(
    ("use", "abstains", "wanted"),
    [
        ("beside", False, "it changed no type, and left no cell unidentified."),
        ("beside", True, "it changed no type, and cells that it doubts were left unidentified."),
        ("cascade", False, "may have changed the type; it left no cell unidentified."),
        ("cascade", True, "may have changed the type, and cells that it doubts were left unidentified."),
    ],
)
def test_what_the_judgements_did_is_said(use: str, abstains: bool, wanted: str) -> None:
    found = compute_generative([summary(GenerativeCounts(7, 2, 1))], use, abstains)
    assert found is not None
    assert used(found).endswith(wanted)


def test_the_terminal_is_told_in_one_line(judged: list[FieldResult]) -> None:
    report = report_of(judged)
    assert report.generative is not None
    line = generative_line(report)
    assert line.startswith(
        f"Generative model: {report.generative.unlike.count} of {report.generative.judged} nucleated"
    )
    assert generative_line(replace(report, generative=None)) == ""
