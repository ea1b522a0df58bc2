"""``cells.csv``: one row a cell."""

from __future__ import annotations

import csv
from pathlib import Path

from hemascope.core.report import FieldResult, SmearReport
from hemascope.export.columns import COLUMNS, Value, rows
from hemascope.export.spool import Spool, writing

_NAME = "cells.csv"


class CellsCsvSink:
    """Writes ``cells.csv`` (RFC 4180, UTF-8, a header line) as fields come.

    Parameters
    ----------
    path
        Where the file is to stand.
    """

    def __init__(self, path: Path) -> None:
        self._spool = Spool(path)
        self._started = False

    def add(self, result: FieldResult) -> None:
        """Write one row for each cell of ``result``; raise ``OutputError`` if that fails."""
        self._start()
        with writing(self._spool.target):
            csv.writer(self._spool.text(_NAME)).writerows([_cell(value) for value in row] for row in rows(result))

    def finish(self, report: SmearReport) -> Path:
        """Put the file in place and return its path; raise ``OutputError`` if that fails."""
        self._start()
        return self._spool.place(_NAME)

    def abandon(self) -> None:
        """Remove what was written."""
        self._spool.remove()

    def _start(self) -> None:
        """Write the header once."""
        if not self._started:
            with writing(self._spool.target):
                csv.writer(self._spool.text(_NAME)).writerow(column.name for column in COLUMNS)
            self._started = True


def _cell(value: Value) -> Value:
    """Return ``value`` as CSV shows it: flags as true and false, numbers to 6 digits, what is unknown empty."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value
