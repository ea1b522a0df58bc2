"""Run-length masks of COCO, as lists of numbers or as text.

Runs alternate between outside and inside, beginning outside, down the columns from left to right. As text each run is
a signed number in groups of five bits, lowest first, six bits a character from ``0`` on: bit 5 says that more follow,
bit 4 of the last is the sign; from the fourth run on it is the difference to the run before the last
(cocoapi, ``common/maskApi.c``, ``rleToString``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import OutlineError
from hemascope.sources.json_values import whole

MAX_PIXELS = 500_000_000
_FIRST, _LAST = 48, 48 + 63
_MAX_GROUPS = 12


def decode_mask(record: dict[str, Any], where: str) -> NDArray[np.bool_]:
    """Return the H x W mask of a record with ``size`` (height, width) and ``counts``.

    Raises
    ------
    OutlineError
        If the record is malformed, or its runs do not fill the mask; ``where`` names the place.
    """
    size = record.get("size")
    sides = [whole(side) for side in size] if isinstance(size, list) else []
    if len(sides) != 2 or not all(side is not None and side > 0 for side in sides):
        raise OutlineError(f"has a mask without a size of height and width in {where}; export it again")
    height, width = int(sides[0] or 0), int(sides[1] or 0)
    if height * width > MAX_PIXELS:
        raise OutlineError(f"has a mask of {width:,} x {height:,} pixels in {where}, which is too large")
    runs = _runs(record.get("counts"), where)
    if any(run < 0 for run in runs) or sum(runs) != height * width:
        raise OutlineError(f"has a mask whose runs do not add up to {width} x {height} pixels in {where}")
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    mask: NDArray[np.bool_] = values.reshape(width, height).T
    return mask


def _runs(counts: Any, where: str) -> list[int]:
    if isinstance(counts, list):
        found = [whole(count) for count in counts]
        if all(run is not None for run in found):
            return [int(run or 0) for run in found]
    if isinstance(counts, str):
        return unpacked(counts, where)
    raise OutlineError(f"has a mask whose counts are neither numbers nor text in {where}; export it again")


def unpacked(text: str, where: str) -> list[int]:
    """Return the runs in a compressed text; raise ``OutlineError`` if it is none."""
    runs: list[int] = []
    value = groups = 0
    for character in text:
        code = ord(character)
        if not _FIRST <= code <= _LAST or groups == _MAX_GROUPS:
            raise OutlineError(f"has a mask whose compressed counts are damaged in {where}; export it again")
        bits = code - _FIRST
        value |= (bits & 0x1F) << (5 * groups)
        groups += 1
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << (5 * groups)
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = groups = 0
    if groups:
        raise OutlineError(f"has a mask whose compressed counts are cut short in {where}; export it again")
    return runs
