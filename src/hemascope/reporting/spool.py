"""What a page needs of each field, kept on disk until the end: its preview and its outlines."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemascope.reporting.overlay import Overlay


class Entry(NamedTuple):
    """Where one field lies in the spool.

    Attributes
    ----------
    offset
        First byte.
    preview, full, light
        Lengths in bytes, in that order.
    size
        Width and height of the preview in pixels.
    view_box
        Width and height of the outlines' coordinates.
    """

    offset: int
    preview: int
    full: int
    light: int
    size: tuple[int, int]
    view_box: tuple[int, int]


class FieldSpool:
    """A hidden folder beside ``target`` with previews, outlines and numbers; memory holds about 100 bytes a field.

    Every method may raise ``OSError``.

    Parameters
    ----------
    target
        The finished page's path; its folder must exist.
    """

    def __init__(self, target: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        self.entries: list[Entry] = []
        self._pictures: IO[bytes] = (self.folder / "fields.bin").open("w+b")
        self._numbers: dict[str, IO[bytes]] = {}

    def add(self, preview: bytes, size: tuple[int, int], overlay: Overlay) -> None:
        """Append one field."""
        full, light = overlay.full.encode("ascii"), overlay.light.encode("ascii")
        offset = self._pictures.seek(0, 2)
        self._pictures.write(preview + full + light)
        self.entries.append(Entry(offset, len(preview), len(full), len(light), size, overlay.view_box))

    def preview(self, number: int) -> bytes:
        """Return the preview of a field."""
        entry = self.entries[number]
        return self._read(entry.offset, entry.preview)

    def outlines(self, number: int, light: bool) -> str:
        """Return the outlines of a field, all of them or the light ones."""
        entry = self.entries[number]
        start = entry.offset + entry.preview + (entry.full if light else 0)
        return self._read(start, entry.light if light else entry.full).decode("ascii")

    def add_numbers(self, name: str, rows: Iterable[Iterable[float]]) -> None:
        """Append rows of numbers to the table ``name``."""
        table = np.array(list(rows), np.float32)
        if name not in self._numbers:
            self._numbers[name] = (self.folder / f"{name}.f32").open("w+b")
        self._numbers[name].write(table.tobytes())

    def numbers(self, name: str, columns: int) -> NDArray[np.float32]:
        """Return the table ``name`` as N x ``columns`` float32; N is 0 where nothing was added."""
        if name not in self._numbers:
            return np.empty((0, columns), np.float32)
        self._numbers[name].flush()
        return np.fromfile(self.folder / f"{name}.f32", np.float32).reshape(-1, columns)

    def remove(self) -> None:
        """Remove the folder and all in it."""
        for handle in (self._pictures, *self._numbers.values()):
            try:
                handle.close()
            except OSError:  # a full disk fails again when a buffer is flushed
                continue
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, offset: int, length: int) -> bytes:
        """Return a part of the pictures file."""
        self._pictures.seek(offset)
        return self._pictures.read(length)
