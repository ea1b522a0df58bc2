"""Thresholds by exhaustive search, and that none is ever chosen on test answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from patient_cohorts import draw_markers

from hemascope.evaluate.patients.binary import count_binary
from hemascope.evaluate.patients.questions import binary_question, questions_of
from hemascope.evaluate.patients.thresholds import (
    Rule,
    apply_thresholds,
    choose_threshold,
    choose_thresholds,
    sensitivity_threshold,
    youden_threshold,
)

CASES = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=25).filter(
    lambda cases: len({there for _, there in cases}) == 2
)


def rates(told: np.ndarray, present: np.ndarray, threshold: float) -> tuple[float, float]:
    counts = count_binary(told >= threshold, present)
    return counts.true_positive / counts.positive, counts.true_negative / counts.negative


@given(CASES)
def test_youden_is_the_best_of_all(cases: list[tuple[int, bool]]) -> None:
    told, present = np.array([p / 8 for p, _ in cases]), np.array([there for _, there in cases])
    chosen = sum(rates(told, present, youden_threshold(told, present)))
    assert chosen == pytest.approx(max(sum(rates(told, present, t)) for t in np.linspace(0, 1, 33)))


@given(CASES, st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_fixed_sensitivity_is_reached_and_no_higher_threshold_does(
    cases: list[tuple[int, bool]], wanted: float
) -> None:
    told, present = np.array([p / 8 for p, _ in cases]), np.array([there for _, there in cases])
    threshold = sensitivity_threshold(told, present, wanted)
    assert rates(told, present, threshold)[0] >= wanted - 1e-12
    higher = told[told > threshold]
    if len(higher):
        assert rates(told, present, np.nextafter(higher.min(), 2))[0] < wanted


def test_thresholds_lie_between_probabilities() -> None:
    assert youden_threshold([0.1, 0.2, 0.6, 0.8], [0, 0, 1, 1]) == pytest.approx(0.4)
    assert sensitivity_threshold([0.1, 0.2, 0.6, 0.8], [0, 1, 0, 1], 1.0) == pytest.approx(0.15)
    assert sensitivity_threshold([0.1, 0.2, 0.6, 0.8], [0, 1, 0, 1], 0.5) == pytest.approx(0.7)


def test_of_equals_the_lowest_misses_least() -> None:
    # From 0.3 on and from 0.7 on: sensitivity + specificity is 1.5 either way.
    assert youden_threshold([0.2, 0.4, 0.6, 0.8], [0, 1, 0, 1]) == pytest.approx(0.3)


def test_one_kind_alone_has_no_threshold() -> None:
    assert youden_threshold([0.1, 0.2], [1, 1]) is None
    assert sensitivity_threshold([0.1, 0.2], [0, 0]) is None
    lone = choose_threshold(binary_question("m", [0.1, 0.2], [1, 1]), "out_of_fold")
    assert lone.value is lone.scores is None


def test_a_threshold_is_chosen_on_one_split_and_judged_on_another() -> None:
    answers = draw_markers(300, splits=["out_of_fold"] * 200 + ["test"] * 100)
    chosen = choose_thresholds(answers, "fish")
    only_those = choose_thresholds(answers.select(np.arange(200)), "fish")
    assert [t.value for t in chosen] == [t.value for t in only_those]
    assert {(t.chosen_on, t.rule) for t in chosen} == {("out_of_fold", Rule.YOUDEN)}
    scores = apply_thresholds(questions_of(answers.of_split("test"), "fish"), chosen)
    for threshold in chosen:
        assert threshold.scores.counts.total == 200
        assert scores[threshold.question].counts.total == 100
        assert scores[threshold.question].threshold == threshold.value


def test_never_on_test_answers() -> None:
    answers = draw_markers(50, splits=["test"] * 50)
    with pytest.raises(ValueError, match="never chosen on test"):
        choose_thresholds(answers, "fish", split="test")


def test_a_question_without_a_threshold_is_an_error() -> None:
    questions = questions_of(draw_markers(50), "fish")
    with pytest.raises(ValueError, match=r"no threshold was chosen for gain\(1q\)"):
        apply_thresholds(questions, choose_thresholds(draw_markers(50), "fish")[:2])
    undecided = [choose_threshold(binary_question(q.name, [0.5], [1]), "val") for q in questions]
    assert set(apply_thresholds(questions, undecided).values()) == {None}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="sensitivity lies"):
        sensitivity_threshold([0.1, 0.2], [0, 1], 0.0)
    with pytest.raises(ValueError, match="as many probabilities"):
        youden_threshold([0.1], [0, 1])
