"""One tensor out of a ``.pt`` file, without torch and without running anything that the file says.

Such a file is a ZIP archive: ``NAME/data.pkl`` is a short pickle that tells type, shape and strides, ``NAME/data/0``
holds the numbers. Unpickling could call any function of the file's choice, so the pickle is only read: its opcodes are
followed with plain values, a call becomes a record of what would be called, and what stands at the end must be exactly
one tensor. torch itself would not do here: this package answers without it.
"""

from __future__ import annotations

import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import InputError

_PICKLE_BYTES = 1 << 16
"""The pickle of one tensor takes some 150 bytes; a larger one holds something else."""

_STORAGES = {
    "torch FloatStorage": "f4", "torch DoubleStorage": "f8", "torch HalfStorage": "f2", "torch BFloat16Storage": "u2",
}  # fmt: skip
_REBUILD = "torch._utils _rebuild_tensor_v2"
_BAD_ZIP = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, NotImplementedError, struct.error, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Global:
    """A function or class that the pickle names."""

    name: str


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that the pickle asks for, and nobody makes."""

    of: object
    arguments: object


@dataclass(frozen=True, slots=True)
class _Stored:
    """The numbers that the pickle refers to."""

    of: object


def read_tensor(path: Path) -> NDArray[np.generic]:
    """Return the tensor that ``torch.save`` wrote to ``path``.

    Returns
    -------
    An array of the tensor's shape; float16, float32 or float64 as stored, bfloat16 as float32.

    Raises
    ------
    InputError
        If the file cannot be read, is no archive of torch 1.6 or later, or holds anything but one tensor of floating
        point numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _tensor(archive)
    except zipfile.BadZipFile as error:
        raise InputError(
            f"{path}: not a file of torch 1.6 or later, or cut short ({error}); save the tensor again with torch.save"
        ) from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error.__cause__
    except _BAD_ZIP as error:
        raise InputError(f"{path}: cannot be read ({error}); save the tensor again with torch.save") from error


def _tensor(archive: zipfile.ZipFile) -> NDArray[np.generic]:
    names = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(names) != 1:
        raise InputError("holds no 'data.pkl', so torch.save did not write it; save the tensor again with torch.save")
    folder = names[0].removesuffix("data.pkl")
    if archive.getinfo(names[0]).file_size > _PICKLE_BYTES:
        raise _not_a_tensor("its pickle is too long")
    described = _followed(archive.read(names[0]))
    storage, key, offset, shape, strides = _parts(described)
    data = _numbers(archive, f"{folder}data/{key}")
    order = archive.read(f"{folder}byteorder").decode() if f"{folder}byteorder" in archive.namelist() else "little"
    flat = np.frombuffer(data, np.dtype(storage).newbyteorder(">" if order == "big" else "<"))
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if 0 in shape:
        values = np.empty(shape, flat.dtype)
    elif last >= len(flat) or math.prod(shape) > len(flat):
        raise _not_a_tensor(f"shape {shape} needs more numbers than the {len(flat)} stored")
    else:
        steps = tuple(stride * flat.itemsize for stride in strides)
        values = np.lib.stride_tricks.as_strided(flat[offset:], shape, steps, writeable=False)
    values = values.astype(values.dtype.newbyteorder("="))
    return (values.astype(np.uint32) << 16).view(np.float32) if storage == "u2" else values


def _numbers(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise _not_a_tensor("its numbers are packed, which torch.save never does")
    return archive.read(info)


def _parts(described: object) -> tuple[str, str, int, tuple[int, ...], tuple[int, ...]]:
    """Return numpy type, key, offset, shape and strides of the tensor that a pickle describes."""
    match described:
        case _Call(_Global(name), (_Stored(("storage", _Global(storage), str(key), str(), int())), *layout)) if (
            name == _REBUILD and len(layout) >= 3
        ):
            offset, shape, strides = layout[0], _counts(layout[1]), _counts(layout[2])
            if storage not in _STORAGES:
                raise _not_a_tensor(f"its numbers are {storage.rpartition(' ')[2]}")
            if not isinstance(offset, int) or not _is_count(offset) or len(shape) != len(strides):
                raise _not_a_tensor(f"shape {shape} and strides {strides} do not fit")
            return _STORAGES[storage], key, offset, shape, strides
    raise _not_a_tensor("it describes another object")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 40


def _counts(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple) or not all(_is_count(value) for value in values):
        raise _not_a_tensor(f"its shape or strides are {values}")
    return values


def _not_a_tensor(why: str) -> InputError:
    return InputError(f"holds no plain tensor of floating-point numbers ({why}); save the tensor alone with torch.save")


class _Stack:
    """The values that a pickle's opcodes put together."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def take(self, count: int) -> tuple[object, ...]:
        """Remove the last values and return them."""
        if count > len(self.values):
            raise _not_a_tensor("its pickle is malformed")
        start = len(self.values) - count
        taken = tuple(self.values[start:])
        del self.values[start:]
        return taken

    def take_marked(self) -> tuple[object, ...]:
        """Remove what was put on since the last mark and return it."""
        if not self.marks:
            raise _not_a_tensor("its pickle is malformed")
        return self.take(len(self.values) - self.marks.pop())

    def call(self) -> _Call:
        """Remove a function and its arguments and return the call."""
        function, arguments = self.take(2)
        return _Call(function, arguments)

    def remember(self, place: int) -> None:
        """Keep the last value under a number."""
        (value,) = self.take(1)
        self.values.append(value)
        self.memo[place] = value

    def recall(self, place: int) -> object:
        """Return the value kept under a number."""
        if place not in self.memo:
            raise _not_a_tensor("its pickle is malformed")
        return self.memo[place]


_VALUES: dict[str, Callable[[_Stack, object], object]] = {
    "GLOBAL": lambda stack, argument: _Global(str(argument)),
    "BINPERSID": lambda stack, argument: _Stored(*stack.take(1)),
    "REDUCE": lambda stack, argument: stack.call(),
    "TUPLE": lambda stack, argument: stack.take_marked(),
    "TUPLE1": lambda stack, argument: stack.take(1),
    "TUPLE2": lambda stack, argument: stack.take(2),
    "TUPLE3": lambda stack, argument: stack.take(3),
    "EMPTY_TUPLE": lambda stack, argument: (),
    "NEWFALSE": lambda stack, argument: False,
    "NEWTRUE": lambda stack, argument: True,
    "BINGET": lambda stack, argument: stack.recall(int(str(argument))),
    "LONG_BINGET": lambda stack, argument: stack.recall(int(str(argument))),
} | dict.fromkeys(("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"), lambda stack, argument: argument)
"""Opcodes that put one value on the stack; with the four below, all that ``torch.save`` uses for a tensor."""


def _followed(pickle: bytes) -> object:
    """Return what a pickle describes, as plain values; nothing is called."""
    stack = _Stack()
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name in _VALUES:
                stack.values.append(_VALUES[opcode.name](stack, argument))
            elif opcode.name == "MARK":
                stack.marks.append(len(stack.values))
            elif opcode.name in ("BINPUT", "LONG_BINPUT"):
                stack.remember(int(str(argument)))
            elif opcode.name not in ("PROTO", "STOP"):
                raise _not_a_tensor(f"its pickle uses {opcode.name}")
    except ValueError as error:  # cut short, or an unknown opcode
        raise _not_a_tensor(f"its pickle is malformed: {error}") from error
    (described,) = stack.take(1)
    return described
