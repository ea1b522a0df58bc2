"""What a threshold of malignancy spares and misses, and the arithmetic of a published claim."""

import numpy as np
import pytest

from hemascope.evaluate.patients.procedures import THRESHOLDS, ProcedureRow, procedure_table
from hemascope.evaluate.patients.questions import binary_question

MALIGNANT, ACUTE, REACTIVE, DONORS = 268, 46, 42, 99


@pytest.fixture(scope="module")
def published() -> ProcedureRow:
    # 252 of 268 malignant patients and 24 of the 141 others are above 0.5, all 46 acute leukemias among them. How many
    # of the 24 were donors was not printed: 3 here.
    told = np.concatenate([
        np.full(252, 0.9), np.full(16, 0.1), np.full(21, 0.7), np.full(21, 0.3), np.full(3, 0.6), np.full(96, 0.05)
    ])  # fmt: skip
    place = np.arange(MALIGNANT + REACTIVE + DONORS)
    (row,) = procedure_table(
        binary_question("malignant", told, place < MALIGNANT), place < ACUTE, place >= MALIGNANT + REACTIVE, (0.5,)
    )
    return row


def test_the_published_baseline_leaves_donors_out(published: ProcedureRow) -> None:
    assert published.unneeded_before.value == pytest.approx(42 / (268 + 42))
    assert round(100 * published.unneeded_before.value, 1) == 13.5


def test_the_published_rate_counts_them(published: ProcedureRow) -> None:
    assert published.unneeded_with_donors.value == pytest.approx(24 / (252 + 24))
    assert round(100 * published.unneeded_with_donors.value, 1) == 8.7
    relative = 1 - published.unneeded_with_donors.value / published.unneeded_before.value
    assert relative == pytest.approx(0.35, abs=0.01)


def test_the_same_people_give_another_rate(published: ProcedureRow) -> None:
    assert published.unneeded.value == pytest.approx(21 / (252 + 21))


def test_the_price_stands_beside_it(published: ProcedureRow) -> None:
    counts = published.counts
    assert (counts.missed, counts.missed_acute, counts.malignant, counts.acute) == (16, 0, 268, 46)
    assert counts.benign - counts.avoided + counts.alarmed_donors == 24
    assert counts.benign + counts.donors == 141
    assert round(published.sensitivity.value, 2) == 0.94
    assert round(published.specificity.value, 2) == 0.83
    assert published.acute_sensitivity.value == 1
    assert published.acute_sensitivity.low < 0.93


def test_a_higher_threshold_spares_more_and_misses_more() -> None:
    generator = np.random.default_rng(0)
    malignant, donor = np.arange(200) < 120, np.arange(200) >= 170
    told = 1 / (1 + np.exp(-generator.normal(size=200) - 2 * malignant + 1))
    rows = procedure_table(binary_question("malignant", told, malignant), np.arange(200) < 30, donor)
    assert [row.counts.threshold for row in rows] == list(THRESHOLDS)
    for name in ("missed", "missed_acute", "avoided"):
        counts = [getattr(row.counts, name) for row in rows]
        assert counts == sorted(counts)
    first, last = rows[0], rows[-1]
    assert (first.counts.missed, first.counts.avoided, first.unneeded.value) == (0, 0, first.unneeded_before.value)
    assert last.counts.missed == 120
    assert last.unneeded.value is None


def test_without_acute_leukemias_or_donors() -> None:
    none = np.zeros(3, bool)
    (row,) = procedure_table(binary_question("malignant", [0.2, 0.6, 0.8], [0, 0, 1]), none, none, (0.5,))
    assert row.acute_sensitivity.value is None
    assert row.unneeded.value == row.unneeded_with_donors.value == 0.5
