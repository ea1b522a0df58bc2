"""Tensors in the safetensors format by numpy alone: a header in JSON, then plain numbers.

Format: 8 bytes, the header's length as a little-endian integer; the header, name to ``dtype``, ``shape`` and
``data_offsets``; the numbers, row by row (https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import WeightsError

_TYPES: Mapping[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
}
_MAX_HEADER = 100_000_000


def tensors_to_bytes(tensors: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return float32 tensors as the bytes of a safetensors file."""
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    place = 0
    for name, values in sorted(tensors.items()):
        data = np.ascontiguousarray(values, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [place, place + len(data)]}
        parts.append(data)
        place += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def tensors_from_bytes(data: bytes, what: str) -> dict[str, NDArray[Any]]:
    """Return the tensors of a safetensors file.

    Parameters
    ----------
    data
        The file.
    what
        Its name, for messages.

    Raises
    ------
    WeightsError
        If it is no such file, is cut short, or holds numbers of another type.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        if len(data) < 8 or length > min(len(data) - 8, _MAX_HEADER):
            raise ValueError("the header is cut short")
        header = json.loads(data[8 : 8 + length])
        numbers = memoryview(data)[8 + length :]
        return {name: _tensor(row, numbers) for name, row in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"{what}: no tensors ({error}); install hemascope again, or train the model again"
        ) from error


def _tensor(row: Mapping[str, Any], numbers: memoryview) -> NDArray[Any]:
    kind = _TYPES[row["dtype"]]
    begin, end = row["data_offsets"]
    shape = tuple(int(side) for side in row["shape"])
    if not 0 <= begin <= end <= len(numbers) or end - begin != math.prod(shape) * kind.itemsize:
        raise ValueError("offsets and shape disagree")
    return np.array(np.frombuffer(numbers[begin:end], kind).reshape(shape))
