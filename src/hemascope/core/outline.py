"""An outline that was made elsewhere and is taken as it is, and what it may stand for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hemascope.core.cell import Nucleus
from hemascope.core.geometry import Polygon
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind


class OutlineClass(StrEnum):
    """What the name of a class in a file can mean: a kind of cell, the nucleus of one, or nothing to be taken."""

    WHITE_CELL = "white_cell"
    RED_CELL = "red_cell"
    PLATELET = "platelet"
    NUCLEUS = "nucleus"
    IGNORE = "ignore"

    @property
    def kind(self) -> CellKind | None:
        """The kind of cell, or None for what is no cell."""
        return CellKind(self.value) if self.value in _KINDS else None


_KINDS = frozenset(kind.value for kind in CellKind)


@dataclass(frozen=True, slots=True)
class ImportedOutline:
    """One cell as a file outlines it.

    Attributes
    ----------
    outline
        The whole cell, in full-resolution pixels of the field (``core.geometry``); it may reach beyond the field.
    kind
        White cell, red cell or platelet.
    nucleus
        Of a white cell, where the file outlines it.
    score
        The confidence that the file gives, 0 to 1; None where it gives none.
    class_name
        The class as it stands in the file; "" where it has none.

    Raises
    ------
    ValueError
        If the score lies outside 0 to 1.
    """

    outline: Polygon
    kind: CellKind
    nucleus: Nucleus | None = None
    score: float | None = None
    class_name: str = ""

    def __post_init__(self) -> None:
        if self.score is not None and not 0 <= self.score <= 1:
            raise ValueError(f"a score lies within 0 to 1, not at {self.score}")


@dataclass(frozen=True, slots=True)
class FieldOutlines:
    """Everything that a file outlines in one field.

    Attributes
    ----------
    field
        The image as the file names it, or "" where the file names none.
    outlines
        In the order of the file.
    size
        Width and height in pixels of the image they were made on, where the file says so.
    notes
        What was left out or changed while reading, in words.
    """

    field: str
    outlines: tuple[ImportedOutline, ...]
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutlinedField:
    """A field at its scale, with the cells that somebody outlined in it.

    Attributes
    ----------
    field
        Its scale is known.
    outlines
        Those that lie in it.
    """

    field: Field
    outlines: tuple[ImportedOutline, ...]

    def of_kind(self, kind: CellKind) -> tuple[ImportedOutline, ...]:
        """Return the outlines of ``kind``."""
        return tuple(found for found in self.outlines if found.kind is kind)
