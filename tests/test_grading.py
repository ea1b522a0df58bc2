"""Grading tables: shipped numbers, tables of one's own, and limits that leave a gap or overlap."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hemascope import wiring
from hemascope.core.errors import RecipeError
from hemascope.core.morphology import FINDINGS, Grade
from hemascope.recipes import GradeLimits, Grading, GradingRow, load_recipe

SHIPPED = wiring.load_grading("icsh_2015")
CLASSIC = "moderate = { at_least = 5, at_most = 20 }\nmany = { above = 20 }\n"


def table(text: str, tmp_path: Path) -> Grading:
    path = tmp_path / "ward.toml"
    path.write_text(f'name = "ward"\nversion = "3"\nsource = "our ward"\n{text}', "utf-8")
    return wiring.load_grading(str(path))


@pytest.mark.parametrize(
    ("finding", "percent", "grade"),
    [
        ("schistocyte", 0, Grade.BELOW),
        ("schistocyte", 0.1, Grade.FEW),
        ("schistocyte", 1, Grade.MODERATE),
        ("schistocyte", 2, Grade.MODERATE),
        ("schistocyte", 2.1, Grade.MANY),
        ("target_cell", 4.9, Grade.BELOW),
        ("target_cell", 5, Grade.MODERATE),
        ("spherocyte", 20, Grade.MODERATE),
        ("elliptocyte", 20.1, Grade.MANY),
        ("anisocytosis", 10.9, Grade.BELOW),
        ("hypochromic", 11, Grade.MODERATE),
        ("macrocytosis", 100, Grade.MANY),
    ],
)
def test_the_shipped_grades(finding: str, percent: float, grade: Grade) -> None:
    assert SHIPPED.findings[finding].grade(percent) is grade


def test_the_shipped_table_claims_nothing_it_has_not_checked() -> None:
    assert SHIPPED.name == "icsh_2015"
    assert "not checked" in SHIPPED.source
    assert not any(row.verified for row in SHIPPED.findings.values())
    # Poikilocytosis stays without a grade: ICSH grades each shape.
    assert set(FINDINGS) - set(SHIPPED.findings) == {"poikilocytosis"}


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    mine = table(f"least_cells = 500\n[findings.target_cell]\nverified = true\n{CLASSIC}", tmp_path)
    assert (mine.least_cells, mine.findings["target_cell"].verified) == (500, True)
    assert mine.digest() != SHIPPED.digest()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"[findings.target]\n{CLASSIC}", "unknown findings: target"),
        (f"[findings.normal]\n{CLASSIC}", "unknown findings: normal"),
        (f"leest_cells = 5\n[findings.target_cell]\n{CLASSIC}", "leest_cells"),
        (f"[findings.target_cell]\ncolour = 1\n{CLASSIC}", "colour"),
        ("[findings.target_cell]\nmoderate = { at_least = 5, atmost = 20 }\n", "atmost"),
        ("[findings.target_cell]\nverified = true\n", "at least one of few, moderate and many"),
        (
            "[findings.target_cell]\nmoderate = { at_least = 5, at_most = 19 }\nmany = { above = 20 }\n",
            "gap between moderate and many at 19 to 20",
        ),
        (
            "[findings.target_cell]\nmoderate = { at_least = 5, below = 20 }\nmany = { above = 20 }\n",
            "gap between moderate and many",
        ),
        (
            "[findings.target_cell]\nmoderate = { at_least = 5, at_most = 20 }\nmany = { at_least = 20 }\n",
            "moderate and many overlap",
        ),
        (
            "[findings.target_cell]\nfew = { above = 0, at_most = 6 }\nmany = { above = 5 }\n",
            "few and many overlap at 5 to 6",
        ),
        ("[findings.target_cell]\nmoderate = { at_least = 5, at_most = 20 }\n", "gap above moderate"),
        ("[findings.target_cell]\nmany = { at_least = 5, above = 6 }\n", "one lower limit"),
        ("[findings.target_cell]\nmany = { below = 5 }\n", "one lower limit"),
        ("[findings.target_cell]\nmany = { above = 5, at_most = 9, below = 9 }\n", "one upper limit"),
        ("[findings.target_cell]\nmany = { above = 50, at_most = 9 }\n", "holds nothing"),
        ("[findings.target_cell]\nmany = { above = 120 }\n", "100"),
        ("microcyte_below_um = 9\n[findings]\n", "must be less than"),
        ("least_cells = 0\n[findings]\n", "least_cells"),
    ],
)
def test_a_malformed_table_is_an_error_that_names_the_file(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"ward\.toml") as caught:
        table(text, tmp_path)
    assert said in str(caught.value)


def test_an_unknown_table_is_named_with_what_there_is() -> None:
    with pytest.raises(RecipeError, match="choose one of icsh_2015"):
        wiring.load_grading("martian")
    with pytest.raises(RecipeError, match="cannot be read"):
        wiring.load_grading("nowhere.toml")


@given(
    st.lists(st.tuples(st.floats(0, 100), st.booleans()), min_size=3, max_size=3, unique_by=lambda pair: pair[0]),
    st.floats(0, 100),
)
def test_every_share_has_exactly_one_grade(limits: list[tuple[float, bool]], percent: float) -> None:
    edges = sorted(limits)
    steps = {}
    for index, name in enumerate(("few", "moderate", "many")):
        bottom, inside = edges[index]
        values = {"at_least" if inside else "above": bottom}
        if index < 2:
            top, next_inside = edges[index + 1]
            values["below" if next_inside else "at_most"] = top
        try:
            steps[name] = GradeLimits(**values)
        except ValidationError:  # the last grade above 100% holds nothing
            return
    row = GradingRow(**steps)
    holding = [name for name, step in steps.items() if step.holds(percent)]
    assert len(holding) <= 1
    expected = {"few": Grade.FEW, "moderate": Grade.MODERATE, "many": Grade.MANY}
    assert row.grade(percent) is (expected[holding[0]] if holding else Grade.BELOW)
    assert (row.grade(percent) is Grade.BELOW) == (
        percent < edges[0][0] or (percent == edges[0][0] and not edges[0][1])
    )


def test_the_shipped_file_is_read_like_any_other() -> None:
    assert load_recipe(wiring.GRADINGS / "icsh_2015.toml", Grading) == SHIPPED
