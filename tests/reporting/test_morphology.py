"""Findings on red cells against counts and sizes worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from painted_results import field_result, red_cell_prediction
from red_cell_fields import red_cells, summary

from hemascope.core.morphology import BINS, FINDINGS, LOINC, SHAPE_TYPES, Grade
from hemascope.core.report import CellResult
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import CellKind, RedCellType
from hemascope.recipes import Grading
from hemascope.reporting.differential import summarize
from hemascope.reporting.morphology import NO_ABSOLUTE_SCALE, compute_red_cells
from hemascope.reporting.red_cell_counts import add_red_cells, count_red_cells, measure_diameters
from hemascope.reporting.spread import median_diameter, size_spread
from hemascope.stats.intervals import binomial_interval
from hemascope.wiring import load_grading

ICSH = load_grading("icsh_2015")


def test_a_worked_example() -> None:
    fields = [
        summary(red_cells({"normal": 700, "target_cell": 90, "schistocyte": 10}), name="a"),
        summary(red_cells({"normal": 480, "target_cell": 110, "macrocyte": 10}), name="b", status=QcStatus.WARN),
        summary(red_cells({"schistocyte": 500}), name="c", status=QcStatus.FAIL),
    ]
    answer = compute_red_cells(fields, ICSH)
    assert (answer.fields, answer.judged, answer.found) == (2, 1400, 1400)
    target = answer.types["target_cell"]
    low, high = binomial_interval(200, 1400)
    assert (target.rate.count, target.rate.total) == (200, 1400)
    assert target.rate.value == pytest.approx(100 / 7)
    assert (target.rate.low, target.rate.high) == pytest.approx((100 * low, 100 * high))
    assert (target.grade, target.grade_range, target.loinc) == (
        Grade.MODERATE,
        (Grade.MODERATE, Grade.MODERATE),
        "10381-2",
    )
    assert answer.types["schistocyte"].grade is Grade.FEW  # 0.71%
    assert answer.types["burr_cell"].grade is Grade.BELOW
    assert answer.types["normal"].grade is None
    assert answer.findings["poikilocytosis"].rate.count == 210
    assert answer.findings["poikilocytosis"].grade is None
    assert "no limits" in answer.findings["poikilocytosis"].reason
    assert answer.grading is not None
    assert (answer.grading.name, answer.grading.verified, answer.grading.sha256) == ("icsh_2015", 0, ICSH.digest())


def test_types_add_up_and_every_finding_is_there() -> None:
    answer = compute_red_cells([summary(red_cells({t.value: 100 + i for i, t in enumerate(RedCellType)}))], ICSH)
    assert sum(finding.rate.count for finding in answer.types.values()) == answer.judged
    assert sum(finding.rate.value or 0 for finding in answer.types.values()) == pytest.approx(100)
    assert set(answer.findings) | set(answer.types) == {*FINDINGS, "normal"}
    codes = [finding.loinc for finding in (*answer.types.values(), *answer.findings.values()) if finding.loinc]
    assert sorted(codes) == sorted(LOINC.values())
    assert len(set(codes)) == len(codes)


def test_below_a_thousand_red_cells_the_grade_is_withheld_but_its_range_is_given() -> None:
    answer = compute_red_cells([summary(red_cells({"normal": 899, "target_cell": 100}))], ICSH)
    target = answer.types["target_cell"]
    assert target.rate.value == pytest.approx(10.01, abs=0.01)
    assert target.grade is None
    assert target.grade_range == (Grade.MODERATE, Grade.MODERATE)
    assert target.reason == "999 red cells, fewer than the 1,000 that a grade needs"
    more = compute_red_cells([summary(red_cells({"normal": 900, "target_cell": 100}))], ICSH)
    assert more.types["target_cell"].grade is Grade.MODERATE


def test_a_site_may_ask_for_fewer() -> None:
    table = Grading.model_validate({**ICSH.model_dump(), "least_cells": 50})
    answer = compute_red_cells([summary(red_cells({"normal": 40, "target_cell": 20}))], table)
    assert answer.types["target_cell"].grade is Grade.MANY
    # The rule for schistocytes is one about 1,000 cells, whatever the table says.
    assert answer.schistocytes.exceeded is None


@pytest.mark.parametrize("scale", ["estimated", "assumed"])
def test_without_an_absolute_scale_no_size_is_graded(scale: str) -> None:
    cells = red_cells({"normal": 500, "macrocyte": 400, "microcyte": 300}, [7.5] * 900 + [10.0] * 300)
    fields = [summary(cells, name="a"), summary(cells, name="b", scale=scale)]
    answer = compute_red_cells(fields, ICSH)
    for finding in (answer.types["macrocyte"], answer.types["microcyte"]):
        assert (finding.grade, finding.grade_range, finding.reason) == (None, None, NO_ABSOLUTE_SCALE)
        assert finding.rate.value
    for name in ("microcytosis", "macrocytosis"):
        finding = answer.findings[name]
        assert (finding.grade, finding.rate.value, finding.reason) == (None, None, NO_ABSOLUTE_SCALE)
    assert not answer.size.absolute
    # How much sizes differ needs no scale.
    assert answer.findings["anisocytosis"].grade is Grade.MANY
    known = compute_red_cells(fields[:1], ICSH)
    assert known.findings["macrocytosis"].grade is Grade.MANY
    assert known.types["macrocyte"].grade is Grade.MANY
    # A failed field with an estimated scale takes nothing away.
    failed = replace(fields[1], verdict=summary(status=QcStatus.FAIL).verdict)
    assert compute_red_cells([fields[0], failed], ICSH).size.absolute


def test_sizes_are_counted_to_a_tenth_of_a_micrometer() -> None:
    diameters = [5.95] * 30 + [6.05] * 20 + [7.55] * 1000 + [8.95] * 10 + [9.05] * 40
    answer = compute_red_cells([summary(red_cells({}, diameters))], ICSH)
    assert answer.findings["microcytosis"].rate.count == 30
    assert answer.findings["macrocytosis"].rate.count == 40
    # More than 15% from the median of 7.55: below 6.42 or above 8.68.
    assert answer.findings["anisocytosis"].rate.count == 100
    assert answer.findings["anisocytosis"].rate.total == 1100


def test_the_expected_share_is_said_where_it_changes_the_grade() -> None:
    cells = red_cells({"normal": 960, "target_cell": 40}, normal=890.0, target_cell=110.0)
    target = compute_red_cells([summary(cells)], ICSH).types["target_cell"]
    assert target.expected == pytest.approx(11)
    assert target.grade is Grade.BELOW
    assert target.reason == "by the sum of probabilities (11.0%) the grade would be 2+"


@pytest.mark.parametrize(
    ("count", "total", "exceeded", "certain", "said"),
    [
        (0, 2000, False, True, "not above the limit of 1%"),
        (20, 2000, False, False, "crosses"),
        (25, 2000, True, False, "crosses"),
        (80, 2000, True, True, "4.0% of red cells"),
        (80, 999, None, False, "at least 1,000"),
        (0, 0, None, False, "no red cell was found"),
    ],
)
def test_the_rule_for_schistocytes(count: int, total: int, exceeded: bool | None, certain: bool, said: str) -> None:
    cells = red_cells({"normal": total - count, "schistocyte": count})
    rule = compute_red_cells([summary(cells)], ICSH).schistocytes
    assert (rule.exceeded, rule.certain) == (exceeded, certain)
    assert said in rule.sentence


def test_a_shape_that_outnumbers_schistocytes_is_named() -> None:
    alone = compute_red_cells([summary(red_cells({"normal": 1900, "schistocyte": 100, "burr_cell": 90}))], ICSH)
    assert "main abnormality" not in alone.schistocytes.sentence
    among = compute_red_cells([summary(red_cells({"normal": 1100, "schistocyte": 100, "elliptocyte": 800}))], ICSH)
    assert "not the main abnormality: 40.0% are of the type Elliptocyte." in among.schistocytes.sentence


def test_untyped_red_cells_are_measured_all_the_same() -> None:
    answer = compute_red_cells([summary(red_cells({}, [7.0, 8.0] * 600))], ICSH)
    assert (answer.judged, answer.found, answer.size.cells) == (0, 1200, 1200)
    assert answer.types["target_cell"].reason == "red cells were not typed"
    assert answer.findings["anisocytosis"].grade is Grade.BELOW


@pytest.mark.parametrize("fields", [[], [summary()], [summary(red_cells({"normal": 9}), status=QcStatus.FAIL)]])
def test_nothing_to_count_gives_no_rate(fields: list) -> None:
    answer = compute_red_cells(fields, ICSH)
    for finding in (*answer.types.values(), *answer.findings.values()):
        assert (finding.rate.value, finding.grade) == (None, None)
    assert answer.size.mean_um is None
    assert answer.size.diameter_cv is None


def test_without_a_table_there_are_percentages_only() -> None:
    answer = compute_red_cells([summary(red_cells({"normal": 1000, "target_cell": 1000}))])
    assert answer.grading is None
    assert answer.types["target_cell"].rate.value == 50
    assert answer.types["target_cell"].reason == "no grading table"


def test_the_spread_of_sizes_is_that_of_the_cells() -> None:
    rng = np.random.default_rng(0)
    fields = [rng.normal(7.5, 0.6, 80).tolist() for _ in range(12)]
    together = np.concatenate(fields)
    spread = size_spread([measure_diameters((math.pi * (np.array(f) / 2) ** 2).tolist()) for f in fields], True)
    assert spread.diameter_cv is not None
    assert spread.area_cv is not None
    assert spread.mean_um == pytest.approx(together.mean())
    assert spread.median_um == pytest.approx(np.median(together), abs=0.05)
    assert spread.diameter_cv.value == pytest.approx(100 * together.std(ddof=1) / together.mean())
    areas = together**2
    assert spread.area_cv.value == pytest.approx(100 * areas.std(ddof=1) / areas.mean())
    # The interval holds the truth, 8%, and is about as wide as theory says: 8% / sqrt(2 n) to each side, twice.
    assert spread.diameter_cv.method == "bootstrap over fields"
    assert spread.diameter_cv.low is not None
    assert spread.diameter_cv.high is not None
    assert spread.diameter_cv.low < 8 < spread.diameter_cv.high
    assert spread.diameter_cv.high - spread.diameter_cv.low == pytest.approx(3.92 * 8 / math.sqrt(2 * 960), rel=0.35)


def test_few_fields_resample_cells_and_few_cells_nothing() -> None:
    rng = np.random.default_rng(1)
    diameters = rng.normal(7.5, 0.6, 900)
    areas = (math.pi * (diameters / 2) ** 2).tolist()
    spread = size_spread([measure_diameters(areas)], True)
    assert spread.diameter_cv is not None
    assert spread.diameter_cv.method == "bootstrap over cells"
    assert spread.diameter_cv.low is not None
    assert spread.diameter_cv.low < spread.diameter_cv.value < (spread.diameter_cv.high or 0)
    few = size_spread([measure_diameters(areas[:10])], True)
    assert few.diameter_cv is not None
    assert few.diameter_cv.low is None
    assert size_spread([measure_diameters(areas[:1])], True).diameter_cv is None


@given(st.lists(st.floats(0.3, 400), min_size=1, max_size=200), st.integers(1, 5))
@settings(max_examples=50)
def test_sums_of_fields_are_those_of_all_cells(areas: list[float], pieces: int) -> None:
    whole = measure_diameters(areas)
    parts = [measure_diameters(areas[start::pieces]) for start in range(pieces)]
    together = add_red_cells([replace(red_cells({}), diameters=part) for part in parts]).diameters
    assert (together.cells, together.bins) == (whole.cells, whole.bins)
    assert (together.total, together.squares, together.fourths) == pytest.approx(
        (whole.total, whole.squares, whole.fourths)
    )
    assert len(whole.bins) == BINS
    assert sum(whole.bins) == len(areas)
    diameters = np.sort(2 * np.sqrt(np.array(areas) / math.pi))
    if diameters[-1] < BINS * 0.1:
        low, high = diameters[(len(areas) - 1) // 2], diameters[len(areas) // 2]
        assert low - 0.11 <= median_diameter(whole) <= high + 0.11


def test_a_field_is_counted_as_its_cells_are() -> None:
    result = field_result(7, white=2, red=40, platelets=3, typed=True)
    counts = count_red_cells(result)
    reds = [cell for cell in result.cells if cell.cell.kind is CellKind.RED_CELL]
    typed = [cell.red_cell for cell in reds if cell.red_cell]
    assert counts.judged == len(typed) == sum(not cell.cell.touches_border for cell in reds)
    assert sum(counts.labels.values()) == counts.judged
    assert sum(counts.expected.values()) == pytest.approx(counts.judged)
    assert counts.labels["normal"] == sum(p.label is RedCellType.NORMAL for p in typed)
    assert counts.diameters.cells == counts.judged
    assert summarize(result).red_cells == counts


def test_a_field_of_any_number_of_cells_is_kept_in_the_same_room() -> None:
    small, large = (count_red_cells(field_result(7, red=n, typed=True)) for n in (10, 200))
    for name in ("labels", "expected"):
        assert len(getattr(small, name)) == len(getattr(large, name)) == len(RedCellType)
    assert len(small.diameters.bins) == len(large.diameters.bins) == BINS


def test_poikilocytes_are_the_eight_shapes() -> None:
    plain = {RedCellType.NORMAL, RedCellType.MACROCYTE, RedCellType.MICROCYTE, RedCellType.HYPOCHROMIC}
    assert set(SHAPE_TYPES) == set(RedCellType) - plain


def test_a_prediction_alone_counts_a_cell_as_judged() -> None:
    result = field_result(7, red=3, typed=True, white=0, platelets=0)
    sure = np.zeros(len(RedCellType))
    sure[list(RedCellType).index(RedCellType.BURR_CELL)] = 1.0
    cells = tuple(
        CellResult(c.cell, c.morphometry, red_cell=red_cell_prediction(c.cell.id, sure)) for c in result.cells
    )
    counts = count_red_cells(replace(result, cells=cells))
    assert (counts.labels["burr_cell"], counts.expected["burr_cell"]) == (3, 3.0)
