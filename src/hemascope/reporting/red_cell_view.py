"""Findings on red cells as the page shows them."""

from __future__ import annotations

from typing import NamedTuple

from hemascope.core.morphology import FINDING_NAMES, Finding, Grade, RedCellMorphology, SizeFinding
from hemascope.core.taxonomy import RedCellType
from hemascope.reporting.figures import plot_span
from hemascope.reporting.histogram import Histogram, draw_histogram

_SHAPES = tuple(t.value for t in RedCellType if t is not RedCellType.NORMAL)
GRADE_WORDS = {Grade.BELOW: "none", Grade.FEW: "1+", Grade.MODERATE: "2+", Grade.MANY: "3+"}
"""Grades as the page prints them."""


class FindingRow(NamedTuple):
    """One line of the table.

    Attributes
    ----------
    name, detail
        Of the finding, and what counts for it.
    finding
        Itself.
    apart
        Whether a rule is drawn above.
    grade, span
        Its grade, and those at the limits of the interval, in words; "" for none.
    """

    name: str
    detail: str
    finding: Finding
    apart: bool
    grade: str
    span: str


class RedCellView(NamedTuple):
    """What the templates read.

    Attributes
    ----------
    rows
        Findings in order; types only where red cells were typed.
    normal
        The row of normal red cells, which is not plotted; None where red cells were not typed.
    span
        Right end of the plots in percent.
    reasons
        Why grades are withheld or doubtful, each once, with the findings it concerns.
    histogram
        Of diameters; None where nothing was measured.
    """

    rows: tuple[FindingRow, ...]
    normal: FindingRow | None
    span: int
    reasons: tuple[tuple[str, str], ...]
    histogram: Histogram | None


def view_red_cells(morphology: RedCellMorphology) -> RedCellView:
    """Return the findings in the order of the page."""
    small, large = morphology.size_limits_um
    details = {
        SizeFinding.ANISOCYTOSIS: f"diameter more than {morphology.anisocytosis_percent:g}% from the median",
        SizeFinding.MICROCYTOSIS: f"diameter below {small:g} µm",
        SizeFinding.MACROCYTOSIS: f"diameter above {large:g} µm",
    }
    rows = [_row(key.value, morphology.findings[key.value], False, detail) for key, detail in details.items()]
    normal = None
    if morphology.judged:
        poikilocytosis = SizeFinding.POIKILOCYTOSIS.value
        rows.append(_row(poikilocytosis, morphology.findings[poikilocytosis], True, "all abnormal shapes together"))
        rows += [_row(key, morphology.types[key], key == _SHAPES[0]) for key in _SHAPES]
        normal = _row(RedCellType.NORMAL.value, morphology.types[RedCellType.NORMAL.value], False)
    return RedCellView(
        rows=tuple(rows),
        normal=normal,
        span=plot_span(row.finding.rate for row in rows),
        reasons=_reasons(rows),
        histogram=draw_histogram(morphology.size, morphology.size_limits_um),
    )


def _row(key: str, finding: Finding, apart: bool, detail: str = "") -> FindingRow:
    """Return one line."""
    grade = "" if finding.grade is None else GRADE_WORDS[finding.grade]
    span = ""
    if finding.grade_range is not None:
        low, high = (GRADE_WORDS[grade] for grade in finding.grade_range)
        span = low if low == high else f"{low} to {high}"
    return FindingRow(FINDING_NAMES[key], detail, finding, apart, grade, span)


def _reasons(rows: list[FindingRow]) -> tuple[tuple[str, str], ...]:
    """Return each reason once, with the names it concerns."""
    concerned: dict[str, list[str]] = {}
    for row in rows:
        if row.finding.reason:
            concerned.setdefault(row.finding.reason, []).append(row.name)
    most = len(rows) / 2
    return tuple(
        ("Most findings" if len(names) > max(most, 3) else "; ".join(names), reason)
        for reason, names in concerned.items()
    )
