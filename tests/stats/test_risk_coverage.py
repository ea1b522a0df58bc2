"""Risk against coverage: known curves, areas by hand, and what must hold of all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.stats.risk_coverage import (
    aurc_statistic,
    deferral_statistic,
    deferral_threshold,
    excess_aurc_statistic,
    risk_coverage,
)

ANSWERS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=25)


def value(statistic, count):
    return float(statistic(np.ones((1, count)))[0])


def split(answers):
    return np.array([a for a, _ in answers], float), np.array([b for _, b in answers])


def test_curve_of_four_answers():
    curve = risk_coverage([0.9, 0.6, 0.8, 0.6], [True, False, True, True])
    assert curve.threshold.tolist() == [0.9, 0.8, 0.6]
    assert curve.coverage.tolist() == [0.25, 0.5, 1.0]
    assert curve.risk.tolist() == [0, 0, 0.25]


def test_area_by_hand():
    # Risks of the 1, 2, 3, 4 most confident: 0, 1/2, 1/3, 2/4.
    confidence, right = [4, 3, 2, 1], [True, False, True, False]
    assert value(aurc_statistic(confidence, right), 4) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    # The best order has risks 0, 0, 1/3, 2/4.
    excess = value(excess_aurc_statistic(confidence, right), 4)
    assert excess == pytest.approx((1 / 2 + 1 / 3 + 1 / 2 - 1 / 3 - 1 / 2) / 4)


def test_a_tie_of_all_has_the_error_rate_as_area():
    assert value(aurc_statistic([1, 1, 1, 1], [True, False, True, True]), 4) == pytest.approx(0.25)


def test_ties_are_the_mean_over_orders():
    orders = [[1.2, 1.1, 1.0, 0], [1.1, 1.2, 1.0, 0], [1.0, 1.1, 1.2, 0]]  # the wrong one first, second, last of three
    right = [False, True, True, True]
    mean = np.mean([value(aurc_statistic(order, right), 4) for order in orders])
    assert value(aurc_statistic([1, 1, 1, 0], right), 4) == pytest.approx(mean)


def test_share_to_defer():
    confidence = np.arange(10)
    right = confidence != 2
    assert value(deferral_statistic(confidence, right, 0.9), 10) == 0
    assert value(deferral_statistic(confidence, right, 0.995), 10) == pytest.approx(0.3)
    assert deferral_threshold(confidence, right, 0.995) == 3
    assert deferral_threshold(confidence, right, 0.9) == 0


def test_a_tie_cannot_be_split_by_a_threshold():
    confidence, right = [2, 1, 1, 1], [True, True, True, False]
    assert value(deferral_statistic(confidence, right, 0.9), 4) == 0.75


def test_all_is_deferred_where_nothing_reaches_the_rate():
    assert value(deferral_statistic([2, 1], [False, False], 0.5), 2) == 1
    assert deferral_threshold([2, 1], [False, False], 0.5) == np.inf


@given(ANSWERS)
def test_areas_lie_between_best_and_worst(answers):
    confidence, right = split(answers)
    area, excess = (value(f(confidence, right), len(right)) for f in (aurc_statistic, excess_aurc_statistic))
    assert -1e-12 <= excess <= area + 1e-12
    assert area <= 1 + 1e-12
    perfect = value(excess_aurc_statistic(right.astype(float), right), len(right))
    assert perfect == pytest.approx(0, abs=1e-9)
    assert value(aurc_statistic(right.astype(float), right), len(right)) == pytest.approx(area - excess, abs=1e-9)


@given(ANSWERS, st.randoms())
def test_neither_order_nor_a_rising_scale_changes_anything(answers, random):
    confidence, right = split(answers)
    shuffled = list(range(len(right)))
    random.shuffle(shuffled)
    for make in (aurc_statistic, excess_aurc_statistic, lambda c, r: deferral_statistic(c, r, 0.8)):
        first = value(make(confidence, right), len(right))
        assert value(make(np.exp(confidence)[shuffled], right[shuffled]), len(right)) == pytest.approx(first, abs=1e-9)


@given(ANSWERS, st.integers(0, 1000))
def test_a_weight_of_two_is_an_answer_given_twice(answers, seed):
    confidence, right = split(answers)
    weights = np.random.default_rng(seed).integers(0, 3, len(right))
    weights[0] += weights.sum() == 0
    repeated = np.repeat(np.arange(len(right)), weights)
    for make in (aurc_statistic, excess_aurc_statistic, lambda c, r: deferral_statistic(c, r, 0.8)):
        weighted = float(make(confidence, right)(weights[None].astype(float))[0])
        listed = value(make(confidence[repeated], right[repeated]), len(repeated))
        assert weighted == pytest.approx(listed, abs=1e-9)


@given(ANSWERS, st.floats(0, 1))
def test_what_is_kept_reaches_the_rate(answers, accuracy):
    confidence, right = split(answers)
    kept = confidence >= deferral_threshold(confidence, right, accuracy)
    deferred = value(deferral_statistic(confidence, right, accuracy), len(right))
    assert deferred == pytest.approx(1 - kept.mean())
    assert not kept.any() or right[kept].mean() >= accuracy - 1e-9


@pytest.mark.parametrize(("confidence", "right"), [([], []), ([1.0], [True, False]), ([np.nan], [True])])
def test_what_is_no_list_of_answers_is_refused(confidence, right):
    with pytest.raises(ValueError, match="confidence"):
        risk_coverage(confidence, right)


def test_an_accuracy_beyond_one_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        deferral_threshold([1.0], [True], 99.5)
