"""JSON that other programs wrote, read with suspicion."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import OutlineError

MAX_BYTES = 1 << 30
"""Unpacked; a field of thousands of cells takes a few MB."""


MAX_PIXELS = 1e7
"""No image is that wide: coordinates beyond it are damage."""


def parse_json(data: bytes) -> Any:
    """Return the document in ``data``, which may be compressed by gzip.

    Raises
    ------
    OutlineError
        If it is empty, damaged, no JSON, or larger than ``MAX_BYTES``. The message is a clause without the file's name.
    """
    if not data:
        raise OutlineError("is empty (0 bytes); export it again")
    if data.startswith(b"\x1f\x8b"):
        data = _unpacked(data)
    if len(data) > MAX_BYTES:
        raise OutlineError(f"holds more than {MAX_BYTES >> 20} MB; write one file an image")
    try:
        return json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError, MemoryError) as error:
        detail = " ".join(str(error).split())[:160]
        raise OutlineError(f"is no valid JSON ({detail}); export it again") from error


def _unpacked(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            return packed.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise OutlineError(f"is a damaged gzip file ({error}); compress it again") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def mapping(value: Any) -> dict[str, Any]:
    """Return ``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """Return ``value`` if it is text, else ""."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> float | None:
    """Return ``value`` if it is a number that a float can hold, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def whole(value: Any) -> int | None:
    """Return ``value`` if it is a whole number, else None."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def numbers(value: Any, where: str) -> NDArray[np.float64]:
    """Return a nested list of coordinates as a float64 array.

    Raises
    ------
    OutlineError
        If it is ragged, or holds what is no number within ``MAX_PIXELS``; ``where`` names the place.
    """
    try:
        array = np.asarray(value, dtype=object if _holds_strangers(value) else np.float64)
        if array.dtype != np.float64 or not (np.abs(array) <= MAX_PIXELS).all():
            raise ValueError("no finite number")
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise OutlineError(
            f"has coordinates that are no lists of plausible numbers in {where}; export it again"
        ) from error
    return array


def _holds_strangers(value: Any) -> bool:
    """Return whether a nested list holds anything but numbers: numpy would read text and booleans as numbers."""
    if isinstance(value, list):
        return any(_holds_strangers(item) for item in value)
    return isinstance(value, bool) or not isinstance(value, (int, float))
