"""``report.json``: the whole report for other programs."""

from __future__ import annotations

from pathlib import Path

from hemascope.core.report import FieldResult, SmearReport
from hemascope.export.spool import Spool, writing

_NAME = "report.json"


class ReportJsonSink:
    """Writes ``report.json`` (UTF-8; layout in ``docs/report.schema.json``) at the end; it needs nothing of the fields.

    Parameters
    ----------
    path
        Where the file is to stand.
    """

    def __init__(self, path: Path) -> None:
        self._spool = Spool(path)

    def add(self, result: FieldResult) -> None:
        """Take nothing: the report carries a summary of each field."""

    def finish(self, report: SmearReport) -> Path:
        """Write the file whole and return its path; raise ``OutputError`` if that fails."""
        from hemascope.export.report_models import report_record

        text = report_record(report).model_dump_json(indent=2)
        try:
            with writing(self._spool.target):
                self._spool.text(_NAME).write(text + "\n")
        except BaseException:
            self.abandon()
            raise
        return self._spool.place(_NAME)

    def abandon(self) -> None:
        """Remove what was written."""
        self._spool.remove()
