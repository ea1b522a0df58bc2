"""The finder that does not look: cells as somebody else outlined them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hemascope.cells.outlines import is_cut
from hemascope.core.cell import Cell, Nucleus
from hemascope.core.outline import ImportedOutline
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field

OutlinesOf = Callable[[Field], Sequence[ImportedOutline]]
"""A field to its outlines, each with at least a square pixel in the field."""

MADE_BY_HAND = 1.0
"""The score of an outline whose file gives none."""


class ImportedSegmenter:
    """Answers with imported outlines, every one of them; a ``Segmenter``. It needs no scale.

    Parameters
    ----------
    outlines_of
        Gives the outlines of a field.
    identity
        The file they came from, with its digest.
    """

    def __init__(self, outlines_of: OutlinesOf, identity: ModelIdentity) -> None:
        self._outlines_of = outlines_of
        self._identity = identity

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._identity

    def find(self, field: Field) -> list[Cell]:
        """Return the outlined cells of ``field``, cut at its border, in the order of their file."""
        return [_cell(field, i + 1, found) for i, found in enumerate(self._outlines_of(field))]


def _cell(field: Field, number: int, found: ImportedOutline) -> Cell:
    outline = found.outline.clipped(field.width, field.height)
    return Cell(
        id=f"{field.id}#{number}",
        field_id=field.id,
        kind=found.kind,
        outline=outline,
        score=MADE_BY_HAND if found.score is None else found.score,
        nucleus=_clipped(found.nucleus, field),
        touches_border=is_cut(outline, field),
    )


def _clipped(nucleus: Nucleus | None, field: Field) -> Nucleus | None:
    """Return the parts of a nucleus that lie in the field, or None."""
    parts = [part.clipped(field.width, field.height) for part in nucleus.parts] if nucleus else []
    inside = tuple(part for part in parts if part.area > 0)
    return Nucleus(inside) if inside else None
