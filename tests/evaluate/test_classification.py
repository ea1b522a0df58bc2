"""Scores of types on small tables that can be worked out by hand."""

import numpy as np
import pytest

from hemascope.evaluate.classification import score_classification
from hemascope.stats.calibration import expected_calibration_error

CLASSES = ("a", "b", "c")


def sure(told: list[int], confidence: float = 0.8) -> np.ndarray:
    rows = np.full((len(told), 3), (1 - confidence) / 2)
    rows[np.arange(len(told)), told] = confidence
    return rows


def test_scores_by_hand() -> None:
    # a: 2 of 3 right; b: 1 of 1; c never occurs but is told once.
    scores = score_classification(sure([0, 0, 2, 1]), [0, 0, 0, 1], list("wxyz"), CLASSES)
    assert scores.confusion.tolist() == [[2, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert scores.overall["accuracy"].value == pytest.approx(3 / 4)
    assert scores.overall["balanced_accuracy"].value == pytest.approx((2 / 3 + 1) / 2)
    assert scores.overall["macro_f1"].value == pytest.approx((4 / 5 + 1) / 2)
    assert scores.overall["brier"].value == pytest.approx((3 * (0.04 + 0.02) + (0.81 + 0.64 + 0.01)) / 4)
    assert scores.overall["nll"].value == pytest.approx(-(3 * np.log(0.8) + np.log(0.1)) / 4)


def test_per_class_by_hand() -> None:
    scores = score_classification(sure([0, 0, 2, 1]), [0, 0, 0, 1], list("wxyz"), CLASSES)
    assert scores.per_class["a"]["recall"].value == pytest.approx(2 / 3)
    assert scores.per_class["a"]["precision"].value == 1
    assert (scores.per_class["c"]["recall"].value, scores.per_class["c"]["precision"].value) == (None, 0)
    assert [scores.per_class[name]["labeled"].value for name in CLASSES] == [3, 1, 0]


def test_calibration_is_that_of_the_top_answer() -> None:
    generator = np.random.default_rng(0)
    p = generator.dirichlet([1, 1, 1], 300)
    truth = np.array([generator.choice(3, p=row) for row in p])
    scores = score_classification(p, truth, np.arange(300), CLASSES)
    expected = expected_calibration_error(p.max(axis=1), p.argmax(axis=1) == truth)
    assert scores.overall["ece"].value == pytest.approx(expected)
    assert scores.overall["ece"].value <= scores.overall["ece_plain"].value
    assert sum(b.count for b in scores.reliability) == 300


def test_statistics_are_those_of_the_repeated_records() -> None:
    generator = np.random.default_rng(1)
    p, truth = generator.dirichlet([1, 1, 1], 40), generator.integers(0, 3, 40)
    twice = score_classification(np.vstack([p, p]), np.tile(truth, 2), np.tile(np.arange(40), 2), CLASSES)
    once = score_classification(p, truth, np.arange(40), CLASSES)
    for name in ("balanced_accuracy", "macro_f1", "brier", "nll"):
        assert twice.overall[name].value == pytest.approx(once.overall[name].value)
        assert (twice.overall[name].low, twice.overall[name].high) == pytest.approx(
            (once.overall[name].low, once.overall[name].high)
        )


def test_intervals_widen_when_records_are_not_independent() -> None:
    generator = np.random.default_rng(2)
    truth = np.repeat(generator.integers(0, 3, 30), 10)
    told = np.where(np.repeat(generator.uniform(size=30) < 0.7, 10), truth, (truth + 1) % 3)
    rows = sure(told.tolist())
    alone = score_classification(rows, truth, np.arange(300), CLASSES).overall["macro_f1"]
    grouped = score_classification(rows, truth, np.repeat(np.arange(30), 10), CLASSES).overall["macro_f1"]
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("probabilities", "labels", "groups", "classes"),
    [
        (sure([0]), [0], ["x"], ("a", "b")),
        (sure([0]), [0], ["x", "y"], CLASSES),
        (np.zeros((0, 3)), [], [], CLASSES),
        (np.full((1, 3), 0.5), [0], ["x"], CLASSES),
    ],
)
def test_shapes_that_disagree_are_refused(
    probabilities: np.ndarray, labels: list[int], groups: list[str], classes: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"row|groups"):
        score_classification(probabilities, labels, groups, classes)
