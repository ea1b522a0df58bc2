"""A patient as a bag of cells: one row of numbers a cell, no order, any size; and many of them packed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Bag:
    """The embedded cells of one patient.

    Attributes
    ----------
    patient
        Whose they are.
    cell_ids
        N ids, in the order of the rows.
    values
        N x D float32, finite.
    encoder
        Digest or name of what made them; bags of different encoders must not meet in one model.

    Raises
    ------
    ValueError
        If there is no cell, not one row a cell, or a value is not finite.
    """

    patient: str
    cell_ids: tuple[str, ...]
    values: NDArray[np.float32]
    encoder: str

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or len(self.values) != len(self.cell_ids):
            raise ValueError(
                f"patient {self.patient}: {len(self.cell_ids)} cells need as many rows, not {self.values.shape}"
            )
        if not len(self.values):
            raise ValueError(f"patient {self.patient} has no cells")
        if not np.isfinite(self.values).all():
            raise ValueError(f"patient {self.patient}: embeddings must be finite")

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.cell_ids)


@dataclass(frozen=True, slots=True, eq=False)
class BagSet:
    """The bags of many patients, packed: the cells of all of them under each other.

    Attributes
    ----------
    patients
        P names, each once.
    values
        T x D float32: the cells of the first patient, then of the second, and so on; may be mapped from a file.
    starts
        P + 1 rows: the cells of patient p are ``values[starts[p] : starts[p + 1]]``, at least one.
    encoder
        As in ``Bag``.
    cell_ids
        T ids, or None where cells go by patient and number.

    Raises
    ------
    ValueError
        If the rows do not fit, or a patient is named twice or has no cells.
    """

    patients: tuple[str, ...]
    values: NDArray[np.float32]
    starts: NDArray[np.intp]
    encoder: str
    cell_ids: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.starts.shape != (len(self.patients) + 1,):
            raise ValueError(f"{len(self.patients)} bags do not fit {self.values.shape} and {self.starts.shape} starts")
        if self.starts[0] != 0 or self.starts[-1] != len(self.values) or (np.diff(self.starts) < 1).any():
            raise ValueError("starts must go from 0 to the number of cells, with a cell or more for every patient")
        if len(set(self.patients)) != len(self.patients):
            raise ValueError("a patient is named twice")
        if self.cell_ids is not None and len(self.cell_ids) != len(self.values):
            raise ValueError(f"{len(self.cell_ids)} ids do not fit {len(self.values)} cells")

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.patients)

    @property
    def dimension(self) -> int:
        """Numbers a cell."""
        return int(self.values.shape[1])

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Cells of each patient."""
        return np.diff(self.starts)

    def cells(self, patient: int) -> NDArray[np.float32]:
        """Return the N x D rows of the patient at a place."""
        return self.values[self.starts[patient] : self.starts[patient + 1]]

    def bag(self, patient: int) -> Bag:
        """Return the bag of the patient at a place."""
        rows = range(int(self.starts[patient]), int(self.starts[patient + 1]))
        name = self.patients[patient]
        if self.cell_ids is None:
            ids = tuple(f"{name}#{number}" for number in range(1, len(rows) + 1))
        else:
            ids = tuple(self.cell_ids[row] for row in rows)
        return Bag(name, ids, np.ascontiguousarray(self.cells(patient)), self.encoder)

    def select(self, places: Sequence[int] | NDArray[np.intp]) -> BagSet:
        """Return the bags of some patients, in the order of their places."""
        rows = [np.arange(self.starts[place], self.starts[place + 1]) for place in places]
        every = np.concatenate(rows) if rows else np.empty(0, np.intp)
        starts = np.concatenate([[0], np.cumsum([len(part) for part in rows])]).astype(np.intp)
        ids = None if self.cell_ids is None else [self.cell_ids[row] for row in every]
        return BagSet(tuple(self.patients[p] for p in places), self.values[every], starts, self.encoder, ids)


def pack_bags(bags: Sequence[Bag]) -> BagSet:
    """Return bags packed together.

    Raises
    ------
    ValueError
        If there is none, or their encoders or dimensions differ.
    """
    encoders = {(bag.encoder, bag.values.shape[1]) for bag in bags}
    if len(encoders) != 1:
        raise ValueError(f"bags of one encoder can be packed together, not of {len(encoders)}")
    starts = np.concatenate([[0], np.cumsum([len(bag) for bag in bags])]).astype(np.intp)
    ids = [cell for bag in bags for cell in bag.cell_ids]
    values = np.concatenate([bag.values for bag in bags])
    return BagSet(tuple(bag.patient for bag in bags), values, starts, bags[0].encoder, ids)
