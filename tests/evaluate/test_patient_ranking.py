"""Areas of questions, their averages, and two models on the same patients."""

import numpy as np
import pytest
from patient_cohorts import draw_markers

from hemascope.evaluate.patients.questions import BinaryQuestion, binary_question, questions_of
from hemascope.evaluate.patients.ranking import (
    compare_areas,
    compare_averages,
    delong_estimate,
    macro_auprc,
    macro_auroc,
    rank,
)
from hemascope.stats.delong import delong_test
from hemascope.stats.ranking import auroc, average_precision


def test_both_intervals_hold_the_area() -> None:
    question = questions_of(draw_markers(), "fish")[0]
    scores = rank(question)
    assert scores.auroc.value == scores.auroc_delong.value == pytest.approx(auroc(question.told, question.present))
    assert scores.auprc.value == pytest.approx(average_precision(question.told, question.present))
    assert scores.prevalence.value == question.positives / 200
    assert scores.auroc.low == pytest.approx(scores.auroc_delong.low, abs=0.02)
    assert scores.auroc.high == pytest.approx(scores.auroc_delong.high, abs=0.02)
    assert scores.auprc.low < scores.auprc.value < scores.auprc.high


@pytest.mark.parametrize("present", [[1.0, 1.0], [0.0, 0.0], [np.nan, np.nan]])
def test_one_kind_alone_has_no_area(present: list[float]) -> None:
    scores = rank(binary_question("m", [0.2, 0.8], present))
    assert scores.auroc.value is scores.auroc_delong.value is scores.auprc.value is None


def test_all_in_order_has_an_area_without_a_delong_interval() -> None:
    found = delong_estimate(binary_question("m", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]))
    assert (found.value, found.low, found.high) == (1.0, None, None)


def test_the_average_is_of_areas() -> None:
    questions = questions_of(draw_markers(), "fish")
    expected = np.mean([auroc(question.told, question.present) for question in questions])
    assert macro_auroc(questions).value == pytest.approx(expected)
    precise = np.mean([average_precision(question.told, question.present) for question in questions])
    assert macro_auprc(questions).value == pytest.approx(precise)


def test_an_average_lacks_no_question() -> None:
    questions = questions_of(draw_markers(), "fish")
    lone = binary_question("lone", np.full(200, 0.5), np.ones(200))
    assert macro_auroc([*questions, lone]).value is None
    with pytest.raises(ValueError, match="needs a question"):
        macro_auroc([])


def test_an_average_with_missing_truths_resamples_all_patients() -> None:
    answers = draw_markers(60)
    answers.truth[:30, 0] = np.nan
    answers.truth[40:, 1] = np.nan
    questions = questions_of(answers, "fish")
    found = macro_auroc(questions)
    assert found.value == pytest.approx(np.mean([auroc(q.told, q.present) for q in questions]))
    assert found.low < found.value < found.high


def better(questions: tuple[BinaryQuestion, ...], by: float) -> list[BinaryQuestion]:
    return [
        binary_question(
            q.name, 1 / (1 + np.exp(-np.log(q.told / (1 - q.told)) - by * q.present)), q.present, q.patients
        )
        for q in questions
    ]


def test_a_better_model_is_told_from_a_worse() -> None:
    questions = questions_of(draw_markers(300, distance=0.7), "fish")
    found = compare_averages(better(questions, 0.4), questions)
    assert found.difference.value == pytest.approx(found.ours.value - found.theirs.value)
    assert 0 < found.difference.low < found.difference.value < found.difference.high
    assert found.p_value < 0.01
    assert found.patients == 300
    one = compare_areas(better(questions, 0.4)[0], questions[0])
    assert one.difference > 0
    assert one.p_value < 0.05


def test_pairing_makes_a_difference_surer_than_its_parts() -> None:
    questions = questions_of(draw_markers(300, distance=0.7), "fish")
    found = compare_averages(better(questions, 0.2), questions)
    assert found.difference.high - found.difference.low < 0.5 * (found.ours.high - found.ours.low)


def test_a_model_is_no_better_than_itself() -> None:
    questions = questions_of(draw_markers(80), "fish")
    found = compare_averages(questions, questions)
    assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)
    assert found.p_value == 1


def test_one_question_agrees_with_delong() -> None:
    questions, others = (questions_of(draw_markers(300, seed=seed), "fish")[:1] for seed in (0, 5))
    other = binary_question(
        "del(17p)", 0.5 * questions[0].told + 0.5 * others[0].told, questions[0].present, questions[0].patients
    )
    boot = compare_averages(questions, [other])
    formula = delong_test(questions[0].told, other.told, questions[0].present)
    assert boot.difference.low == pytest.approx(formula.low, abs=0.01)
    assert boot.difference.high == pytest.approx(formula.high, abs=0.01)


def test_comparing_two_models_without_a_difference_rejects_as_often_as_stated() -> None:
    rejected = []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        present = generator.uniform(size=(80, 2)) < 0.4
        ours, theirs = (1 / (1 + np.exp(-(present + generator.normal(size=(80, 2))))) for _ in range(2))
        sides = [[binary_question(str(k), side[:, k], present[:, k]) for k in range(2)] for side in (ours, theirs)]
        rejected.append(compare_averages(*sides, resamples=200).p_value < 0.1)
    assert np.mean(rejected) == pytest.approx(0.1, abs=0.08)


def test_an_undefined_average_has_no_comparison() -> None:
    lone = [binary_question("m", [0.5, 0.6], [1, 1])]
    found = compare_averages(lone, lone)
    assert found.difference.value is found.p_value is None
    assert compare_areas(lone[0], lone[0]) is None


def test_other_patients_are_no_pair() -> None:
    questions = questions_of(draw_markers(50), "fish")
    others = questions_of(draw_markers(50, seed=1), "fish")
    with pytest.raises(ValueError, match="same patients and truths"):
        compare_averages(questions, others)
    with pytest.raises(ValueError, match="same questions"):
        compare_averages(questions, questions[:2])
