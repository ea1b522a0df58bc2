"""Red cell types of fields by the disease of their smear: a demonstration, not a test of diagnosis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hemascope.core.morphology import SHAPE_TYPES, RedCellCounts
from hemascope.core.taxonomy import RedCellType
from hemascope.evaluate.estimate import Estimate
from hemascope.stats.resample import ratio_of_sums

POIKILOCYTES = "poikilocytes"
"""Name of the share that all abnormal shapes make up together."""

COLUMNS: tuple[str, ...] = (*(t.value for t in RedCellType), POIKILOCYTES)
"""What a share is given for, in order."""

LEAST_FIELDS = 2
"""Fewest fields of a group for an interval: one field says nothing of how fields differ."""


@dataclass(frozen=True, slots=True)
class RedCellGroup:
    """The red cells of one group of fields.

    Attributes
    ----------
    name
        Of the group.
    fields
        Fields with at least one judged red cell; each weighs the same.
    empty
        Fields without one, which are left out.
    cells
        Judged red cells over all of them.
    shares
        Each of ``COLUMNS`` to the mean over fields of its share among judged red cells, 0 to 1, by most likely type,
        with the bootstrap interval over fields; no interval for fewer than ``LEAST_FIELDS``.
    expected
        The same from the sums of probabilities.
    """

    name: str
    fields: int
    empty: int
    cells: int
    shares: dict[str, Estimate]
    expected: dict[str, Estimate]


def compare_groups(fields: Iterable[tuple[str, RedCellCounts]]) -> tuple[RedCellGroup, ...]:
    """Return the mean shares of red cell types in each group of fields.

    Fields are resampled as wholes, because cells of a field are alike. Fields of one smear are alike too: where smears
    are not known, as in chula_rbc12/disease_fields, the intervals are too narrow.

    Parameters
    ----------
    fields
        The name of a field's group, and its red cells.

    Returns
    -------
    Groups in order of their names.
    """
    groups: dict[str, list[RedCellCounts]] = {}
    for name, counts in fields:
        groups.setdefault(name, []).append(counts)
    return tuple(_group(name, groups[name]) for name in sorted(groups))


def _group(name: str, fields: list[RedCellCounts]) -> RedCellGroup:
    """Return the mean shares of one group."""
    known = [counts for counts in fields if counts.judged]
    told = {column: [_part(counts.labels, column) / counts.judged for counts in known] for column in COLUMNS}
    fair = {column: [_part(counts.expected, column) / counts.judged for counts in known] for column in COLUMNS}
    return RedCellGroup(
        name=name,
        fields=len(known),
        empty=len(fields) - len(known),
        cells=sum(counts.judged for counts in known),
        shares={column: _mean(values) for column, values in told.items()},
        expected={column: _mean(values) for column, values in fair.items()},
    )


def _part(amounts: dict[str, int] | dict[str, float], column: str) -> float:
    """Return the amount of one type, or of all abnormal shapes."""
    names = [t.value for t in SHAPE_TYPES] if column == POIKILOCYTES else [column]
    return float(sum(amounts.get(name, 0) for name in names))


def _mean(values: list[float]) -> Estimate:
    """Return the mean of one value a field with its bootstrap interval."""
    if len(values) < LEAST_FIELDS:
        return Estimate(values[0] if values else None)
    return Estimate.resampled(np.arange(len(values)), ratio_of_sums(np.array(values), np.ones(len(values))))
