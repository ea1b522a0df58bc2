"""``cells.csv``: one row a cell."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from hemascope.core.report import FieldResult, SmearReport
from hemascope.export.columns import COLUMNS, Value, attention_of, attention_place, rows
from hemascope.export.spool import Spool, writing

_NAME = "cells.csv"
_FILLED = "filled.csv"


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
        attention = attention_of(report)
        if not attention:
            return self._spool.place(_NAME)
        try:
            with writing(self._spool.target):
                self._fill(attention)
        except BaseException:
            self.abandon()
            raise
        return self._spool.place(_FILLED)

    def abandon(self) -> None:
        """Remove what was written."""
        self._spool.remove()

    def _fill(self, attention: Mapping[str, float]) -> None:
        """Write the rows again with what was known only at the end."""
        self._spool.close_files()
        place = attention_place()
        with (self._spool.folder / _NAME).open(encoding="utf-8", newline="") as file:
            table = csv.writer(self._spool.text(_FILLED))
            lines = csv.reader(file)
            table.writerow(next(lines))
            for line in lines:
                line[place] = f"{attention[line[0]]:.6g}" if line[0] in attention else ""
                table.writerow(line)

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
