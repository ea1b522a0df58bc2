"""Questions made from answers: who is asked about, and what malignancy is."""

import numpy as np
import pytest
from patient_cohorts import DISEASE, HEMOGLOBIN, MARKERS, draw_diseases, make_answers

from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.evaluate.patients.questions import binary_question, class_question, questions_of

TOLD = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [np.nan] * 3, [0.2, 0.5, 0.3]])
ANSWERS = make_answers([DISEASE], {"disease": TOLD}, {"disease": [0, 2, 1, np.nan]})


def test_a_class_is_asked_against_the_rest() -> None:
    questions = questions_of(ANSWERS, "disease")
    assert [question.name for question in questions] == ["healthy", "mds", "acute"]
    assert questions[2].rows.tolist() == [0, 1]
    assert questions[2].told.tolist() == [0.1, 0.6]
    assert questions[2].present.tolist() == [False, True]
    assert (questions[2].positives, questions[2].negatives) == (1, 1)


def test_malignancy_is_the_sum_of_classes() -> None:
    malignant = class_question(ANSWERS, "disease", ("mds", "acute"), "malignant")
    assert malignant.told == pytest.approx([0.3, 0.9])
    assert malignant.present.tolist() == [False, True]
    with pytest.raises(ValueError, match="cml is no class of disease"):
        class_question(ANSWERS, "disease", ("mds", "cml"), "malignant")


def test_each_marker_has_its_own_patients() -> None:
    truth = {"del(17p)": [1, np.nan, 0], "t(4;14)": [np.nan, 1, 0], "gain(1q)": [0, 0, np.nan]}
    told = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]])
    questions = questions_of(make_answers([MARKERS], {"fish": told}, truth), "fish")
    assert [question.rows.tolist() for question in questions] == [[0, 2], [1, 2], [0, 1]]
    assert next(question.patients.tolist() for question in questions) == ["p0000", "p0002"]


def test_some_of_the_patients() -> None:
    answers = draw_diseases(30)
    question = questions_of(answers, "disease")[0]
    first = np.arange(30) < 10
    assert question.among(first).rows.tolist() == list(range(10))
    assert len(question.among(np.zeros(30, bool))) == 0


def test_a_sum_past_1_by_rounding_is_1() -> None:
    assert binary_question("m", [1.0000004], [1]).told.tolist() == [1.0]


def test_a_number_has_no_such_question() -> None:
    answers = make_answers([HEMOGLOBIN], {}, {"hemoglobin": [10.0]}, numbers={"hemoglobin": [11.0]})
    with pytest.raises(ValueError, match="is a number"):
        questions_of(answers, "hemoglobin")


def test_a_single_marker_is_a_question() -> None:
    task = BagTask("malignant", TaskKind.MARKERS, ("malignant",))
    answers = make_answers([task], {"malignant": np.array([[0.2], [0.8]])}, {"malignant": [0, 1]})
    assert len(questions_of(answers, "malignant")) == 1
