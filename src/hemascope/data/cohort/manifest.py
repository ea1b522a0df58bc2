"""The manifest of a cohort: a CSV table with one row a smear.

Columns: ``patient``, ``path`` (both needed), ``smear``, ``specimen``, ``site``, ``scanner``, ``stain``, ``split``,
``excluded``; ``path:NAME`` for other embeddings of the same cells; every other column tells something of the patient:
labels and covariates.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hemascope.core.cohort import MISSING
from hemascope.core.errors import CohortError

PLACES = ("specimen", "site", "scanner", "stain")
"""Columns that say where and how a smear was made."""

COLUMNS = ("patient", "smear", "path", *PLACES, "split", "excluded")
"""Columns with a meaning of their own, in the order in which they are written."""

SPLITS = ("train", "val", "test")
"""What the column ``split`` may say, besides nothing."""

_VARIANT = "path:"


@dataclass(frozen=True, slots=True)
class SmearRow:
    """One smear of a manifest.

    Attributes
    ----------
    patient
        Whose it is.
    paths
        Variant of embeddings to the file, as the manifest writes it; "" is the column ``path``.
    smear
        Name; "" where the manifest gives none.
    places
        Column of ``PLACES`` to text; absent where the manifest does not tell.
    split
        One of ``SPLITS``, or "".
    excluded
        Why the smear is left out; "" for one that stays.
    told
        Further column to text; absent where missing.
    line
        Line of the manifest, counted from 1; 0 for a row that was not read from one.
    """

    patient: str
    paths: Mapping[str, str]
    smear: str = ""
    places: Mapping[str, str] = field(default_factory=dict)
    split: str = ""
    excluded: str = ""
    told: Mapping[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as read.

    Attributes
    ----------
    path
        The file.
    rows
        Its smears, in its order.
    variants
        Names of the further columns of paths.
    columns
        The columns that tell something of the patient: labels and covariates.
    """

    path: Path
    rows: tuple[SmearRow, ...]
    variants: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def where(self, *rows: SmearRow) -> str:
        """Return the file and the lines of some rows, in words; of rows that were read from nowhere, their files."""
        lines = sorted({row.line for row in rows})
        if lines == [0]:
            return " and ".join(sorted({row.paths.get("", row.patient) for row in rows}))
        if len(lines) == 1:
            return f"{self.path}, line {lines[0]}"
        return f"{self.path}, lines {', '.join(map(str, lines[:-1]))} and {lines[-1]}"

    def file(self, row: SmearRow, variant: str = "") -> Path:
        """Return the path of a smear's embeddings.

        Raises
        ------
        CohortError
            If the manifest has no such variant, or gives none for this smear.
        """
        if variant and variant not in self.variants:
            known = ", ".join(self.variants) or "none"
            raise CohortError(f"{self.path} has no column '{_VARIANT}{variant}'; variants it has: {known}")
        name = row.paths.get(variant, "")
        if not name:
            column = f"{_VARIANT}{variant}" if variant else "path"
            raise CohortError(
                f"{self.where(row)}: patient {row.patient} has nothing in column '{column}'; name the file, or give a "
                "reason in column 'excluded'"
            )
        return self.path.absolute().parent / name


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a CSV file.

    Raises
    ------
    CohortError
        If it is absent, is no UTF-8 table with a header, lacks a column or has one twice, holds no row, or a row is of
        another length, names no patient or file, or an unknown split.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header)
            rows = tuple(_row(path, reader.line_num, header, cells) for cells in reader if cells)
    except OSError as problem:
        raise CohortError(f"{path} cannot be read ({problem.strerror}); name a manifest, a CSV table") from None
    except (UnicodeDecodeError, csv.Error) as problem:
        raise CohortError(f"{path} is not a UTF-8 CSV table ({problem}); save it as one") from None
    if not rows:
        raise CohortError(f"{path} holds no patient; write one row a smear")
    variants = tuple(name.removeprefix(_VARIANT) for name in header if name.startswith(_VARIANT))
    return Manifest(path, rows, variants, tuple(name for name in header if _is_told(name)))


def manifest_text(rows: Iterable[SmearRow]) -> str:
    """Return rows as the text of a manifest; columns that hold nothing are left out, but for those needed."""
    listed = list(rows)
    cells = [_cells(row) for row in listed]
    filled = {name for row in cells for name, text in row.items() if text}
    variants = list(dict.fromkeys(f"{_VARIANT}{name}" for row in listed for name in row.paths if name))
    told = list(dict.fromkeys(name for row in listed for name in row.told))
    needed = {"patient", "smear", "path"}
    names = [name for name in (*COLUMNS, *variants, *told) if name in filled | needed]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells)
    return text.getvalue()


def _cells(row: SmearRow) -> dict[str, str]:
    paths = {f"{_VARIANT}{name}" if name else "path": text for name, text in row.paths.items()}
    own = {"patient": row.patient, "smear": row.smear, "split": row.split, "excluded": row.excluded}
    return {**row.told, **row.places, **own, **paths}


def _check_header(path: Path, header: list[str]) -> None:
    for name in ("patient", "path"):
        if name not in header:
            raise CohortError(f"{path} has no column '{name}'; a manifest has patient and path (see docs/cohorts.md)")
    twice = [name for name in header if header.count(name) > 1]
    if twice or "" in header or _VARIANT in header:
        raise CohortError(f"{path}: column '{twice[0] if twice else ''}' has no name of its own; rename it")


def _row(path: Path, line: int, header: list[str], texts: list[str]) -> SmearRow:
    where = f"{path}, line {line}"
    if len(texts) != len(header):
        raise CohortError(f"{where}: has {len(texts)} columns where the first line has {len(header)}; correct the row")
    if any("\0" in text for text in texts):
        raise CohortError(f"{where}: holds a zero byte; save the table as UTF-8 text")
    cells = {name: text.strip() for name, text in zip(header, texts, strict=True)}
    if not cells["patient"]:
        raise CohortError(f"{where}: names no patient; fill in column 'patient'")
    split = {"validation": "val"}.get(cells.get("split", ""), cells.get("split", ""))
    if split and split not in SPLITS:
        raise CohortError(f"{where}: split '{split}' is none of {', '.join(SPLITS)}; correct it, or leave it empty")
    excluded = cells.get("excluded", "")
    if not cells["path"] and not excluded:
        raise CohortError(f"{where}: patient {cells['patient']} has no file; fill in 'path', or say why in 'excluded'")
    paths = {name: cells[name] for name in header if name == "path" or name.startswith(_VARIANT)}
    return SmearRow(
        patient=cells["patient"],
        paths={name.removeprefix("path").removeprefix(":"): text for name, text in paths.items()},
        smear=cells.get("smear", ""),
        places={name: cells[name] for name in PLACES if cells.get(name)},
        split=split,
        excluded=excluded,
        told={name: cells[name] for name in header if _is_told(name) and cells[name].casefold() not in MISSING},
        line=line,
    )


def _is_told(name: str) -> bool:
    return name not in COLUMNS and not name.startswith(_VARIANT)
