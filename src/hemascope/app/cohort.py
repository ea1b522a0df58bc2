"""The use case of opening a cohort: a manifest to patients with their cells, in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from hemascope.app.cohort_features import FeatureShelf, SmearCells
from hemascope.core.bag import BagSet
from hemascope.core.cohort import Cohort
from hemascope.core.errors import CohortError
from hemascope.data.cohort.manifest import Manifest, SmearRow, read_manifest
from hemascope.data.cohort.patients import ManifestPatient, patients_of

MAX_BYTES = 1 << 30
"""Embeddings of a cohort that are held in memory; what is more is kept in a file and mapped."""


def open_cohort(
    manifest: Path,
    variant: str = "",
    *,
    include_excluded: bool = False,
    labels: Collection[str] = (),
    scratch: Path | None = None,
    max_bytes: int = MAX_BYTES,
) -> Cohort:
    """Return the patients of a manifest with their cells.

    Patients are in the order of their names, the smears of one by name, whatever the order of the rows.

    Parameters
    ----------
    manifest
        A CSV table, see ``docs/cohorts.md``.
    variant
        Which embeddings: the column ``path:VARIANT``; "" is ``path``.
    include_excluded
        Whether patients who are excluded come too, if they have files, each with the reason among the facts; otherwise
        only their facts are kept, apart.
    labels
        Columns that are labels, and so no covariates.
    scratch
        Folder for embeddings that are too many for memory; the system's own where None. Nothing is left in it.
    max_bytes
        How much is too much; beyond it cells have no ids of their own.

    Raises
    ------
    CohortError
        If the manifest is malformed or contradicts itself, or a file is not there, is damaged, holds no cell or numbers
        that are not finite, or was made by another encoder than the others: naming rows and files.
    MissingExtraError
        If what reads a file is not installed.
    """
    return cohort_of(
        read_manifest(manifest),
        variant,
        include_excluded=include_excluded,
        labels=labels,
        scratch=scratch,
        max_bytes=max_bytes,
    )


def cohort_of(
    read: Manifest,
    variant: str = "",
    *,
    include_excluded: bool = False,
    labels: Collection[str] = (),
    scratch: Path | None = None,
    max_bytes: int = MAX_BYTES,
) -> Cohort:
    """Return the patients of a manifest that was read, as ``open_cohort`` does."""
    every = patients_of(read, labels)
    chosen = [
        p for p in every if not p.facts.excluded or (include_excluded and all(r.paths.get(variant) for r in p.rows))
    ]
    if not chosen:
        raise CohortError(f"{read.path}: every patient is excluded; leave 'excluded' empty for those who stay")
    names = {patient.facts.patient for patient in chosen}
    apart = tuple(patient.facts for patient in every if patient.facts.patient not in names)
    with FeatureShelf(read, variant) as shelf, _Packing(scratch, max_bytes) as packing:
        check = _OneEncoder(read)
        for patient in chosen:
            packing.add(patient.facts.patient, _cells_of(patient, shelf, check))
        bags = packing.packed(check.encoder)
    return Cohort(read.path.stem, tuple(patient.facts for patient in chosen), bags, apart)


def _cells_of(patient: ManifestPatient, shelf: FeatureShelf, check: _OneEncoder) -> list[SmearCells]:
    parts = []
    for row in patient.rows:
        cells = shelf.read(row)
        check.see(row, cells)
        parts.append(cells)
    return parts


class _OneEncoder:
    """Sees to it that all cells were made by one encoder."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._first: tuple[SmearRow, SmearCells] | None = None

    @property
    def encoder(self) -> str:
        """Digest or name of the encoder; "" where no file tells."""
        return "" if self._first is None else self._first[1].encoder

    def see(self, row: SmearRow, cells: SmearCells) -> None:
        """Compare a smear with the first one; raise ``CohortError`` where it is of another encoder."""
        if self._first is None:
            self._first = (row, cells)
            return
        first_row, first = self._first
        one, two = _made_by(first), _made_by(cells)
        if one != two:
            raise CohortError(
                f"{self._manifest.where(first_row, row)}: {first.file} holds {one}, {cells.file} holds {two}; a cohort "
                "is of one encoder: embed all smears with the same, or put the others in a column 'path:NAME'"
            )


def _made_by(cells: SmearCells) -> str:
    return f"{cells.values.shape[1]} numbers a cell by {cells.encoder or 'an unnamed encoder'}"


class _Packing:
    """Gathers cells under each other, in memory as long as they are few, then in a file without a name."""

    def __init__(self, scratch: Path | None, max_bytes: int) -> None:
        self._scratch = scratch
        self._max_bytes = max_bytes
        self._held: list[NDArray[np.float32]] = []
        self._file: IO[bytes] | None = None
        self._ids: list[str] | None = []
        self._patients: list[str] = []
        self._sizes: list[int] = []
        self._bytes = 0

    def __enter__(self) -> _Packing:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, patient: str, parts: Sequence[SmearCells]) -> None:
        """Take the cells of a patient."""
        self._patients.append(patient)
        self._sizes.append(sum(len(part.values) for part in parts))
        if self._ids is not None:
            self._ids += _ids(parts)
        for part in parts:
            self._bytes += part.values.nbytes
            self._held.append(part.values)
        if self._bytes > self._max_bytes:
            self._spill()

    def packed(self, encoder: str) -> BagSet:
        """Return everything that was taken."""
        starts = np.concatenate([[0], np.cumsum(self._sizes)]).astype(np.intp)
        total = int(starts[-1])
        shape = (total, self._bytes // (4 * total))
        if self._file is None:
            values = self._joined(shape)
        else:
            self._file.flush()
            values = np.memmap(self._file, np.float32, mode="r", shape=shape)
        return BagSet(tuple(self._patients), values, starts, encoder, self._ids)

    def _joined(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Return what is held under each other, letting go of each part as it is copied."""
        values, end = np.empty(shape, np.float32), shape[0]
        while self._held:
            part = self._held.pop()
            values[end - len(part) : end] = part
            end -= len(part)
        return values

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._scratch, prefix=".cohort-")  # noqa: SIM115 - lives longer
            self._ids = None
        for values in self._held:
            self._file.write(np.ascontiguousarray(values, np.float32).data)
        self._held.clear()


def _ids(parts: Iterable[SmearCells]) -> list[str]:
    """Return the ids of a patient's cells, with the number of the smear before them where two smears use the same."""
    listed = list(parts)
    ids = [name for part in listed for name in part.ids]
    if len(set(ids)) == len(ids):
        return ids
    return [f"{number}/{name}" for number, part in enumerate(listed, 1) for name in part.ids]
