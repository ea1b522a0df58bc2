"""The differential against counts worked out by hand."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from painted_results import PRIOR, field_result, verdict

from hemascope.core.report import CellResult, FieldSummary
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.reporting.differential import DIFFERENTIAL_TYPES, compute_differential, summarize

LABELS = (*DIFFERENTIAL_TYPES, "erythroblast")


def summary(types: dict[str, int], red: int = 0, platelets: int = 0, status: QcStatus = QcStatus.PASS) -> FieldSummary:
    counts = {"white_cell": sum(types.values()), "red_cell": red, "platelet": platelets}
    return FieldSummary("f", "f.png", "", 640, 480, 0.1, "stated", verdict(status), counts, types)


def test_a_worked_example() -> None:
    fields = [
        summary({"neutrophil": 90, "lymphocyte": 60, "erythroblast": 8}, red=3000, platelets=150),
        summary({"neutrophil": 30, "unidentified": 20}, red=1000, platelets=50, status=QcStatus.WARN),
        summary({"basophil": 50, "erythroblast": 50}, red=9, platelets=900, status=QcStatus.FAIL),
    ]
    answer = compute_differential(fields, "uniform", PRIOR)
    assert answer.white_cells == 200
    assert answer.types["neutrophil"].value == 60
    assert answer.types["basophil"].count == 0
    assert answer.types["unidentified"].total == 200
    # 20 of 200 in Ruemke's table: 6.2 to 15.0.
    assert [
        round(limit or 0, 1) for limit in (answer.types["unidentified"].low, answer.types["unidentified"].high)
    ] == [
        6.2,
        15.0,
    ]
    assert answer.erythroblasts.value == 4
    assert answer.erythroblasts.total == 200
    assert answer.platelets_per_field.value == 100
    assert answer.red_cells_per_field.value == 2000
    assert answer.platelets_per_1000_red_cells.value == 50
    assert answer.prior_shares == PRIOR


@pytest.mark.parametrize("fields", [[], [summary({"neutrophil": 5}, 5, 5, QcStatus.FAIL)]])
def test_nothing_to_count_gives_no_rate(fields: list[FieldSummary]) -> None:
    answer = compute_differential(fields, "uniform", PRIOR)
    rates = [*answer.types.values(), answer.erythroblasts, answer.platelets_per_field, answer.red_cells_per_field]
    for rate in [*rates, answer.platelets_per_1000_red_cells]:
        assert (rate.count, rate.total, rate.value, rate.low, rate.high) == (0, 0, None, None, None)


@given(
    st.lists(st.dictionaries(st.sampled_from(LABELS), st.integers(0, 50)), min_size=1, max_size=6), st.integers(0, 99)
)
def test_shares_add_up_and_lie_in_their_intervals(types: list[dict[str, int]], red: int) -> None:
    answer = compute_differential([summary(t, red, platelets=3) for t in types], "uniform", PRIOR)
    assert sum(rate.count for rate in answer.types.values()) == answer.white_cells
    if answer.white_cells:
        assert sum(rate.value or 0 for rate in answer.types.values()) == pytest.approx(100)
    for rate in (*answer.types.values(), answer.erythroblasts, answer.platelets_per_1000_red_cells):
        if rate.value is not None and rate.low is not None and rate.high is not None:
            assert rate.low <= rate.value * (1 + 1e-12)
            assert rate.value <= rate.high * (1 + 1e-12)
            assert math.isfinite(rate.high)


def test_summary_counts_what_the_field_holds() -> None:
    result = field_result(5, white=4, red=7, platelets=2, status=QcStatus.WARN)
    kept = summarize(result)
    assert kept.counts == {"white_cell": 4, "red_cell": 7, "platelet": 2}
    assert sum(kept.types.values()) == 4
    assert set(kept.types) == set(LABELS)
    assert (kept.width, kept.height, kept.mpp, kept.scale_source) == (640, 480, 0.15, "stated")
    assert kept.verdict.status is QcStatus.WARN
    assert kept.notes == ("alpha removed",)
    assert sum(kept.set_sizes.values()) == 4
    assert len(kept.set_sizes) > 1
    assert list(kept.set_sizes) == sorted(kept.set_sizes)


def test_a_white_cell_without_an_answer_or_taken_for_a_platelet_is_unidentified() -> None:
    result = field_result(5, white=2, red=1, platelets=1)
    white = [cell for cell in result.cells if cell.cell.kind is CellKind.WHITE_CELL]
    chances = (white[0].prediction.probabilities * 0) if white[0].prediction else None
    assert chances is not None
    chances[list(CellType).index(CellType.PLATELET)] = 1.0
    assert white[0].prediction is not None
    wrong = replace(white[0].prediction, probabilities=chances, abstention=None)
    cells = (CellResult(white[0].cell, white[0].morphometry, wrong), CellResult(white[1].cell, white[1].morphometry))
    assert summarize(replace(result, cells=cells)).types["unidentified"] == 2


def test_a_field_without_scale_is_refused() -> None:
    result = field_result(5)
    with pytest.raises(ValueError, match=r"slide/a\.png has no scale"):
        summarize(replace(result, field=replace(result.field, scale=None)))
