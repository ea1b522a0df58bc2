"""Grouped folds over all records of a set, for sets whose test split is too small to tell much."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from hemascope.core.errors import InputError
from hemascope.data.records import CropRecord, FieldRecord

VALIDATION_PARTS = 8
"""Of what a fold trains on, one group in about this many is kept for validation."""

_Record = TypeVar("_Record", FieldRecord, CropRecord)


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold of a cross-validation.

    Attributes
    ----------
    index
        1 to ``count``: the part that is left out.
    count
        Number of folds, at least 2.

    Raises
    ------
    InputError
        If there is no such fold.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if self.count < 2 or not 1 <= self.index <= self.count:
            raise InputError(f"there is no fold {self.index}/{self.count}; give 1/5 to 5/5, for instance")

    @classmethod
    def parse(cls, text: str) -> Fold:
        """Return the fold written as ``2/5``; raise ``InputError`` for anything else."""
        index, slash, count = text.partition("/")
        if not (slash and index.strip().isdecimal() and count.strip().isdecimal()):
            raise InputError(f"'{text}' is no fold; give its number and how many there are, such as 2/5")
        return cls(int(index), int(count))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def all_folds(some: Iterable[Fold]) -> tuple[Fold, ...]:
    """Return every fold of the cross-validations that some folds are of, in order."""
    counts = sorted({fold.count for fold in some})
    return tuple(Fold(index, count) for count in counts for index in range(1, count + 1))


def split_by_fold(records: Sequence[_Record], fold: Fold) -> tuple[_Record, ...]:
    """Return the records with the fold's splits instead of their own.

    Whole groups are dealt out, the largest first, each to the part with the fewest records so far; groups of equal
    size come in the order of a digest of their names, so the parts depend on the records alone. The part left out is
    ``test``; of the rest, one group in about ``VALIDATION_PARTS`` is ``val``.

    Parameters
    ----------
    records
        All records of one set.
    """
    sizes = Counter(record.group for record in records)
    order = sorted(sizes, key=lambda group: (-sizes[group], _digest(group)))
    parts = _deal(order, sizes, fold.count)
    kept = [group for group in order if parts[group] != fold.index - 1]
    validation = _deal(kept, sizes, VALIDATION_PARTS)

    def split_of(group: str) -> str:
        if parts[group] == fold.index - 1:
            return "test"
        return "val" if validation[group] == 0 else "train"

    return tuple(replace(record, split=split_of(record.group)) for record in records)


def _deal(groups: Sequence[str], sizes: Counter[str], count: int) -> dict[str, int]:
    """Return group to part."""
    filled = [0] * count
    parts: dict[str, int] = {}
    for group in groups:
        part = filled.index(min(filled))
        parts[group] = part
        filled[part] += sizes[group]
    return parts


def _digest(group: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest()
