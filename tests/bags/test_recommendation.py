"""Thresholds of malignancy: the letter's arithmetic, and what each rule promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.bags.recommendation import Recommendation, ThresholdRule, choose_threshold, recommend
from hemascope.core.errors import CohortError

Case = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]


def letter(alarmed_donors: int) -> Case:
    """The letter's 409 people: 268 malignant (46 acute, 16 others missed), 42 reactive, 99 donors, 24 false alarms."""
    malignant = np.arange(409) < 268
    acute = np.arange(409) < 46
    donor = np.arange(409) >= 310
    malignancy = np.where(malignant, 0.9, 0.1).astype(np.float64)
    malignancy[252:268] = 0.3
    malignancy[310 : 310 + alarmed_donors] = 0.7
    malignancy[268 : 268 + 24 - alarmed_donors] = 0.7
    return malignancy, malignant, acute, donor


def drawn(seed: int, patients: int = 60) -> Case:
    generator = np.random.default_rng(seed)
    malignant = generator.random(patients) < 0.5
    malignant[:2] = True, False
    acute = malignant & (generator.random(patients) < 0.4)
    acute[0] = True
    # Few values, so that there are ties.
    malignancy = np.asarray(np.clip(generator.normal(0.35 + 0.3 * malignant, 0.2), 0, 1), np.float64).round(2)
    return malignancy, malignant, acute, ~malignant & (generator.random(patients) < 0.3)


def test_the_letter_s_arithmetic() -> None:
    malignancy, malignant, acute, donor = letter(alarmed_donors=3)
    found = recommend(malignancy, malignant, acute, 0.5, donor)
    assert found == Recommendation(0.5, 268, 16, 46, 0, 42, 21, 99, 3)
    assert found.unneeded_before == pytest.approx(42 / 310)
    assert round(found.unneeded_before, 3) == 0.135
    assert round(found.sensitivity, 2) == 0.94
    assert round(found.specificity, 2) == 0.83
    # The letter's 8.7% takes the 24 false alarms from all 141 people without malignancy, donors too ...
    assert round((42 - found.avoided + found.alarmed_donors) / (252 + 24), 3) == 0.087
    # ... while its 13.5% does not: of the people who had the procedure, it is 21 of 273.
    assert found.unneeded == pytest.approx(21 / 273)


def test_without_donors_named_everybody_counts_as_sent_there() -> None:
    malignancy, malignant, acute, _ = letter(alarmed_donors=3)
    found = recommend(malignancy, malignant, acute, 0.5)
    assert (found.benign, found.avoided, found.donors) == (141, 117, 0)
    assert found.unneeded_before == pytest.approx(141 / 409)
    assert round(found.unneeded, 3) == 0.087


def test_at_the_threshold_it_is_recommended() -> None:
    malignancy = np.array([0.5, 0.5, 0.4])
    found = recommend(malignancy, np.array([True, False, False]), np.zeros(3, bool), 0.5)
    assert (found.missed, found.avoided) == (0, 1)


def test_known_answers() -> None:
    malignancy = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    malignant = np.array([0, 1, 0, 0, 1, 0, 1, 1], bool)
    acute = np.array([0, 0, 0, 0, 1, 0, 0, 1], bool)
    every = choose_threshold(malignancy, malignant, acute, "sensitivity", sensitivity=1)
    assert every.threshold == pytest.approx(0.15)
    assert (every.missed, every.avoided) == (0, 1)
    most = choose_threshold(malignancy, malignant, acute, "sensitivity", sensitivity=0.75)
    assert most.threshold == pytest.approx(0.5)
    assert (most.missed, most.avoided) == (1, 3)
    grave = choose_threshold(malignancy, malignant, acute, "all_acute")
    assert grave.threshold == pytest.approx(0.5)
    assert (grave.missed, grave.missed_acute) == (1, 0)
    best = choose_threshold(malignancy, malignant, acute, "youden")
    assert best.threshold == pytest.approx(0.5)


