"""``cells.parquet``: the cell table in columns, for the extra ``scverse``."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hemascope.core.errors import MissingExtraError
from hemascope.core.report import FieldResult, SmearReport
from hemascope.export.columns import ATTENTION, COLUMNS, Value, attention_of, attention_place, rows
from hemascope.export.spool import Spool, writing

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

_NAME = "cells.parquet"
_FILLED = "filled.parquet"
_ROW_GROUP = 4_096


def cells_schema() -> pyarrow.Schema:
    """Return the Arrow schema of the cell table."""
    import pyarrow as pa

    kinds = {"text": pa.string(), "number": pa.float64(), "integer": pa.int32(), "flag": pa.bool_()}
    return pa.schema([(column.name, kinds[column.dtype]) for column in COLUMNS])


class CellsParquetSink:
    """Writes ``cells.parquet`` in row groups as fields come.

    Parameters
    ----------
    path
        Where the file is to stand.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        if importlib.util.find_spec("pyarrow") is None:
            raise MissingExtraError(_NAME, "scverse")
        self._spool = Spool(path)
        self._writer: pyarrow.parquet.ParquetWriter | None = None
        self._rows: list[tuple[Value, ...]] = []

    def add(self, result: FieldResult) -> None:
        """Take the cells of ``result``; raise ``OutputError`` if they cannot be written."""
        self._rows.extend(rows(result))
        if len(self._rows) >= _ROW_GROUP:
            self._flush()

    def finish(self, report: SmearReport) -> Path:
        """Put the file in place and return its path; raise ``OutputError`` if that fails."""
        self._flush()
        name = _NAME
        try:
            with writing(self._spool.target):
                self._close()
                if attention := attention_of(report):
                    name = _FILLED
                    self._fill(attention)
        except BaseException:
            self.abandon()
            raise
        return self._spool.place(name)

    def abandon(self) -> None:
        """Remove what was written."""
        try:
            self._close()
        except OSError:
            self._writer = None
        self._spool.remove()

    def _flush(self) -> None:
        """Write the rows at hand as one row group; the first call writes the schema too."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = cells_schema()
        with writing(self._spool.target):
            if self._writer is None:
                self._writer = pq.ParquetWriter(str(self._spool.folder / _NAME), schema, compression="zstd")
            if self._rows:
                values = zip(*self._rows, strict=True)
                arrays = [pa.array(list(column), field.type) for column, field in zip(values, schema, strict=True)]
                self._writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        self._rows.clear()

    def _fill(self, attention: Mapping[str, float]) -> None:
        """Write the row groups again with what was known only at the end."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = cells_schema()
        place, known = attention_place(), schema.field(ATTENTION)
        with (
            pq.ParquetFile(str(self._spool.folder / _NAME)) as table,
            pq.ParquetWriter(str(self._spool.folder / _FILLED), schema, compression="zstd") as writer,
        ):
            for number in range(table.num_row_groups):
                group = table.read_row_group(number)
                values = [attention.get(cell) for cell in group.column("cell_id").to_pylist()]
                writer.write_table(group.set_column(place, known, pa.array(values, known.type)))

    def _close(self) -> None:
        """Write the footer, if the file was begun."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
