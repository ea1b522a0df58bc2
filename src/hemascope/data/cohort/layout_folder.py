"""A folder of another maker: where its table of patients is, and what that tells."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hemascope.core.cohort import MISSING
from hemascope.core.errors import CohortError
from hemascope.data.cohort.manifest import COLUMNS, PLACES, SmearRow


@dataclass(frozen=True, slots=True)
class LayoutFolder:
    """A folder to make a manifest of.

    Attributes
    ----------
    folder
        Its root.
    table
        Table of patients, where it is not in the folder's usual place; None for that.
    encoder
        Of several encoders' features, those that become the column ``path``; "" where there is one.
    """

    folder: Path
    table: Path | None = None
    encoder: str = ""

    def table_or(self, names: Iterable[str]) -> Path:
        """Return the table that was named, or the first of some names that is in the folder.

        Raises
        ------
        CohortError
            If there is none.
        """
        if self.table is not None:
            return self.table
        listed = list(names)
        for name in listed:
            if (self.folder / name).is_file():
                return self.folder / name
        raise CohortError(
            f"{self.folder} holds no {' or '.join(listed)}; name the root of the set, or its table with --table"
        )


def smear_row(
    patient: str,
    paths: Mapping[str, str],
    smear: str,
    told: Mapping[str, str],
    *,
    split: str = "",
    specimen: str = "",
    excluded: str = "",
) -> SmearRow:
    """Return a row of a manifest; what a table tells in columns of a manifest's names goes there."""
    places = ({"specimen": specimen} if specimen else {}) | {name: told[name] for name in PLACES if name in told}
    rest = {name: text for name, text in told.items() if name not in COLUMNS}
    return SmearRow(patient, paths, smear, places, told.get("split", split), excluded or told.get("excluded", ""), rest)


def read_people(table: Path, key: str) -> dict[str, dict[str, str]]:
    """Return the patients of a table, each with what else it tells; what is missing is absent.

    Raises
    ------
    CohortError
        If the table cannot be read, or the column ``key`` does not name each patient once.
    """
    found: dict[str, dict[str, str]] = {}
    for line, cells in read_cells(table):
        patient = cells.pop(key, "")
        if not patient or patient in found:
            wrong = f"patient {patient} stands there before" if patient else f"column '{key}' is empty or not there"
            raise CohortError(f"{table}, line {line}: {wrong}; restore the set's own table")
        found[patient] = without_missing(cells)
    return found


def without_missing(cells: Mapping[str, str]) -> dict[str, str]:
    """Return the cells of a row that say something."""
    return {name: text for name, text in cells.items() if name and text.casefold() not in MISSING}


def read_cells(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line and cells of each row of a table; raise ``CohortError`` where it cannot be read."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            for cells in reader:
                if None in cells or None in cells.values():
                    raise CohortError(
                        f"{table}, line {reader.line_num}: not as many columns as the first line; correct it"
                    )
                yield reader.line_num, {str(name).strip(): str(text).strip() for name, text in cells.items()}
    except OSError as problem:
        raise CohortError(f"{table} cannot be read ({problem.strerror}); name the table with --table") from None
    except (UnicodeDecodeError, csv.Error) as problem:
        raise CohortError(f"{table} is not a UTF-8 CSV table ({problem}); save it as one") from None