@given(st.integers(0, 200), st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_a_fixed_sensitivity_is_kept_at_the_highest_threshold(seed: int, least: float) -> None:
    malignancy, malignant, acute, donor = drawn(seed)
    found = choose_threshold(malignancy, malignant, acute, "sensitivity", sensitivity=least, is_donor=donor)
    assert found.sensitivity >= least - 1e-9
    above = malignancy[malignancy > found.threshold]
    if len(above):
        next_up = recommend(malignancy, malignant, acute, float(np.nextafter(above.min(), 2)), donor)
        assert next_up.sensitivity < least


@given(st.integers(0, 200))
def test_no_acute_leukemia_is_missed(seed: int) -> None:
    malignancy, malignant, acute, donor = drawn(seed)
    found = choose_threshold(malignancy, malignant, acute, ThresholdRule.ALL_ACUTE, is_donor=donor)
    assert found.missed_acute == 0
    lowest = float(malignancy[acute].min())
    assert not (malignancy[malignancy < lowest] >= found.threshold).any()
    assert recommend(malignancy, malignant, acute, float(np.nextafter(lowest, 2)), donor).missed_acute > 0


@given(st.integers(0, 200))
def test_no_threshold_has_a_greater_youden_index(seed: int) -> None:
    malignancy, malignant, acute, donor = drawn(seed)
    found = choose_threshold(malignancy, malignant, acute, ThresholdRule.YOUDEN, is_donor=donor)
    others = [recommend(malignancy, malignant, acute, at, donor) for at in np.unique(malignancy)]
    assert all(o.sensitivity + o.specificity <= found.sensitivity + found.specificity + 1e-9 for o in others)


def test_rounding_moves_nobody_across_a_chosen_threshold() -> None:
    malignancy, malignant, acute, _ = drawn(5)
    for rule in ThresholdRule:
        found = choose_threshold(malignancy, malignant, acute, rule)
        rounded = recommend(malignancy.astype(np.float32).astype(np.float64), malignant, acute, found.threshold)
        assert rounded == found


def test_where_all_say_the_same_everybody_is_recommended() -> None:
    malignant = np.array([True, False])
    found = choose_threshold(np.zeros(2), malignant, malignant, "all_acute")
    assert (found.threshold, found.missed, found.avoided) == (0, 0, 0)


def test_only_out_of_fold_answers_choose() -> None:
    malignancy, malignant, acute, _ = drawn(1, 4)
    same = ["out_of_fold"] * 4
    assert choose_threshold(malignancy, malignant, acute, "youden", splits=same).malignant
    with pytest.raises(CohortError, match="out-of-fold answers alone, but these are of: test, train"):
        choose_threshold(malignancy, malignant, acute, "youden", splits=["out_of_fold", "train", "test", "test"])


def test_patients_must_be_there() -> None:
    none, some = np.zeros(3, bool), np.array([True, False, False])
    with pytest.raises(CohortError, match="needs malignant patients"):
        choose_threshold(np.zeros(3), none, none, "sensitivity")
    with pytest.raises(CohortError, match="others too"):
        choose_threshold(np.zeros(3), ~none, none, "youden")
    with pytest.raises(CohortError, match="all_acute needs patients with acute leukemia"):
        choose_threshold(np.zeros(3), some, none, "all_acute")


def test_truths_must_fit() -> None:
    some, none = np.array([True, False, False]), np.zeros(3, bool)
    with pytest.raises(ValueError, match="one truth of each kind"):
        recommend(np.zeros(2), some, none, 0.5)
    with pytest.raises(ValueError, match="0 to 1"):
        recommend(np.array([0.1, np.nan, 2]), some, none, 0.5)
    with pytest.raises(ValueError, match="what is acute is malignant"):
        recommend(np.zeros(3), none, some, 0.5)
    with pytest.raises(ValueError, match="a donor is not"):
        recommend(np.zeros(3), some, none, 0.5, some)
    with pytest.raises(ValueError, match="sensitivity is above 0"):
        choose_threshold(np.zeros(3), some, none, "sensitivity", sensitivity=0)
    assert math.isnan(recommend(np.zeros(1), np.zeros(1, bool), np.zeros(1, bool), 0.5).sensitivity)
