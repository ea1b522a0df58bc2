"""Patients of the malaria set as bags of one size, and the folds of patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import DataSetError
from hemascope.data.malaria import MalariaSet


@dataclass(frozen=True, slots=True, eq=False)
class MalariaPatients:
    """P patients and their cells.

    Attributes
    ----------
    names
        P names in order.
    malaria
        P flags.
    split
        P splits as the set gives them.
    rows
        Patient by patient, the rows of its cells.
    parasitized
        N flags of cells; for scoring alone.
    """

    names: tuple[str, ...]
    malaria: NDArray[np.bool_]
    split: tuple[str, ...]
    rows: tuple[NDArray[np.intp], ...]
    parasitized: NDArray[np.bool_]

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Cells of each patient."""
        return np.array([len(rows) for rows in self.rows], np.intp)


def patients_of(cells: MalariaSet, limit: int | None = None) -> MalariaPatients:
    """Return the patients of a set, by name; with a limit the first so many of each kind."""
    known = {record.patient: record for record in cells.records}
    kinds = [[name for name in sorted(known) if known[name].malaria == kind] for kind in (True, False)]
    names = tuple(sorted(name for side in kinds for name in side[:limit]))
    owners = np.array([record.patient for record in cells.records])
    return MalariaPatients(
        names,
        np.array([known[name].malaria for name in names]),
        tuple(known[name].split for name in names),
        tuple(np.flatnonzero(owners == name) for name in names),
        np.array([record.parasitized for record in cells.records]),
    )


def draw_bags(patients: MalariaPatients, size: int, seed: int) -> NDArray[np.intp]:
    """Return P x ``size`` rows: as many cells of every patient, drawn without replacement.

    Raises
    ------
    DataSetError
        If a patient has fewer cells: bags of another size would tell who it is.
    """
    least = int(patients.sizes.argmin())
    if patients.sizes[least] < size:
        raise DataSetError(
            f"patient '{patients.names[least]}' has {patients.sizes[least]} cells, fewer than the {size} of a bag; "
            "set a smaller 'bag' in the recipe"
        )
    generator = np.random.default_rng(seed)
    return np.stack([generator.choice(rows, size, replace=False) for rows in patients.rows])


def fold_of_patients(malaria: NDArray[np.bool_], folds: int, seed: int) -> NDArray[np.intp]:
    """Return the fold of each patient, from 0; each kind is dealt out evenly, in random order.

    Raises
    ------
    DataSetError
        If a kind has fewer patients than there are folds.
    """
    least = int(min(malaria.sum(), (~malaria).sum()))
    if least < folds:
        raise DataSetError(
            f"{least} patients of a kind are fewer than {folds} folds; use the whole set, or fewer folds"
        )
    generator = np.random.default_rng(seed)
    fold = np.empty(len(malaria), np.intp)
    for kind in (True, False):
        order = generator.permutation(np.flatnonzero(malaria == kind))
        fold[order] = np.arange(len(order)) % folds
    return fold
