"""How much of each field a page can show within its size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from hemascope.reporting.pictures import decode, encode, shrink
from hemascope.reporting.spool import FieldSpool

_SAMPLE = 12
_MARGIN = 1.08
_BASE64 = 4 / 3
_MARKUP = 320
"""Bytes around the preview of one field, and a share of the statement."""


class Level(NamedTuple):
    """One step of detail: longest side of a preview in pixels, WebP quality, whether small cells are mere dots."""

    long_side: int
    quality: int
    light: bool


LEVELS = (
    Level(1280, 76, False),
    Level(960, 68, False),
    Level(640, 62, False),
    Level(480, 54, False),
    Level(360, 50, True),
    Level(260, 46, True),
    Level(180, 42, True),
)
"""From the detail that fields are spooled with to the least."""


class Detail(NamedTuple):
    """What is shown of each field.

    Attributes
    ----------
    level
        Of every field shown.
    shown
        Numbers of the fields with a preview.
    statement
        What was reduced, in words; "" for nothing.
    """

    level: Level
    shown: frozenset[int]
    statement: str


def choose_detail(spool: FieldSpool, room: float, important: Callable[[int], int]) -> Detail:
    """Return the greatest detail with which all fields fit in ``room`` bytes.

    Sizes at a level are estimated from a sample of fields, with a margin. Where even the least detail is too much, the
    fields of least importance lose their preview.

    Parameters
    ----------
    spool
        Every field, at the first level.
    room
        Bytes left for previews and outlines.
    important
        From a field's number to its rank, 0 first.
    """
    everything = frozenset(range(len(spool.entries)))
    for level in LEVELS:
        if not everything or _estimate(spool, level) <= room:
            return Detail(level, everything, _statement(spool, level))
    least = LEVELS[-1]
    each = _estimate(spool, least) / len(everything)
    kept = sorted(everything, key=lambda number: (important(number), number))[: max(0, int(room / each))]
    left_out = f"{len(everything) - len(kept):,} of {len(everything):,} fields are listed without a preview"
    return Detail(
        least, frozenset(kept), f"{_statement(spool, least)} {left_out}, those without nucleated cells first."
    )


def preview_at(spool: FieldSpool, number: int, level: Level) -> bytes:
    """Return the preview of a field at ``level``, as WebP."""
    preview = spool.preview(number)
    if level == LEVELS[0]:
        return preview
    return encode(shrink(decode(preview), level.long_side), level.quality)


def _estimate(spool: FieldSpool, level: Level) -> float:
    """Return about how many bytes all fields take at ``level``."""
    entries = spool.entries
    outlines = sum(_MARKUP + (entry.light if level.light else entry.full) for entry in entries)
    if level == LEVELS[0]:
        return outlines + _BASE64 * sum(entry.preview for entry in entries)
    sample: Sequence[int] = np.unique(np.linspace(0, len(entries) - 1, _SAMPLE).astype(int)).tolist()
    mean = sum(len(preview_at(spool, number, level)) for number in sample) / len(sample)
    return outlines + _BASE64 * _MARGIN * mean * len(entries)


def _statement(spool: FieldSpool, level: Level) -> str:
    """Return in words what ``level`` takes away."""
    if level == LEVELS[0]:
        return ""
    largest = max((max(entry.size) for entry in spool.entries), default=0)
    parts = f"To keep this file openable, previews of its {len(spool.entries):,} fields are compressed"
    if largest > level.long_side:
        parts += f" and reduced to {level.long_side} pixels"
    return f"{parts}{'; red cells and platelets are shown as dots' if level.light else ''}."
