"""Rows of the tables that come with a set, checked one by one."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hemascope.core.errors import DataSetError
from hemascope.core.geometry import Box
from hemascope.core.taxonomy import CellKind, CellType

KIND_LABELS: Mapping[str, CellKind] = {
    "WBC": CellKind.WHITE_CELL,
    "RBC": CellKind.RED_CELL,
    "Platelets": CellKind.PLATELET,
}
"""How the public sets name what we call a kind."""

_TYPE_LABELS: Mapping[str, CellType] = {t.value: t for t in CellType} | {"ig": CellType.IMMATURE_GRANULOCYTE}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, which knows where it stands.

    Attributes
    ----------
    table
        The file.
    line
        Line in that file, counted from 1.
    cells
        Column name to text.
    """

    table: Path
    line: int
    cells: Mapping[str, str]

    def error(self, problem: str) -> DataSetError:
        """Return an error that names this row."""
        return DataSetError(f"{self.table}, line {self.line}: {problem}; restore the set's original file")

    def text(self, column: str) -> str:
        """Return a cell that must not be empty; raise ``DataSetError`` where it is."""
        value = self.cells[column].strip()
        if not value:
            raise self.error(f"column '{column}' is empty")
        return value

    def optional(self, column: str) -> str:
        """Return a cell that may be empty."""
        return self.cells.get(column, "").strip()

    def flag(self, column: str) -> bool:
        """Return a cell that holds 0 or 1; raise ``DataSetError`` for anything else."""
        value = self.text(column)
        if value not in ("0", "1"):
            raise self.error(f"column '{column}' holds '{value}', not 0 or 1")
        return value == "1"

    def number(self, column: str) -> float:
        """Return a finite number; raise ``DataSetError`` for anything else."""
        try:
            value = float(self.text(column))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"column '{column}' holds '{self.optional(column)}', not a number")
        return value

    def box(self) -> Box:
        """Return the box in columns xmin, ymin, xmax, ymax; raise ``DataSetError`` where it is none."""
        x0, y0, x1, y1 = (self.number(column) for column in ("xmin", "ymin", "xmax", "ymax"))
        try:
            return Box(x0, y0, x1, y1)
        except ValueError as problem:
            raise self.error(str(problem)) from None

    def kind(self, column: str = "label") -> CellKind:
        """Return the kind named WBC, RBC or Platelets, or as we name it; raise ``DataSetError`` otherwise."""
        value = self.text(column)
        kind = KIND_LABELS.get(value) or next((k for k in CellKind if k.value == value), None)
        if kind is None:
            raise self.error(f"column '{column}' holds '{value}', not one of {', '.join(KIND_LABELS)}")
        return kind

    def cell_types(self, column: str) -> tuple[CellType, ...]:
        """Return the types in a cell, several separated by commas; raise ``DataSetError`` for unknown names."""
        names = [name.strip().casefold() for name in self.optional(column).split(",")]
        unknown = [name for name in names if name and name not in _TYPE_LABELS]
        if unknown:
            raise self.error(f"column '{column}' holds '{unknown[0]}', not one of {', '.join(_TYPE_LABELS)}")
        return tuple(_TYPE_LABELS[name] for name in names if name)

    def cell_type(self, column: str = "label") -> CellType:
        """Return the one type in a cell; raise ``DataSetError`` where there is none or several."""
        types = self.cell_types(column)
        if len(types) != 1:
            raise self.error(f"column '{column}' holds '{self.optional(column)}', not one cell type")
        return types[0]

    def name(self, column: str = "path") -> str:
        """Return a relative path with ``/`` that stays inside the set; raise ``DataSetError`` otherwise."""
        value = self.text(column)
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\\" in value:
            raise self.error(f"column '{column}' holds '{value}', which is not a path inside the set")
        return value

    def file(self, folder: Path, column: str = "path") -> Path:
        """Return the absolute path of an existing file of the set; raise ``DataSetError`` where it is absent."""
        path = folder.absolute() / self.name(column)
        if not path.is_file():
            raise self.error(f"'{path}' is listed but is not there")
        return path


def read_table(table: Path, columns: Iterable[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file with a header.

    Parameters
    ----------
    table
        A UTF-8 file.
    columns
        Columns it must have; others are kept.

    Raises
    ------
    DataSetError
        If the file is absent, is no UTF-8 text, lacks a column, or has a row of another length.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise DataSetError(f"{table} has no column '{missing[0]}'; restore the set's original file")
            for cells in reader:
                row = Row(table, reader.line_num, cells)
                if None in cells or None in cells.values():
                    raise row.error(f"not {len(reader.fieldnames or ())} columns")
                yield row
    except OSError as problem:
        raise DataSetError(
            f"{table} cannot be read ({problem.strerror}); put the set there or name another folder"
        ) from None
    except (UnicodeDecodeError, csv.Error) as problem:
        raise DataSetError(f"{table} is not a UTF-8 CSV table ({problem}); restore the set's original file") from None


def boxes_by_name(rows: Iterable[Row], names: Iterable[str]) -> dict[str, list[Row]]:
    """Return the rows of a box table under the image each is about.

    Raises
    ------
    DataSetError
        If a row is about an image that is not among ``names``.
    """
    found: dict[str, list[Row]] = {name: [] for name in names}
    for row in rows:
        name = row.name()
        if name not in found:
            raise row.error(f"'{name}' is not in labels.csv")
        found[name].append(row)
    return found
