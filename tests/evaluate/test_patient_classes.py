"""Figures of classes by hand, and the two levels of a table of diseases."""

import numpy as np
import pytest
from patient_cohorts import DISEASE, draw_diseases, make_answers

from hemascope.evaluate.patients.calibration import calibration_of_classes, calibration_of_question
from hemascope.evaluate.patients.classes import ClassAnswers, class_answers, cross_table, score_classes
from hemascope.evaluate.patients.questions import binary_question, questions_of

TOLD = np.array([[0.6, 0.3, 0.1], [0.5, 0.1, 0.4], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7], [0.3, 0.6, 0.1], [np.nan] * 3])
ANSWERS = make_answers([DISEASE], {"disease": TOLD}, {"disease": [0, 2, 1, 2, 0, 0]})


def test_counts_and_shares_by_hand() -> None:
    scores = score_classes(class_answers(ANSWERS, "disease"))
    assert scores.patients == 5
    assert scores.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 1))
    assert scores.overall["accuracy"].value == pytest.approx(3 / 5)
    assert scores.overall["top_2_accuracy"].value == pytest.approx(1)
    assert scores.overall["balanced_accuracy"].value == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert scores.overall["macro_f1"].value == pytest.approx((2 / 4 + 2 / 3 + 2 / 3) / 3)
    assert scores.per_class["mds"].precision.value == pytest.approx(0.5)
    assert scores.per_class["acute"].counts.false_negative == 1


def test_the_published_confusion_of_a_class() -> None:
    # Of 37 patients with AML 26 are told acute leukemia and 9 MDS.
    table = cross_table(["AML"] * 37 + [""], [0] * 26 + [1] * 9 + [2] * 2 + [0], ["acute", "mds", "other"])
    assert table.labels == ("AML",)
    assert table.counts == ((26, 9, 2),)
    assert round(table.counts[0][0] / 37, 2) == 0.70


def test_top_k_grows_to_1() -> None:
    scores = score_classes(class_answers(draw_diseases(), "disease"))
    steps = [scores.overall[name].value for name in ("accuracy", "top_2_accuracy", "top_3_accuracy")]
    assert steps == sorted(steps)
    assert steps[-1] == 1


def test_written_with_few_digits_sums_to_1() -> None:
    rounded = make_answers([DISEASE], {"disease": np.array([[0.333, 0.333, 0.333]])}, {"disease": [0]})
    assert class_answers(rounded, "disease").probabilities.sum() == pytest.approx(1)


def test_no_patient_is_no_figure() -> None:
    empty = class_answers(ANSWERS.select(np.zeros(6, bool)), "disease")
    scores = score_classes(empty)
    assert scores.patients == 0
    assert {figure.value for figure in scores.overall.values()} == {None}
    assert calibration_of_classes(empty).ece.value is None
    assert calibration_of_classes(empty).reliability == ()


def test_an_absent_class_is_undefined_not_0() -> None:
    scores = score_classes(class_answers(ANSWERS.select([0, 1, 3]), "disease"))
    assert scores.per_class["mds"].sensitivity.value is None
    assert scores.per_class["mds"].precision.value is None
    assert scores.overall["balanced_accuracy"].value == pytest.approx(0.75)


def test_calibrated_answers_are_called_so() -> None:
    answers = draw_diseases(400)
    found = calibration_of_classes(class_answers(answers, "disease"), bins=10)
    assert found.ece.value < 0.05
    assert found.ece.value <= found.ece_plain.value
    assert sum(row.count for row in found.reliability) == 400
    assert len(found.reliability) == 10
    for question in questions_of(answers, "disease"):
        assert calibration_of_question(question).ece.value < 0.06


def test_answers_too_sure_are_found_out() -> None:
    plain = class_answers(draw_diseases(300), "disease")
    sure = plain.probabilities**4
    found = calibration_of_classes(
        ClassAnswers(plain.classes, plain.rows, plain.patients, sure / sure.sum(axis=1, keepdims=True), plain.truth)
    )
    assert found.ece.low > 0.05
    assert found.brier.value > calibration_of_classes(plain).brier.value


def test_brier_by_hand() -> None:
    assert calibration_of_question(binary_question("m", [0.8, 0.4], [1, 0])).brier.value == pytest.approx(0.1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="k of 1 or more"):
        score_classes(class_answers(ANSWERS, "disease"), top=(0, 1))
    with pytest.raises(ValueError, match="as many labels"):
        cross_table(["a"], [0, 1], ["x"])
