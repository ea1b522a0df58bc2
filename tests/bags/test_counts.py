"""Bags of differential counts with age and sex."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.bags.counts import COUNTS_ENCODER, count_bags, count_cohort, count_columns
from hemascope.core.bag import BagSet
from hemascope.core.cohort import Cohort
from hemascope.core.errors import CohortError
from hemascope.core.patient import PatientFacts

TYPES = ("blast", "lymphocyte")


def row_of(covariates: dict[str, str | float], counts: dict[str, float]) -> dict[str, float]:
    bags = count_bags([PatientFacts("p", covariates=covariates)], {"p": counts}, TYPES)
    return dict(zip(count_columns(TYPES), bags.values[0].tolist(), strict=True))


def test_counts_become_shares_beside_age_and_sex() -> None:
    row = row_of({"age": 60.0, "sex": "F"}, {"blast": 30, "lymphocyte": 10, "smudge": 99})
    assert row == pytest.approx(
        {"blast": 0.75, "lymphocyte": 0.25, "no count": 0, "age": 0.6, "no age": 0, "sex": 1, "no sex": 0}
    )


def test_what_is_missing_is_said_and_not_guessed() -> None:
    row = row_of({"sex": "unknown"}, {})
    assert row == {"blast": 0, "lymphocyte": 0, "no count": 1, "age": 0, "no age": 1, "sex": 0.5, "no sex": 1}
    assert row_of({"sex": "male", "age": "old"}, {})["no age"] == 1
    assert row_of({"sex": " Male ", "age": float("nan")}, {})["sex"] == 0


def test_a_bag_has_one_row_and_names_what_made_it() -> None:
    bags = count_bags([PatientFacts("a"), PatientFacts("b")], {"b": {"blast": 2}}, TYPES)
    assert bags.patients == ("a", "b")
    assert bags.sizes.tolist() == [1, 1]
    assert bags.values.dtype == np.float32
    assert bags.encoder == f"{COUNTS_ENCODER} (blast, lymphocyte)"
    assert len(count_bags([], {}, TYPES)) == 0


def cohort_of(*covariates: dict[str, str | float]) -> Cohort:
    facts = tuple(PatientFacts(f"p{place}", covariates=known) for place, known in enumerate(covariates))
    cells = np.ones((len(facts), 8), np.float32)
    return Cohort("c", facts, BagSet(tuple(f.patient for f in facts), cells, np.arange(len(facts) + 1), "images"))


def test_a_cohort_of_images_becomes_one_of_counts() -> None:
    counted = count_cohort(cohort_of({"count:blast": 3.0, "count:lymphocyte": 1.0, "age": 50.0}, {"stage": "2"}))
    assert counted.patients == ("p0", "p1")
    assert counted.bags.dimension == 7
    assert counted.bags.values[0].tolist() == [0.75, 0.25, 0, 0.5, 0, 0.5, 1]
    assert counted.bags.values[1].tolist() == [0, 0, 1, 0, 1, 0.5, 1]


def test_a_cohort_without_counts_or_with_wrong_ones_is_refused() -> None:
    with pytest.raises(CohortError, match="no column of the manifest begins with 'count:'"):
        count_cohort(cohort_of({"age": 50.0}))
    for wrong in ("many", -1.0):
        with pytest.raises(CohortError, match=f"patient p0: '{wrong}' in column 'count:blast'"):
            count_cohort(cohort_of({"count:blast": wrong}))


@pytest.mark.parametrize("count", [-1.0, float("nan"), float("inf")])
def test_counts_that_cannot_be_are_refused(count: float) -> None:
    with pytest.raises(ValueError, match="patient p: counts"):
        row_of({}, {"blast": count})
