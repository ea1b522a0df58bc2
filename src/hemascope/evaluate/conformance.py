"""Whether a segmenter keeps the contract of its port: a list of rules, tried on painted fields.

::

    from hemascope.evaluate.conformance import check_segmenter

    for violation in check_segmenter(mine):
        print(violation)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np

from hemascope.core.cell import Cell
from hemascope.core.ports import Segmenter
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.core.units import Scale, ScaleSource
from hemascope.evaluate.identity_faults import identity_faults
from hemascope.evaluate.outline_faults import cell_faults
from hemascope.synth.smear import HardCase, paint_field

SCALE_TOLERANCE = 0.2
"""Relative difference of counts and of the median area of red cells between a field and the same at half its pixels."""


class Rule(StrEnum):
    """What a segmenter promises."""

    IDENTITY = "identity"
    ANSWERS = "answers"
    CELLS = "cells"
    UNTOUCHED = "untouched"
    REPEATS = "repeats"
    NEEDS_SCALE = "needs_scale"
    EMPTY_FIELD = "empty_field"
    FINDS_RED_CELLS = "finds_red_cells"
    ANY_SCALE = "any_scale"


MEANINGS: dict[Rule, str] = {
    Rule.IDENTITY: "It names what answers: name, version and backend in words, and the digest of its weights or none.",
    Rule.ANSWERS: "It returns a list for any field with a scale: black, empty, crowded, wide, of one or three pixels.",
    Rule.CELLS: "Ids, kinds, scores, outlines, nuclei and border marks are those of hemascope.core.cell.Cell.",
    Rule.UNTOUCHED: "It does not change the pixels of a field.",
    Rule.REPEATS: "The same field gives the same cells.",
    Rule.NEEDS_SCALE: "A field without a scale is refused with ValueError.",
    Rule.EMPTY_FIELD: "It finds nothing in an empty field.",
    Rule.FINDS_RED_CELLS: "It finds at least half of the red cells of a clean field.",
    Rule.ANY_SCALE: "A field and the same at half its pixels give the same cells, within SCALE_TOLERANCE.",
}
"""Every rule in a sentence."""

FORM: frozenset[Rule] = frozenset(Rule) - {Rule.EMPTY_FIELD, Rule.FINDS_RED_CELLS, Rule.ANY_SCALE}
"""Rules that hold whatever the weights are; the others need weights that were trained on blood."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that was not kept.

    Attributes
    ----------
    rule
        Which.
    field_id
        The field on which it showed, or "" where it was none.
    message
        What was seen.
    """

    rule: Rule
    field_id: str
    message: str

    def __str__(self) -> str:
        where = f" on {self.field_id}" if self.field_id else ""
        return f"{self.rule}{where}: {self.message}"


def check_segmenter(segmenter: Segmenter, rules: Collection[Rule] = frozenset(Rule)) -> tuple[Violation, ...]:
    """Return every violation of ``rules``; none where the segmenter conforms.

    Parameters
    ----------
    segmenter
        Any object that may be one.
    rules
        All where left out; ``FORM`` for a segmenter whose weights know nothing of blood.
    """
    found = [*_identity(segmenter), *_answers(segmenter), *_needs_scale(segmenter)]
    if Rule.ANY_SCALE in rules or Rule.FINDS_RED_CELLS in rules:
        found += _red_cells(segmenter)
    return tuple(violation for violation in found if violation.rule in rules)


def probes() -> Iterator[Field]:
    """Yield the fields on which a segmenter is tried, each with an id that says what it is; pixels are copies."""
    for field in _painted_probes():
        yield Field(field.id, field.pixels.copy(), field.scale)


@cache
def _painted_probes() -> tuple[Field, ...]:
    white = {CellType.NEUTROPHIL: 1, CellType.LYMPHOCYTE: 1}
    painted = [("clean", paint_field(3, width=480, height=360, white_cells=white))]
    for case in (HardCase.NO_CELLS, HardCase.WHITE_CELL_AT_BORDER, HardCase.CROWDED, HardCase.BLACK):
        painted.append((case.value, paint_field(3, width=320, height=240, mpp=0.15, case=case)))
    for name, width, height in (("one_pixel", 1, 1), ("three_pixels", 3, 1), ("wide", 2400, 20), ("tall", 20, 1200)):
        painted.append((name, paint_field(3, width=width, height=height)))
    painted.append(("folder/a #1.png", paint_field(4, width=200, height=150, mpp=0.25)))
    blank = Field("white", np.full((96, 128, 3), 255, np.uint8), Scale(0.1, ScaleSource.STATED))
    return (*(Field(name, each.field.pixels, each.field.scale) for name, each in painted), blank)


def _identity(segmenter: Segmenter) -> Iterator[Violation]:
    for fault in identity_faults(segmenter.identity):
        yield Violation(Rule.IDENTITY, "", fault)


def _answers(segmenter: Segmenter) -> Iterator[Violation]:
    for field in probes():
        before = field.pixels.tobytes()
        cells, fault = _found(segmenter, field)
        if fault:
            yield Violation(Rule.ANSWERS, field.id, fault)
            continue
        if field.pixels.tobytes() != before:
            yield Violation(Rule.UNTOUCHED, field.id, "its pixels changed")
        yield from (Violation(Rule.CELLS, field.id, message) for message in cell_faults(field, cells))
        if field.id in ("no_cells", "white") and cells:
            yield Violation(Rule.EMPTY_FIELD, field.id, f"{len(cells)} cells where there is none")
        if field.id == "clean" and _found(segmenter, field)[0] != cells:
            yield Violation(Rule.REPEATS, field.id, "a second look gave other cells")


def _found(segmenter: Segmenter, field: Field) -> tuple[list[Cell], str]:
    """Return what was found, and what was wrong with the answer itself."""
    try:
        cells = segmenter.find(field)
    except Exception as error:  # noqa: BLE001  (whatever is raised is what the rule is about)
        return [], f"raised {type(error).__name__}: {error}"
    if not isinstance(cells, list) or not all(isinstance(cell, Cell) for cell in cells):
        return [], f"returned {type(cells).__name__}, not a list of Cell"
    return cells, ""


def _needs_scale(segmenter: Segmenter) -> Iterator[Violation]:
    unscaled = Field("unscaled", np.full((32, 32, 3), 200, np.uint8), None)
    try:
        segmenter.find(unscaled)
    except ValueError:
        return
    except Exception as error:  # noqa: BLE001  (any other error is the violation)
        yield Violation(Rule.NEEDS_SCALE, unscaled.id, f"raised {type(error).__name__}, not ValueError: {error}")
        return
    yield Violation(Rule.NEEDS_SCALE, unscaled.id, "a field without a scale was not refused")


def _red_cells(segmenter: Segmenter) -> Iterator[Violation]:
    fine = paint_field(5, width=640, height=480, mpp=0.1)
    coarse = paint_field(5, width=320, height=240, mpp=0.2)
    areas = [_red_areas(segmenter, p.field) for p in (fine, coarse)]
    painted = len(fine.of_kind(CellKind.RED_CELL))
    counts = [len(found) for found in areas]
    if counts[0] < painted / 2:
        yield Violation(Rule.FINDS_RED_CELLS, "", f"{counts[0]} of {painted} red cells")
    if abs(counts[0] - counts[1]) > SCALE_TOLERANCE * max(counts):
        yield Violation(Rule.ANY_SCALE, "", f"{counts[0]} red cells at 0.1 um per pixel, {counts[1]} at 0.2")
    elif min(counts):
        first, second = (float(np.median(found)) for found in areas)
        if abs(first - second) > SCALE_TOLERANCE * max(first, second):
            yield Violation(
                Rule.ANY_SCALE, "", f"red cells of {first:.1f} um2 at 0.1 um per pixel, {second:.1f} at 0.2"
            )


def _red_areas(segmenter: Segmenter, field: Field) -> list[float]:
    mpp = field.scale.mpp if field.scale else 1.0
    cells = _found(segmenter, field)[0]
    return [c.outline.area * mpp**2 for c in cells if c.kind is CellKind.RED_CELL and not c.touches_border]
