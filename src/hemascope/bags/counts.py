"""What a model must beat: a differential count with age and sex, as bags of one row that the same training takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.core.patient import Fact, PatientFacts

COUNTS_ENCODER = "differential counts, age, sex"
"""``Bag.encoder`` of such bags, with the names of their columns behind it."""

AGE_UNIT = 100.0
"""Years that count as 1, so that ages are of the size of shares."""

_FEMALE, _MALE = ("f", "female", "w"), ("m", "male")


def count_bags(
    facts: Sequence[PatientFacts], counts: Mapping[str, Mapping[str, float]], types: Sequence[str]
) -> BagSet:
    """Return a bag of one row a patient: shares of cell types, age, sex, and what is missing.

    Parameters
    ----------
    facts
        P patients; ``age`` (years) and ``sex`` are covariates.
    counts
        Patient to cells of each type, or shares; scaled to sum to 1 over ``types``. A patient without any has no count.
    types
        Cell types, in the order of the columns.

    Returns
    -------
    Rows of the shares; then whether there is no count; age in centuries and whether it is missing; 1 for female, 0 for
    male, and whether sex is missing. What is missing is 0, or 0.5 for sex.

    Raises
    ------
    ValueError
        If a count is negative, or not finite.
    """
    rows = [_row(patient, counts.get(patient.patient, {}), types) for patient in facts]
    values = np.array(rows, np.float32).reshape(len(facts), len(types) + 5)
    names = ", ".join(types)
    starts = np.arange(len(facts) + 1, dtype=np.intp)
    return BagSet(tuple(patient.patient for patient in facts), values, starts, f"{COUNTS_ENCODER} ({names})")


def count_columns(types: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns of ``count_bags``."""
    return (*types, "no count", "age", "no age", "sex", "no sex")


def _row(patient: PatientFacts, counts: Mapping[str, float], types: Sequence[str]) -> NDArray[np.float64]:
    cells = np.array([float(counts.get(name, 0.0)) for name in types])
    if not np.isfinite(cells).all() or (cells < 0).any():
        raise ValueError(f"patient {patient.patient}: counts are finite and 0 or more")
    total = cells.sum()
    shares = cells / total if total else cells
    age, sex = _age(patient.covariates.get("age")), _female(patient.covariates.get("sex"))
    return np.concatenate(
        [shares, [float(not total), (age or 0.0) / AGE_UNIT, age is None, 0.5 if sex is None else sex, sex is None]]
    )


def _age(told: Fact | None) -> float | None:
    """Return years; None where missing or no number."""
    return float(told) if isinstance(told, int | float) and np.isfinite(told) and told >= 0 else None


def _female(told: Fact | None) -> float | None:
    """Return 1 for female, 0 for male, None where neither is said."""
    word = str(told).strip().lower()
    return 1.0 if word in _FEMALE else 0.0 if word in _MALE else None
