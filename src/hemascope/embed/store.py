"""Embeddings on disk, content-addressed: one shard an image, named by the digest of all that decides it.

A shard is an ``.npz`` file that numpy opens: ``values`` (N x D float32), one array ``column.NAME`` a fact of the rows,
``key``, and ``sha256`` over all of them. It is written aside and put in place in one step, so that it is whole or not
there. Of runs that write the same shard at once the last one's stays; both are right.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import OutputError

_COLUMN = "column."
_KEY = re.compile(r"[0-9a-f]{64}")
_KINDS = "biufU"  # flags, integers, numbers, text: nothing that needs unpickling
_DAMAGED = (
    OSError, ValueError, KeyError, EOFError, IndexError, TypeError, RuntimeError, NotImplementedError, MemoryError,
    OverflowError, SyntaxError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class DamagedShardError(Exception):
    """A file in the store that is not what was written there."""


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """The embeddings of one image.

    Attributes
    ----------
    values
        N x D float32, one row a cell.
    columns
        Name of a fact to its N values: flags, integers, numbers or text.

    Raises
    ------
    ValueError
        If a column has not one value a row, or a type of another kind.
    """

    values: NDArray[np.float32]
    columns: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.dtype != np.float32:
            raise ValueError(f"the values of a shard are N x D float32, not {self.values.shape} {self.values.dtype}")
        for name, column in self.columns.items():
            if column.shape != (len(self.values),) or column.dtype.kind not in _KINDS:
                raise ValueError(
                    f"column '{name}' of a shard is {column.shape} {column.dtype}, not one plain value for each of "
                    f"{len(self.values)} rows"
                )


def shard_key(encoder: str, step: str, image: str) -> str:
    """Return the name of a shard: the sha256 of three digests.

    Parameters
    ----------
    encoder
        Digest of the encoder; see ``core.embedding.encoder_digest``.
    step
        Digest of how crops were made of the image.
    image
        Digest of the bytes of the image file.
    """
    return json_digest({"encoder": encoder, "step": step, "image": image})


def json_digest(value: object) -> str:
    """Return the sha256 of the canonical JSON of plain values; file names that are no UTF-8 are taken as they are."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class ShardStore:
    """A folder of shards; any number of runs may use it at once.

    Parameters
    ----------
    folder
        Where they lie, by the first two digits of their keys; made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Return where the shard ``key`` lies or would lie.

        Raises
        ------
        ValueError
            If ``key`` is no sha256.
        """
        if not _KEY.fullmatch(key):
            raise ValueError(f"a key is a sha256 in hexadecimal, not '{key}'")
        return self.folder / key[:2] / f"{key}.npz"

    def read(self, key: str) -> Shard | None:
        """Return a shard, or None where there is none.

        Raises
        ------
        DamagedShardError
            If a file of that name cannot be read, or is not what was written there.
        """
        path = self.path(key)
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DamagedShardError(f"{path} cannot be read ({error.strerror})") from error
        try:
            return _decoded(data, key)
        except _DAMAGED as error:
            raise DamagedShardError(f"{path} is damaged ({error})") from error

    def write(self, key: str, shard: Shard) -> Path:
        """Write a shard whole, in the place of whatever is there, and return its path.

        Raises
        ------
        OutputError
            If it cannot be written; then nothing is left behind.
        """
        path = self.path(key)
        write_whole(path, _encoded(key, shard))
        return path

    def __contains__(self, key: str) -> bool:
        """Return whether a file of that key is there, whole or damaged."""
        return self.path(key).is_file()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, under a name of its own until it is whole.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    draft = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name[:16]}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(draft).replace(path)
    except OSError as error:
        raise OutputError.at(path, error) from error
    finally:
        if draft:
            with contextlib.suppress(OSError):
                Path(draft).unlink()


def _encoded(key: str, shard: Shard) -> bytes:
    arrays = {"values": shard.values} | {_COLUMN + name: column for name, column in shard.columns.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, key=np.array(key), sha256=np.array(_digest(key, arrays)))  # type: ignore[arg-type]
    return buffer.getvalue()


def _decoded(data: bytes, key: str) -> Shard:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    written, digest = str(arrays.pop("key")), str(arrays.pop("sha256"))
    if written != key:
        raise ValueError(f"it was written as {written}")
    if digest != _digest(key, arrays):
        raise ValueError("its content has another digest")
    columns = {name.removeprefix(_COLUMN): column for name, column in arrays.items() if name != "values"}
    return Shard(arrays["values"], columns)


def _digest(key: str, arrays: Mapping[str, NDArray[np.generic]]) -> str:
    """Return the sha256 over names, types, shapes and bytes of arrays, in the order of names."""
    digest = hashlib.sha256(key.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
