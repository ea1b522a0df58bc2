"""Whole files or none: text and folders are written aside and put in place in one step."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hemascope.core.errors import OutputError


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn every ``OSError`` inside into an ``OutputError`` that names ``target`` and says what to do."""
    try:
        yield
    except OSError as error:
        raise OutputError.at(target, error) from error


class Spool:
    """A hidden folder beside ``target`` for unfinished work, made when first asked for.

    Parameters
    ----------
    target
        Where the finished file is to stand. Its folder must exist.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self._folder: Path | None = None
        self._open: dict[str, IO[str]] = {}

    @property
    def folder(self) -> Path:
        """The folder for unfinished work.

        Raises
        ------
        OutputError
            If it cannot be made.
        """
        if self._folder is None:
            with writing(self.target):
                self._folder = Path(tempfile.mkdtemp(prefix=f".{self.target.name}.", dir=self.target.parent))
        return self._folder

    def text(self, name: str) -> IO[str]:
        """Return the UTF-8 file ``name`` in the folder, open for writing; the same one each time.

        Raises
        ------
        OutputError
            If it cannot be opened.
        """
        if name not in self._open:
            with writing(self.target):
                path = self.folder / name
                self._open[name] = path.open("w", encoding="utf-8", newline="", errors="backslashreplace")
        return self._open[name]

    def place(self, name: str) -> Path:
        """Move the file ``name`` to the target in one step, remove the folder, and return the target.

        Raises
        ------
        OutputError
            If it cannot be written out or moved; then nothing is left behind.
        """
        try:
            with writing(self.target):
                self.close_files()
                (self.folder / name).replace(self.target)
        finally:
            self.remove()
        return self.target

    def close_files(self) -> None:
        """Close every open file, which writes out what is buffered; may raise ``OSError``."""
        while self._open:
            self._open.popitem()[1].close()

    def remove(self) -> None:
        """Remove the folder and all in it; safe to call at any time."""
        with contextlib.suppress(OSError):  # a full disk fails again when a buffer is flushed
            self.close_files()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
