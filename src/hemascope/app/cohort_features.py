"""The files that a manifest names, read smear by smear."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import CohortError, InputError
from hemascope.data.cohort.manifest import Manifest, SmearRow
from hemascope.sources.array_features import read_array
from hemascope.sources.embedding_tables import TABLE_SUFFIXES, EmbeddingTable
from hemascope.sources.feature_files import SUFFIXES, read_features

_NAMED = 3
"""Patients of a table that a message names before it counts the rest."""

_ENDINGS = ", ".join((*TABLE_SUFFIXES, *SUFFIXES, ".npy"))


@dataclass(frozen=True, slots=True, eq=False)
class SmearCells:
    """The embedded cells of one smear.

    Attributes
    ----------
    ids
        N names of cells.
    values
        N x D float32, finite.
    encoder
        Digest or name of what made them; "" where the file does not tell.
    file
        Where they were read.
    """

    ids: Sequence[str]
    values: NDArray[np.float32]
    encoder: str
    file: Path


class FeatureShelf:
    """Reads the smears of one manifest; a table of many is opened once.

    Parameters
    ----------
    manifest
        Whose smears.
    variant
        Which column of paths; "" is ``path``.
    """

    def __init__(self, manifest: Manifest, variant: str = "") -> None:
        self._manifest = manifest
        self._variant = variant
        self._tables: dict[Path, EmbeddingTable] = {}
        self._claims: dict[Path, NDArray[np.intp]] = {}
        self._owners: dict[Path, SmearRow] = {}
        named = [row for row in manifest.rows if row.paths.get(variant)]
        self._uses = Counter(manifest.file(row, variant).resolve() for row in named) if named else Counter()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close every table."""
        for table in self._tables.values():
            table.close()

    def read(self, row: SmearRow) -> SmearCells:
        """Return the cells of a smear.

        Raises
        ------
        CohortError
            If its file is not there, cannot be read, holds no cell of it or numbers that are not finite, or its cells
            belong to another row too: naming the row and the file.
        MissingExtraError
            If what reads the file is not installed.
        """
        file = self._manifest.file(row, self._variant)
        where = self._manifest.where(row)
        if not os.path.lexists(file):
            raise CohortError(f"{where}: {file} is not there; correct the path, which starts at the manifest's folder")
        try:
            cells = self._read(row, file)
        except CohortError:
            raise
        except InputError as error:
            raise CohortError(f"{where}: patient {row.patient}: {error}") from error
        if not len(cells.values):
            raise CohortError(
                f"{where}: {file} holds no cell of patient {row.patient}{_smear(row)}{self._known(file)}; correct the "
                "name, or give a reason in column 'excluded'"
            )
        return cells

    def _known(self, file: Path) -> str:
        """Return whom a table knows, in words; "" for a file of one smear."""
        table = self._tables.get(file.resolve())
        names = [] if table is None else table.patients
        if not names:
            return ""
        more = f" and {len(names) - _NAMED} others" if len(names) > _NAMED else ""
        return f", but of {', '.join(names[:_NAMED])}{more}"

    def _read(self, row: SmearRow, file: Path) -> SmearCells:
        suffix = file.suffix.lower()
        if suffix in TABLE_SUFFIXES:
            return self._of_table(row, file)
        if suffix != ".npy" and suffix not in SUFFIXES:
            raise InputError(_not_features(file))
        self._claim_file(row, file)
        name = row.smear or file.stem
        if suffix == ".npy":
            values = read_array(file)
            return SmearCells([f"{name}#{number}" for number in range(1, len(values) + 1)], values, "", file)
        embeddings = read_features(file, name).bag.embeddings
        return SmearCells(embeddings.cell_ids, embeddings.values, embeddings.encoder, file)

    def _of_table(self, row: SmearRow, file: Path) -> SmearCells:
        key = file.resolve()
        if key not in self._tables:
            self._tables[key] = EmbeddingTable(file)
            self._claims[key] = np.zeros(len(self._tables[key]), np.intp)
        table, claims = self._tables[key], self._claims[key]
        rows = table.rows_of(row.patient, row.smear)
        if not len(rows) and self._uses[key] == 1 and not table.tells_whose:
            rows = np.arange(
                len(table)
            )  # nobody else asks for this table, and it names nobody: all of it is this smear
        taken = np.flatnonzero(claims[rows])
        if len(taken):
            raise CohortError(
                f"{self._manifest.path}, lines {claims[rows[taken[0]]]} and {row.line}: both take cells of {file}, "
                f"{len(taken)} of them the same; name each smear as the table does, in its column smear or field_id"
            )
        claims[rows] = row.line
        values = table.values(rows)
        bad = np.asarray(~np.isfinite(values).all(axis=1))
        if bad.any():
            raise InputError(
                f"{file}: {bad.sum()} of {len(bad)} cells hold NaN or infinity, the first of them "
                f"{table.ids[rows[bad.argmax()]]}; embed them again"
            )
        return SmearCells([table.ids[place] for place in rows], values, table.encoder, file)

    def _claim_file(self, row: SmearRow, file: Path) -> None:
        """Note whose a file is; a file of one smear cannot be of two."""
        owner = self._owners.setdefault(file.resolve(), row)
        if owner is not row:
            raise CohortError(
                f"{self._manifest.where(owner, row)}: patients {owner.patient} and {row.patient} both have {file}; a "
                "file like this holds one smear: correct a path, or remove a row"
            )


def _smear(row: SmearRow) -> str:
    return f", smear '{row.smear}'" if row.smear else ""


def _not_features(file: Path) -> str:
    if file.is_dir():
        return (
            f"{file} is a folder; if it holds images, embed them first with hemascope embed, then write the manifest "
            "again with hemascope cohort manifest --features (see docs/cohorts.md)"
        )
    return f"{file} is no file of embeddings; those end in {_ENDINGS}"
