"""Shares of subtypes by known answers, and what a reader sees of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from painted_results import field_result, report_of, verdict

from hemascope.core.report import FieldSummary
from hemascope.core.smear import QcStatus
from hemascope.reporting.html import HtmlReportSink
from hemascope.reporting.subtypes import SUBTYPE_LIMITS, compute_subtypes, subtype_rows, subtype_statements


def summary(subtypes: dict[str, int], status: QcStatus = QcStatus.PASS) -> FieldSummary:
    return FieldSummary("f", "", "", 640, 480, 0.1, "stated", verdict(status), {}, {}, subtypes=subtypes)


def page_of(folder: Path, told: bool) -> str:
    results = [field_result(5, "a.png", white=40, told=told)]
    sink = HtmlReportSink(folder / "report.html")
    sink.add(results[0])
    return sink.finish(report_of(results)).read_text("utf-8")


def test_shares_are_of_the_type_with_exact_intervals() -> None:
    fields = [
        summary({"band": 2, "segmented": 5}),
        summary({"segmented": 3, "myelocyte": 1}),
        summary({"band": 9}, QcStatus.FAIL),
    ]
    found = compute_subtypes(fields)
    assert list(found) == ["neutrophil", "immature_granulocyte"]
    band = found["neutrophil"]["band"]
    assert (band.count, band.total, band.value) == (2, 10, 20.0)
    # Clopper-Pearson for 2 of 10.
    assert (band.low, band.high) == (pytest.approx(2.52, abs=0.01), pytest.approx(55.61, abs=0.01))
    assert {name: rate.value for name, rate in found["immature_granulocyte"].items()} == {
        "promyelocyte": 0.0,
        "myelocyte": 100.0,
        "metamyelocyte": 0.0,
    }
    assert [row.apart for row in subtype_rows(found)] == [False, False, True, False, False]


def test_what_was_not_told_is_not_there() -> None:
    found = compute_subtypes([summary({}), summary({"band": 1})])
    assert list(found) == ["neutrophil"]
    assert subtype_statements(found) == (SUBTYPE_LIMITS,)
    assert (compute_subtypes([summary({})]), subtype_statements({})) == ({}, ())


def test_the_page_shows_subtypes_as_research_figures(tmp_path: Path) -> None:
    page = page_of(tmp_path, told=True)
    assert "Subtypes <span" in page
    assert SUBTYPE_LIMITS in page
    assert "<small>segmented 81%</small>" in page
    assert "cell size cell_size 0 75%, cell shape" in page


def test_without_subtypes_the_page_says_nothing_of_them(tmp_path: Path) -> None:
    page = page_of(tmp_path, told=False)
    assert "ubtype" not in page.replace("table.subtypes", "")
