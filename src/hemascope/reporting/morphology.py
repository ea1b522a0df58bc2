"""From fields to findings on red cells: shares with exact intervals, and grades from a laboratory's table."""

from __future__ import annotations

import math
from collections.abc import Iterable

from hemascope.core.morphology import (
    BIN_UM,
    LOINC,
    SHAPE_TYPES,
    SIZE_TYPES,
    Finding,
    GradingIdentity,
    RedCellCounts,
    RedCellMorphology,
    SchistocyteRule,
    SizeFinding,
    SizeSpread,
)
from hemascope.core.report import FieldSummary
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import DISPLAY_NAMES, CellKind, RedCellType
from hemascope.core.units import Scale, ScaleSource
from hemascope.recipes import Grading
from hemascope.reporting.differential import share
from hemascope.reporting.red_cell_counts import add_red_cells
from hemascope.reporting.spread import size_spread

UNGRADED = Grading(name="none", version="0", source="No table was given.", findings={})
"""Percentages without grades."""

SCHISTOCYTE_CELLS = 1000
"""Fewest red cells among which ICSH counts schistocytes (Zini et al., Int J Lab Hematol 2012;34:107, updated 2021)."""

NO_ABSOLUTE_SCALE = "the scale is not absolute, so nothing can be said of size; give --mpp"
NOT_TYPED = "red cells were not typed"


def compute_red_cells(fields: Iterable[FieldSummary], grading: Grading = UNGRADED) -> RedCellMorphology:
    """Return the findings on red cells over every field that did not fail quality control.

    Types are counted by most likely type, over the red cells that were judged. Anisocytosis, microcytosis and
    macrocytosis are measured, over all whole red cells, to ``BIN_UM``. Intervals are exact for counting alone
    (Clopper-Pearson).

    Parameters
    ----------
    fields
        Summaries in any order.
    grading
        The table in force.
    """
    included = [field for field in fields if field.verdict.status is not QcStatus.FAIL]
    counts = add_red_cells(field.red_cells for field in included)
    absolute = are_absolute(field for field in included if field.red_cells.diameters.cells)
    size = size_spread([field.red_cells.diameters for field in included], absolute)
    found = sum(field.counts.get(CellKind.RED_CELL.value, 0) for field in included)
    untyped = NOT_TYPED if found else "no red cell was found"
    types = {t.value: _type(t, counts, absolute, grading, untyped) for t in RedCellType}
    return RedCellMorphology(
        fields=len(included),
        found=found,
        judged=counts.judged,
        types=types,
        findings=_findings(counts, size, grading, untyped),
        size=size,
        schistocytes=_schistocytes(types, grading.schistocyte_limit_percent, untyped),
        least_cells=grading.least_cells,
        anisocytosis_percent=grading.anisocytosis_percent,
        size_limits_um=(grading.microcyte_below_um, grading.macrocyte_above_um),
        grading=_identity(grading) if grading.findings else None,
    )


def are_absolute(fields: Iterable[FieldSummary]) -> bool:
    """Return whether sizes in um may be stated over all of ``fields``; True for none."""
    return all(Scale(field.mpp, ScaleSource(field.scale_source)).is_absolute for field in fields)


def _type(kind: RedCellType, counts: RedCellCounts, absolute: bool, grading: Grading, untyped: str) -> Finding:
    """Return the finding of one type."""
    expected = 100 * counts.expected[kind.value] / counts.judged if counts.judged else None
    count = counts.labels[kind.value]
    if kind is RedCellType.NORMAL:
        return Finding(share(count, counts.judged), expected, None, None, "" if counts.judged else untyped, "")
    withheld = NO_ABSOLUTE_SCALE if kind in SIZE_TYPES and not absolute else ""
    return _graded(kind.value, count, counts.judged, grading, expected, withheld, untyped)


