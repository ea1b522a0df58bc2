"""The suite passes what conforms and names what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemascope import wiring
from hemascope.core.cell import Cell, Nucleus
from hemascope.core.geometry import Polygon
from hemascope.core.ports import Segmenter
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.evaluate.conformance import FORM, MEANINGS, Rule, check_segmenter
from hemascope.evaluate.outline_faults import cell_faults

Change = Callable[[Field, list[Cell]], Any]


class Disks:
    """A segmenter that finds one round white cell with a nucleus in every field, changed as a test wants."""

    def __init__(self, change: Change = lambda field, cells: cells, name: str = "disks") -> None:
        self.identity = ModelIdentity(name, "1", "", "numpy", "Apache-2.0")
        self.change = change

    def find(self, field: Field) -> list[Cell]:
        if field.scale is None:
            raise ValueError("no scale")
        return list(self.change(field, [white_cell(field)]))


def circle(field: Field, share: float) -> Polygon:
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    middle = np.array((field.width, field.height)) / 2
    points = middle + share * np.stack([np.cos(turns), np.sin(turns)], axis=1) * middle
    return Polygon(points.astype(np.float32))


def white_cell(field: Field) -> Cell:
    nucleus = Nucleus((circle(field, 0.3),))
    return Cell(f"{field.id}#1", field.id, CellKind.WHITE_CELL, circle(field, 0.6), 0.5, nucleus, near_edge(field))


def near_edge(field: Field) -> bool:
    return min(field.width, field.height) < 40


def violated(segmenter: Segmenter) -> set[Rule]:
    return {violation.rule for violation in check_segmenter(segmenter, FORM)}


@pytest.mark.parametrize("name", ["network", "classical"])
def test_the_finders_of_this_package_conform(name: str) -> None:
    assert check_segmenter(wiring.build_segmenter(name)) == ()


def test_what_keeps_the_form_passes() -> None:
    assert check_segmenter(Disks(), FORM) == ()


def test_what_knows_nothing_of_blood_is_told_so() -> None:
    rules = {violation.rule for violation in check_segmenter(Disks())}
    assert rules == {Rule.EMPTY_FIELD, Rule.FINDS_RED_CELLS}


def test_only_the_rules_asked_for_are_judged() -> None:
    assert check_segmenter(Disks(name=""), [Rule.REPEATS]) == ()


def test_every_rule_is_explained() -> None:
    assert set(MEANINGS) == set(Rule)


def both_with(**changes: Any) -> Change:
    return lambda field, cells: [replace(cell, **changes) for cell in cells]


BAD_CELLS: dict[str, tuple[Change, str]] = {
    "other id": (both_with(id="cell-1"), "is not"),
    "twice": (lambda field, cells: cells + cells, "comes twice"),
    "other field": (both_with(field_id="elsewhere"), "field_id"),
    "kind": (both_with(kind="eosinophil"), "kind"),
    "score": (both_with(score=1.2), "score"),
    "no score": (both_with(score=float("nan")), "score"),
    "outside": (both_with(outline=Polygon(np.array([(-5, 0), (9, 0), (9, 9)]))), "leaves the field"),
    "no area": (both_with(outline=Polygon(np.array([(1, 1), (5, 5), (9, 9)])), nucleus=None), "no area"),
    "crossing": (both_with(outline=Polygon(np.array([(30, 30), (90, 60), (90, 30), (30, 70)]))), "crosses itself"),
    "not marked": (both_with(outline=Polygon(np.array([(0, 0), (90, 0), (90, 90)]))), "touches_border is False"),
    "marked": (both_with(touches_border=True), "touches_border is True"),
    "nucleus outside": (lambda field, cells: [replace(cells[0], outline=circle(field, 0.2))], "outside of the cell"),
    "nucleus of a red cell": (both_with(kind=CellKind.RED_CELL), "has a nucleus"),
}


@pytest.mark.parametrize("name", BAD_CELLS)
def test_bad_cells_are_named(name: str) -> None:
    change, words = BAD_CELLS[name]
    field = Field("a", np.zeros((120, 160, 3), np.uint8), None)
    faults = list(cell_faults(field, change(field, [white_cell(field)])))
    assert any(words in fault for fault in faults)
    assert Rule.CELLS in violated(Disks(change))


def test_an_error_is_a_violation_and_no_crash() -> None:
    def fail(field: Field, cells: list[Cell]) -> list[Cell]:
        raise IndexError("boom")

    found = check_segmenter(Disks(fail), FORM)
    assert {violation.rule for violation in found} == {Rule.ANSWERS}
    assert "boom" in str(found[0])


def test_changing_pixels_is_a_violation() -> None:
    def paint(field: Field, cells: list[Cell]) -> list[Cell]:
        field.pixels.setflags(write=True)
        field.pixels[0, 0] ^= 1
        return cells

    assert Rule.UNTOUCHED in violated(Disks(paint))


def test_chance_is_a_violation() -> None:
    rng = np.random.default_rng(0)
    assert violated(Disks(lambda field, cells: [replace(cells[0], score=rng.random())])) == {Rule.REPEATS}


def test_a_field_without_scale_must_be_refused() -> None:
    class Careless(Disks):
        def find(self, field: Field) -> list[Cell]:
            return [white_cell(field)]

    assert violated(Careless()) == {Rule.NEEDS_SCALE}


@pytest.mark.parametrize("digest", ["abc", "G" * 64])
def test_an_identity_without_a_name_or_with_a_bad_digest_is_a_violation(digest: str) -> None:
    assert violated(Disks(name="")) == {Rule.IDENTITY}
    segmenter = Disks()
    segmenter.identity = ModelIdentity("disks", "1", digest, "numpy", "Apache-2.0")
    assert violated(segmenter) == {Rule.IDENTITY}


def test_the_page_on_finders_states_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "segmenters.md").read_text(encoding="utf-8")
    table = page.partition("<!-- rules -->")[2].partition("<!-- /rules -->")[0]
    stated = [tuple(part.strip(" `") for part in row.strip("|").split("|")) for row in table.strip().splitlines()[2:]]
    assert stated == [(rule.value, meaning) for rule, meaning in MEANINGS.items()]
