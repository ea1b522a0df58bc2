"""Many patients: what is known of each, and their cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.core.patient import PatientFacts

MISSING = ("", "na", "n/a", "nan")
"""What a manifest writes, in lower case, where it does not know."""


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """The patients of a study.

    Attributes
    ----------
    name
        What it is called: the name of its manifest without the ending.
    facts
        P patients.
    bags
        Their cells, in the same order.
    excluded
        Facts of those who are left out, each with the reason; their cells are not among ``bags``.

    Raises
    ------
    ValueError
        If facts and bags are not of the same patients in the same order.
    """

    name: str
    facts: tuple[PatientFacts, ...]
    bags: BagSet
    excluded: tuple[PatientFacts, ...] = ()

    def __post_init__(self) -> None:
        if tuple(fact.patient for fact in self.facts) != self.bags.patients:
            raise ValueError(f"cohort {self.name}: facts and bags must be of the same patients in the same order")

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.facts)

    @property
    def patients(self) -> tuple[str, ...]:
        """Names, in order."""
        return self.bags.patients

    def select(self, places: Sequence[int] | NDArray[np.intp]) -> Cohort:
        """Return the cohort of some patients, in the order of their places."""
        return Cohort(self.name, tuple(self.facts[place] for place in places), self.bags.select(places), self.excluded)
