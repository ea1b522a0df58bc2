"""Shares of red cell types by group of fields, against shares worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemascope.core.morphology import RedCellCounts
from hemascope.core.taxonomy import RedCellType
from hemascope.evaluate.red_cell_groups import COLUMNS, POIKILOCYTES, compare_groups


def field(expected: dict[str, float] | None = None, **labels: int) -> RedCellCounts:
    counts = {t.value: labels.get(t.value, 0) for t in RedCellType}
    fair = {name: float(count) for name, count in counts.items()} | (expected or {})
    return RedCellCounts(sum(counts.values()), counts, fair)


def test_fields_weigh_the_same_however_many_cells_they_hold() -> None:
    fields = [
        ("spherocytosis", field(normal=90, spherocyte=10)),
        ("spherocytosis", field(normal=1, spherocyte=1)),
        ("elliptocytosis", field(elliptocyte=30, target_cell=10)),
        ("spherocytosis", field()),
    ]
    one, two = compare_groups(fields)
    assert (one.name, two.name) == ("elliptocytosis", "spherocytosis")
    assert (two.fields, two.empty, two.cells) == (2, 1, 102)
    assert two.shares["spherocyte"].value == pytest.approx(0.3)
    assert (two.shares["spherocyte"].low, two.shares["spherocyte"].high) == pytest.approx((0.1, 0.5))
    assert one.shares[POIKILOCYTES].value == 1
    # A single field says nothing of how fields differ.
    assert (one.shares["elliptocyte"].value, one.shares["elliptocyte"].low) == (0.75, None)


def test_expected_shares_follow_the_probabilities() -> None:
    [group] = compare_groups([("g", field({"normal": 6.0, "target_cell": 4.0}, normal=10))])
    assert group.shares["target_cell"].value == 0
    assert group.expected["target_cell"].value == pytest.approx(0.4)


def test_a_group_without_red_cells_has_no_share() -> None:
    [group] = compare_groups([("g", field())])
    assert (group.fields, group.empty, group.shares["normal"].value) == (0, 1, None)
    assert compare_groups([]) == ()


@given(st.lists(st.lists(st.integers(0, 9), min_size=12, max_size=12), min_size=1, max_size=6))
@settings(max_examples=25)
def test_shares_add_up_and_lie_in_their_intervals(rows: list[list[int]]) -> None:
    fields = [field(**{t.value: n for t, n in zip(RedCellType, row, strict=True)}) for row in rows]
    [group] = compare_groups(("g", counts) for counts in fields)
    assert set(group.shares) == set(COLUMNS)
    if not group.fields:
        return
    assert sum(group.shares[t.value].value or 0 for t in RedCellType) == pytest.approx(1)
    for share in group.shares.values():
        if share.low is not None and share.high is not None and share.value is not None:
            assert share.low - 1e-12 <= share.value <= share.high + 1e-12
