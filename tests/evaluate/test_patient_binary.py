"""Figures of two by two tables by hand, and a published table that no counts give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from hemascope.evaluate.patients.binary import BinaryCounts, count_binary, score_at, score_binary

COUNTS = st.builds(BinaryCounts, *[st.integers(0, 60)] * 4)


def test_figures_by_hand() -> None:
    scores = score_binary(BinaryCounts(true_positive=8, false_positive=5, true_negative=85, false_negative=2))
    assert scores.sensitivity.value == pytest.approx(0.8)
    assert scores.specificity.value == pytest.approx(85 / 90)
    assert scores.precision.value == pytest.approx(8 / 13)
    assert scores.negative_predictive_value.value == pytest.approx(85 / 87)
    assert scores.f1.value == pytest.approx(16 / 23)
    assert scores.balanced_accuracy.value == pytest.approx((0.8 + 85 / 90) / 2)


def test_shares_have_exact_intervals() -> None:
    found = score_binary(BinaryCounts(8, 5, 85, 2)).sensitivity
    exact = binomtest(8, 10).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_distances_to_the_exact_limits_are_added_in_squares() -> None:
    scores = score_binary(BinaryCounts(8, 5, 85, 2))
    below = [part.value - part.low for part in (scores.sensitivity, scores.specificity)]
    above = [part.high - part.value for part in (scores.sensitivity, scores.specificity)]
    middle = scores.balanced_accuracy.value
    assert scores.balanced_accuracy.low == pytest.approx(middle - np.sqrt(below[0] ** 2 + below[1] ** 2) / 2)
    assert scores.balanced_accuracy.high == pytest.approx(middle + np.sqrt(above[0] ** 2 + above[1] ** 2) / 2)


@given(COUNTS)
def test_every_figure_is_inside_its_interval_or_undefined(counts: BinaryCounts) -> None:
    scores = score_binary(counts)
    for name in ("sensitivity", "specificity", "precision", "negative_predictive_value", "f1", "balanced_accuracy"):
        figure = getattr(scores, name)
        if figure.value is None:
            assert figure.low is figure.high is None
        else:
            assert -1e-12 <= figure.low <= figure.value + 1e-12
            assert figure.value <= figure.high + 1e-12 <= 1 + 2e-12


@given(COUNTS)
def test_f1_is_the_harmonic_mean_where_it_is_one(counts: BinaryCounts) -> None:
    scores = score_binary(counts)
    if counts.true_positive:
        mean = 2 / (1 / scores.sensitivity.value + 1 / scores.precision.value)
        assert scores.f1.value == pytest.approx(mean)


@pytest.mark.parametrize(
    ("counts", "undefined"),
    [
        (BinaryCounts(0, 3, 7, 0), {"sensitivity", "balanced_accuracy"}),
        (BinaryCounts(5, 0, 0, 5), {"specificity", "balanced_accuracy"}),
        (BinaryCounts(0, 0, 7, 3), {"precision"}),
        (BinaryCounts(3, 7, 0, 0), {"negative_predictive_value"}),
        (BinaryCounts(0, 0, 7, 0), {"sensitivity", "precision", "f1", "balanced_accuracy"}),
    ],
)
def test_no_denominator_is_no_figure(counts: BinaryCounts, undefined: set[str]) -> None:
    scores = score_binary(counts)
    names = ("sensitivity", "specificity", "precision", "negative_predictive_value", "f1", "balanced_accuracy")
    assert {name for name in names if getattr(scores, name).value is None} == undefined


def test_intervals_of_f1_and_balanced_accuracy_hold_the_truth() -> None:
    generator = np.random.default_rng(1)
    shares = np.array([0.15, 0.1, 0.7, 0.05])  # of true and false positives, true and false negatives
    f1, balanced = 2 * 0.15 / (2 * 0.15 + 0.1 + 0.05), (0.75 + 0.875) / 2
    held = []
    for counts in generator.multinomial(120, shares, size=400):
        scores = score_binary(BinaryCounts(*counts.tolist()))
        held.append([e.low <= true <= e.high for e, true in ((scores.f1, f1), (scores.balanced_accuracy, balanced))])
    assert (np.mean(held, axis=0) >= 0.95).all()


def test_the_answer_is_yes_from_the_threshold_on() -> None:
    scores = score_at([0.1, 0.5, 0.5, 0.9], [False, True, False, True], 0.5)
    assert scores.counts == BinaryCounts(2, 1, 1, 0)
    assert scores.threshold == 0.5


PUBLISHED = [
    ("del(17p)", 15, 0.78, 0.81, 0.46, 0.72),
    ("t(4;14)", 19, 0.75, 0.80, 0.49, 0.68),
    ("t(11;14)", 27, 0.82, 0.83, 0.64, 0.79),
    ("gain(1q)", 58, 0.73, 0.74, 0.69, 0.71),
]


@pytest.mark.parametrize(("marker", "positives", "sensitivity", "specificity", "possible", "printed"), PUBLISHED)
def test_a_published_f1_is_impossible(
    marker: str, positives: int, sensitivity: float, specificity: float, possible: float, printed: float
) -> None:
    # Of 144 patients; sensitivity, specificity and F1 as printed in a table, prevalence as in its text.
    negatives = 144 - positives
    true_positive, true_negative = round(sensitivity * positives), round(specificity * negatives)
    counts = BinaryCounts(true_positive, negatives - true_negative, true_negative, positives - true_positive)
    f1 = score_binary(counts).f1
    assert f1.value == pytest.approx(possible, abs=0.015)
    best = max(
        score_binary(BinaryCounts(hits, alarms, negatives - alarms, positives - hits)).f1.value
        for hits in range(positives + 1)
        for alarms in range(negatives + 1)
        if abs(hits / positives - sensitivity) <= 0.03 and abs(1 - alarms / negatives - specificity) <= 0.005
    )
    assert best < printed


def test_precision_of_a_rare_marker_is_low() -> None:
    # del(17p): 12 of 15 found, 25 of 129 others told too.
    assert score_binary(BinaryCounts(12, 25, 104, 3)).precision.value == pytest.approx(0.32, abs=0.005)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="as many answers"):
        count_binary([True], [True, False])
    with pytest.raises(ValueError, match="below 0"):
        BinaryCounts(1, -1, 0, 0)
