"""Findings on platelets against counts worked out by hand."""

from __future__ import annotations

import math

import pytest
from painted_results import field_result
from red_cell_fields import summary

from hemascope.core.morphology import PlateletClump, PlateletCounts
from hemascope.core.report import FieldSummary
from hemascope.core.smear import QcStatus
from hemascope.reporting.differential import summarize
from hemascope.reporting.platelets import compute_platelets
from hemascope.reporting.red_cell_counts import measure_diameters
from hemascope.wiring import load_grading

ICSH = load_grading("icsh_2015")


def clumped(clumps: int, platelets: int, largest: int, diameters: list[float] | None = None) -> PlateletCounts:
    areas = [math.pi * (d / 2) ** 2 for d in diameters or []]
    return PlateletCounts(clumps, platelets, largest, measure_diameters(areas))


def fields(scale: str = "stated") -> list[FieldSummary]:
    # 1000 x 1000 pixels of 0.1 um: 0.01 mm^2 each.
    return [
        summary(name="a", red=400, platelets=20, of_platelets=clumped(2, 9, 5, [2.5] * 18 + [8.0]), scale=scale),
        summary(name="b", red=600, platelets=30, of_platelets=clumped(0, 0, 0, [2.5] * 30), scale=scale),
        summary(name="c", red=1, platelets=999, of_platelets=clumped(9, 99, 50), scale=scale, status=QcStatus.FAIL),
    ]


def test_a_worked_example() -> None:
    answer = compute_platelets(fields(), ICSH, red_cell_count=4.5)
    assert (answer.found, answer.clumps, answer.clumped, answer.largest, answer.clump_fields) == (50, 2, 9, 5, ("a",))
    assert answer.giant is not None
    assert (answer.giant.count, answer.giant.total) == (1, 49)
    # 50 per 1,000 red cells at 4.5 x 10^12/L are 225 x 10^9/L.
    assert answer.by_red_cells is not None
    assert answer.by_red_cells.value == pytest.approx(225)
    assert (answer.by_red_cells.low or 0) < 225 < (answer.by_red_cells.high or 0)
    # 50 in 0.02 mm^2 are 78.5 in 0.0314 mm^2; times 15 gives 1,177.5.
    assert answer.by_area is not None
    assert answer.by_area.value == pytest.approx(1177.5)
    assert any("clumped" in reason for reason in answer.reasons)
    assert any("not verified" in reason for reason in answer.reasons)


def test_without_an_absolute_scale_there_is_no_giant_and_no_estimate_by_area() -> None:
    answer = compute_platelets(fields("estimated"), ICSH)
    assert (answer.giant, answer.by_area, answer.by_red_cells) == (None, None, None)
    assert "--mpp" in answer.giant_reason
    said = " ".join(answer.reasons)
    assert "--mpp" in said
    assert "--red-cell-count" in said


def test_nothing_to_count() -> None:
    answer = compute_platelets([], ICSH, red_cell_count=4.5)
    assert (answer.found, answer.clumps, answer.largest, answer.by_red_cells, answer.giant) == (0, 0, 0, None, None)
    empty = compute_platelets([summary()], ICSH, red_cell_count=4.5)
    assert empty.by_red_cells is None
    assert empty.by_area is not None
    assert (empty.by_area.value, empty.by_area.low) == (0, 0)


def test_a_summary_counts_the_clumps_of_its_field() -> None:
    result = field_result(3, platelets=7, white=0, red=0)
    ids = [cell.cell.id for cell in result.cells]
    outline = result.cells[0].cell.outline
    clumps = (PlateletClump(tuple(ids[:3]), outline), PlateletClump(tuple(ids[3:]), outline))
    kept = summarize(type(result)(result.field, result.verdict, result.cells, {}, clumps)).platelets
    assert (kept.clumps, kept.clumped, kept.largest) == (2, 7, 4)
    assert kept.diameters.cells == sum(not cell.cell.touches_border for cell in result.cells)
