"""Bags of differential counts with age and sex."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.bags.counts import COUNTS_ENCODER, count_bags, count_columns
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


@pytest.mark.parametrize("count", [-1.0, float("nan"), float("inf")])
def test_counts_that_cannot_be_are_refused(count: float) -> None:
    with pytest.raises(ValueError, match="patient p: counts"):
        row_of({}, {"blast": count})
