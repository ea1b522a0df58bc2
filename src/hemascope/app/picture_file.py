"""Small pictures that wait in a file until it is known which are shown."""

from __future__ import annotations

import contextlib
from pathlib import Path

from hemascope.core.errors import OutputError


class PictureFile:
    """Pictures under each other in one file, made with the first of them.

    Parameters
    ----------
    path
        Of the file; nothing else may stand there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ends = [0]

    def add(self, picture: bytes) -> None:
        """Put a picture last.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        try:
            with self._path.open("ab") as file:
                file.write(picture)
        except OSError as error:
            raise OutputError.at(self._path, error) from error
        self._ends.append(self._ends[-1] + len(picture))

    def read(self, number: int) -> bytes:
        """Return the picture of a number, from 0.

        Raises
        ------
        IndexError
            If there are fewer.
        OutputError
            If the file cannot be read any more.
        """
        start, end = self._ends[number], self._ends[number + 1]
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                return file.read(end - start)
        except OSError as error:
            raise OutputError.at(self._path, error) from error

    def close(self) -> None:
        """Remove the file; safe to call at any time."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
