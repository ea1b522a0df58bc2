"""What a model must beat: a differential count with age and sex, as bags of one row that the same training takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.core.cohort import Cohort
from hemascope.core.errors import CohortError
from hemascope.core.patient import Fact, PatientFacts

COUNTS_ENCODER = "differential counts, age, sex"
"""``Bag.encoder`` of such bags, with the names of their columns behind it."""

COUNT_COLUMN = "count:"
"""How a manifest's columns of counts begin: ``count:blast``."""

AGE_UNIT = 100.0
"""Years that count as 1, so that ages are of the size of shares."""

_FEMALE, _MALE = ("f", "female", "w"), ("m", "male")


def count_cohort(cohort: Cohort) -> Cohort:
    """Return the same patients as bags of counts, from columns ``count:TYPE`` of the manifest, ``age`` and ``sex``.

    Their embedded cells are left aside: what a model learns from these bags, it learns without images.

    Raises
    ------
    CohortError
        If no column begins so, or a count is no number of 0 or more.
    """
    columns = sorted({name for facts in cohort.facts for name in facts.covariates if name.startswith(COUNT_COLUMN)})
    if not columns:
        raise CohortError(
            f"cohort {cohort.name}: no column of the manifest begins with '{COUNT_COLUMN}'; add one a cell type, such "
            f"as {COUNT_COLUMN}blast"
        )
    counts = {
        facts.patient: {
            name.removeprefix(COUNT_COLUMN): _count(facts.patient, name, facts.covariates[name])
            for name in columns
            if name in facts.covariates
        }
        for facts in cohort.facts
    }
    bags = count_bags(cohort.facts, counts, [name.removeprefix(COUNT_COLUMN) for name in columns])
    return replace(cohort, bags=bags)


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
    male, and whether sex is missing. What is missing is 0, or 0.5 for sex. A number for sex counts as missing: nobody
    knows which it stands for.

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


def _count(patient: str, column: str, told: Fact) -> float:
    if isinstance(told, str) or not np.isfinite(told) or told < 0:
        raise CohortError(f"patient {patient}: '{told}' in column '{column}' is no count; write a number of 0 or more")
    return float(told)


def _age(told: Fact | None) -> float | None:
    """Return years; None where missing or no number."""
    return float(told) if isinstance(told, int | float) and np.isfinite(told) and told >= 0 else None


def _female(told: Fact | None) -> float | None:
    """Return 1 for female, 0 for male, None where neither is said."""
    word = str(told).strip().lower()
    return 1.0 if word in _FEMALE else 0.0 if word in _MALE else None
