"""docs/morphology.md names every finding with its code and the grades of the shipped table."""

from __future__ import annotations

from pages import read, rows, section

from hemascope.core.morphology import FINDINGS, LOINC, PLATELET_LOINC
from hemascope.recipes import GradeLimits
from hemascope.wiring import load_grading

PAGE = read("docs/morphology.md")


def words(limits: GradeLimits | None) -> str:
    if limits is None:
        return ""
    top, _ = limits.top
    if top == 100:
        return f"above {limits.bottom:g}%"
    return f"below {top:g}%" if limits.bottom == 0 else f"{limits.bottom:g} to {top:g}%"


def test_every_finding_stands_there_with_its_code() -> None:
    described = {row[0].strip("`"): row[3] for row in rows(section(PAGE, "What is counted"))}
    assert described == {name: LOINC.get(name, "") for name in (*FINDINGS, "normal")}


def test_codes_of_platelets_stand_there() -> None:
    described = {row[1] for row in rows(section(PAGE, "Platelets"))}
    assert described == set(PLATELET_LOINC.values())


def test_the_grades_are_those_of_the_shipped_table() -> None:
    table = load_grading("icsh_2015")
    shown = {
        name.strip("` "): (few, moderate, many)
        for names, few, moderate, many in rows(section(PAGE, "Grades").split("### ")[0])
        for name in names.split(",")
    }
    expected = {name: (words(row.few), words(row.moderate), words(row.many)) for name, row in table.findings.items()}
    assert shown == expected
