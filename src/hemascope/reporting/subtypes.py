"""From fields to the shares of subtypes, and what a reader must know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hemascope.core.prediction import SUBTYPES
from hemascope.core.rates import Rate
from hemascope.core.report import FieldSummary
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import DISPLAY_NAMES
from hemascope.reporting.differential import share

SUBTYPE_LIMITS = (
    "Subtypes and attributes of cells are research figures, learned and measured on cells of one laboratory and one "
    "camera alone: even there band and segmented neutrophils, and neighboring stages of immature granulocytes, are "
    "often mixed up, and intervals know nothing of that. Do not read a left shift from them."
)
"""Said wherever a subtype is."""


class SubtypeRow(NamedTuple):
    """One line of the table: the subtype, its type, both for a reader, its share, and whether a rule is drawn above."""

    name: str
    of: str
    rate: Rate
    apart: bool


def compute_subtypes(fields: Iterable[FieldSummary]) -> dict[str, dict[str, Rate]]:
    """Return the share of each subtype among the cells of its type that were told, over fields that did not fail.

    Intervals are binomial (Clopper-Pearson).

    Parameters
    ----------
    fields
        Summaries in any order.

    Returns
    -------
    ``CellType`` value to subtype to share in percent; types without such a cell are left out.
    """
    counts: Counter[str] = Counter()
    for field in fields:
        if field.verdict.status is not QcStatus.FAIL:
            counts.update(field.subtypes)
    found = {}
    for cell_type, names in SUBTYPES.items():
        total = sum(counts[name] for name in names)
        if total:
            found[cell_type.value] = {name: share(counts[name], total) for name in names}
    return found


def subtype_statements(subtypes: Mapping[str, Mapping[str, Rate]]) -> tuple[str, ...]:
    """Return the limits of what is said of subtypes, in words; nothing where none was told."""
    return (SUBTYPE_LIMITS,) if subtypes else ()


def subtype_rows(subtypes: Mapping[str, Mapping[str, Rate]]) -> list[SubtypeRow]:
    """Return the lines of the table, in order."""
    return [
        SubtypeRow(name.capitalize(), DISPLAY_NAMES[cell_type], rate, place == 0 and number > 0)
        for number, (cell_type, rates) in enumerate(subtypes.items())
        for place, (name, rate) in enumerate(rates.items())
    ]
