"""Figures of selective classification: by hand, for a perfect confidence, and for one that knows nothing."""

import numpy as np
import pytest

from hemascope.evaluate.selective import (
    JudgedAnswers,
    judged_from_logits,
    paired_gain,
    score_judged,
    score_psychometric,
    score_selective,
    score_threshold,
    told_log_odds,
)
from hemascope.stats.log_softmax import log_softmax

CLASSES = ("a", "b", "c")


def answers(count: int = 400, sharpness: float = 2.0, seed: int = 0) -> JudgedAnswers:
    """Return answers of a calibrated classifier: logits that say how often each class is true."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 3)) * sharpness
    p = np.exp(log_softmax(logits))
    labels = (rng.random(count)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    return judged_from_logits(logits, labels, np.array([f"g{i // 2}" for i in range(count)]))


def with_confidence(given: JudgedAnswers, confidence: np.ndarray) -> JudgedAnswers:
    return JudgedAnswers(given.probabilities, given.labels, given.groups, confidence)


def test_log_odds_keep_their_digits_near_one() -> None:
    odds = told_log_odds(log_softmax(np.array([[0.0, 0.0, -1e6], [25.0, 0.0, -1e6], [200.0, 0.0, 0.0]])))
    assert odds == pytest.approx([0, 25, 30])  # the last is held


def test_classes_given_up_have_no_probability() -> None:
    judged = judged_from_logits(np.array([[0.0, -1.0, -np.inf]]), np.array([0]), np.array(["g"]))
    assert judged.probabilities[0, 2] == 0
    assert judged.confidence[0] == pytest.approx(1)


def test_a_confidence_that_knows_all_defers_the_wrong_ones_alone() -> None:
    plain = answers()
    figures = score_selective(with_confidence(plain, plain.right.astype(float)))
    assert figures["correct_wrong_auc"].value == 1
    assert figures["excess_aurc"].value == pytest.approx(0, abs=1e-12)
    assert figures["defer"].value == pytest.approx((~plain.right).mean())


def test_a_confidence_that_knows_nothing_gives_the_error_rate() -> None:
    plain = answers()
    figures = score_selective(with_confidence(plain, np.zeros(len(plain.labels))))
    assert figures["correct_wrong_auc"].value == 0.5
    assert figures["aurc"].value == pytest.approx((~plain.right).mean())
    assert figures["defer"].value == 1


def test_a_calibrated_confidence_is_between_the_two_and_has_intervals() -> None:
    figures = score_selective(answers())
    area = figures["correct_wrong_auc"]
    assert area.value is not None
    assert area.low is not None
    assert area.high is not None
    assert 0.6 < area.low < area.value < area.high < 0.95


def test_the_threshold_comes_from_validation() -> None:
    test, validation = answers(seed=1), answers(seed=2)
    loose = with_confidence(validation, np.where(validation.right, 1.0, -40.0))
    figures = score_threshold(test, loose, 0.9)
    kept = test.confidence >= 1
    assert figures["deferred"].value == pytest.approx(1 - kept.mean())
    assert figures["accuracy_kept"].value == pytest.approx(test.right[kept].mean())


def test_nothing_is_kept_where_validation_never_reaches_the_rate() -> None:
    test = answers(seed=1)
    hopeless = with_confidence(test, np.where(test.right, 0.0, 1.0)).part(np.flatnonzero(~test.right))
    figures = score_threshold(test, hopeless, 0.9)
    assert figures["deferred"].value == 1
    assert figures["accuracy_kept"].value is None


def test_the_psychometric_function_of_a_calibrated_confidence_is_near_the_logistic_one() -> None:
    figures, fitted = score_psychometric(answers(1500))
    assert fitted is not None
    assert fitted([0.0, 2.0]) == pytest.approx([0.5, 1 / (1 + np.exp(-2))], abs=0.08)
    assert figures["psychometric_spread"].low is not None


def test_without_an_error_there_is_no_psychometric_function() -> None:
    plain = answers()
    figures, fitted = score_psychometric(plain.part(np.flatnonzero(plain.right)))
    assert fitted is None
    assert all(estimate.value is None for estimate in figures.values())


def test_all_figures_stand_together() -> None:
    figures = score_judged(answers(seed=1), answers(seed=2), CLASSES, 0.9)
    assert {"balanced_accuracy", "ece", "correct_wrong_auc", "aurc", "defer", "deferred", "accuracy_kept"} <= set(
        figures
    )
    assert figures["psychometric_lapse"].value is not None


def test_gain_is_paired() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1])
    ours, theirs = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 0])
    gain = paired_gain(ours, theirs, truth, np.arange(6))
    assert gain.value == pytest.approx((0.25 + 0.5) / 2)
    none = paired_gain(ours, ours, truth, np.arange(6))
    assert (none.value, none.low, none.high) == (0, 0, 0)