def _findings(counts: RedCellCounts, size: SizeSpread, grading: Grading, untyped: str) -> dict[str, Finding]:
    """Return the findings besides the types."""
    shapes = sum(counts.labels[t.value] for t in SHAPE_TYPES)
    fair = math.fsum(counts.expected[t.value] for t in SHAPE_TYPES)
    expected = 100 * fair / counts.judged if counts.judged else None
    small, large = round(grading.microcyte_below_um / BIN_UM), round(grading.macrocyte_above_um / BIN_UM)
    withheld = "" if size.absolute else NO_ABSOLUTE_SCALE
    measured = size.cells if size.absolute else 0
    sizes = {
        SizeFinding.ANISOCYTOSIS: (_unequal(size, grading.anisocytosis_percent), size.cells, ""),
        SizeFinding.MICROCYTOSIS: (sum(size.bins[:small]) if measured else 0, measured, withheld),
        SizeFinding.MACROCYTOSIS: (sum(size.bins[large:]) if measured else 0, measured, withheld),
    }
    nothing = "no whole red cell was measured"
    found = {
        key.value: _graded(key.value, count, total, grading, None, why, nothing)
        for key, (count, total, why) in sizes.items()
    }
    poikilocytosis = SizeFinding.POIKILOCYTOSIS.value
    found[poikilocytosis] = _graded(poikilocytosis, shapes, counts.judged, grading, expected, "", untyped)
    return found


def _unequal(size: SizeSpread, percent: float) -> int:
    """Return how many red cells differ from the median diameter by more than ``percent``, judged by their bins."""
    if size.median_um is None:
        return 0
    reach = size.median_um * percent / 100
    centers = ((place + 0.5) * BIN_UM for place in range(len(size.bins)))
    return sum(n for n, center in zip(size.bins, centers, strict=True) if abs(center - size.median_um) > reach)


def _graded(
    key: str, count: int, total: int, grading: Grading, expected: float | None, withheld: str, nothing: str
) -> Finding:
    """Return a finding with its grade, or with the reason why it has none."""
    rate, code, row = share(count, total), LOINC.get(key, ""), grading.findings.get(key)
    reason = withheld
    if not reason and row is None:
        named = f"the grading table {grading.name} has no limits for it" if grading.findings else "no grading table"
        reason = named if total else nothing
    if reason or row is None:
        return Finding(rate, expected, None, None, reason, code)
    if rate.value is None or rate.low is None or rate.high is None:
        return Finding(rate, expected, None, None, nothing, code)
    span = (row.grade(rate.low), row.grade(rate.high))
    if total < grading.least_cells:
        few = f"{total:,} red cells, fewer than the {grading.least_cells:,} that a grade needs"
        return Finding(rate, expected, None, span, few, code)
    grade, fair = row.grade(rate.value), row.grade(rate.value if expected is None else min(expected, 100.0))
    note = "" if fair is grade else f"by the sum of probabilities ({expected:.1f}%) the grade would be {fair.value}"
    return Finding(rate, expected, grade, span, note, code)


def _schistocytes(types: dict[str, Finding], limit: float, untyped: str) -> SchistocyteRule:
    """Return the share of schistocytes against ``limit`` percent, with the shape that outnumbers them, if any."""
    rate = types[RedCellType.SCHISTOCYTE.value].rate
    if rate.value is None or rate.low is None or rate.high is None:
        return SchistocyteRule(limit, None, False, f"Schistocytes: {untyped}.")
    if rate.total < SCHISTOCYTE_CELLS:
        sentence = (
            f"Schistocytes are counted among at least {SCHISTOCYTE_CELLS:,} red cells (ICSH). Here {rate.total:,} were "
            f"judged, so their share is not held against the limit of {limit:g}%."
        )
        return SchistocyteRule(limit, None, False, sentence)
    exceeded = rate.value > limit
    certain = rate.low > limit if exceeded else rate.high <= limit
    side = "above" if exceeded else "not above"
    limits = f"95% interval {rate.low:.1f} to {rate.high:.1f}"
    sentence = (
        f"Schistocytes make up {rate.value:.1f}% of red cells ({limits}), {side} the limit of {limit:g}%"
        f"{'' if certain else ', which the interval crosses'}. The limit is that of ICSH for adults and term neonates; "
        "every one of these cells needs a morphologist's eye."
    )
    first = max(SHAPE_TYPES, key=lambda kind: types[kind.value].rate.count)
    if exceeded and types[first.value].rate.count > rate.count:
        share_of_first = types[first.value].rate.value or 0.0
        sentence += f" They are not the main abnormality: {share_of_first:.1f}% are of the type {DISPLAY_NAMES[first]}."
    return SchistocyteRule(limit, exceeded, certain, sentence)


def _identity(grading: Grading) -> GradingIdentity:
    """Return what names the table."""
    verified = sum(row.verified for row in grading.findings.values())
    return GradingIdentity(
        grading.name, grading.version, grading.source, grading.digest(), len(grading.findings), verified
    )
