"""What is asked of a patient: one class of several, markers that are each there or not, or a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class TaskKind(StrEnum):
    """How the outputs of a task belong together."""

    CLASSES = "classes"
    """Exactly one of them is true: a disease."""
    MARKERS = "markers"
    """Each is true or not, whatever the others are: cytogenetic markers."""
    NUMBER = "number"
    """One number: hemoglobin."""


@dataclass(frozen=True, slots=True)
class BagTask:
    """One question to a bag.

    Attributes
    ----------
    name
        Of the task; for classes and numbers also of the column of a manifest that holds the truth.
    kind
        What its outputs are.
    outputs
        Names of the classes or of the markers (each marker is a column of a manifest too); of a number, its name alone.
    unit
        Of a number: ``g/dL``.

    Raises
    ------
    ValueError
        If an output is named twice, or there are too few.
    """

    name: str
    kind: TaskKind
    outputs: tuple[str, ...]
    unit: str = ""

    def __post_init__(self) -> None:
        least = 2 if self.kind is TaskKind.CLASSES else 1
        if len(self.outputs) < least or len(set(self.outputs)) != len(self.outputs):
            raise ValueError(f"task {self.name} needs {least} outputs or more, each once, not {self.outputs}")
        if self.kind is TaskKind.NUMBER and len(self.outputs) != 1:
            raise ValueError(f"task {self.name} is one number, not {len(self.outputs)}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns of truth: one for classes and for a number, one a marker."""
        return self.outputs if self.kind is TaskKind.MARKERS else (self.name,)


def output_slices(tasks: Sequence[BagTask]) -> dict[str, slice]:
    """Return where the outputs of each task stand among the outputs of all, which follow each other in order."""
    places, start = {}, 0
    for task in tasks:
        places[task.name] = slice(start, start + len(task.outputs))
        start += len(task.outputs)
    return places


def truth_slices(tasks: Sequence[BagTask]) -> dict[str, slice]:
    """Return where the columns of truth of each task stand among those of all.

    Truth is P x C float64, NaN where it is missing: of classes the number of the class, of a marker 0 or 1, of a number
    itself.
    """
    places, start = {}, 0
    for task in tasks:
        places[task.name] = slice(start, start + len(task.columns))
        start += len(task.columns)
    return places


def words_of(name: str) -> str:
    """Return the name of a class, marker or column as people write it; ``t4_14`` stays, being no two words."""
    return re.sub(r"(?<!\d)_|_(?!\d)", " ", name)
