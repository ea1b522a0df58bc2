"""Groups of patients, and whether a planted difference between them is found and nothing else."""

import numpy as np
import pytest
from patient_cohorts import HEMOGLOBIN, draw_diseases, draw_markers, make_answers
from scipy.stats import norm

from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.classes import class_answers
from hemascope.evaluate.patients.numbers import number_answers
from hemascope.evaluate.patients.questions import binary_question, questions_of
from hemascope.evaluate.patients.subgroup_columns import BAG_SIZE, bands, ordered_groups, subgroup_columns, thirds
from hemascope.evaluate.patients.subgroups import (
    AVERAGE,
    Subgroups,
    subgroups_of_classes,
    subgroups_of_number,
    subgroups_of_questions,
)
from hemascope.stats.delong import delong_covariance

SEX = np.array(["f", "m"] * 100)


def test_ages_fall_into_bands() -> None:
    found = bands([39.9, 40, 64.9, 65, np.nan], (40, 65))
    assert found.tolist() == ["under 40", "40 to under 65", "40 to under 65", "65 or over", ""]
    assert bands([64, 65], (65,)).tolist() == ["under 65", "65 or over"]
    with pytest.raises(ValueError, match="rising"):
        bands([1], (65, 40))


def test_sizes_fall_into_thirds() -> None:
    found = thirds(np.arange(1, 91))
    assert ordered_groups(found) == ["1 to 30 cells", "31 to 60 cells", "61 to 90 cells"]
    assert set(thirds([500] * 9).tolist()) == {"500 cells"}
    assert thirds([]).shape == (0,)


def test_every_grouping_of_a_cohort_is_found() -> None:
    generator = np.random.default_rng(0)
    answers = draw_markers(
        200,
        cells=generator.integers(50, 500, 200),
        facts={"site": ["north", "south"] * 100, "scanner": ["one"] * 200},
        covariates={
            "age": generator.uniform(30, 90, 200),
            "sex": SEX,
            "stage": generator.integers(1, 4, 200).astype(float),
            "background": generator.uniform(size=200),
            "note": np.arange(200).astype(str),
        },
    )
    columns = subgroup_columns(answers)
    assert set(columns) == {"site", "age", "sex", "stage", BAG_SIZE}
    assert ordered_groups(columns["age"]) == ["under 40", "40 to under 65", "65 or over"]
    assert ordered_groups(columns["stage"]) == ["1", "2", "3"]


def worse_in_men() -> PatientAnswers:
    answers = draw_markers(200, distance=3)
    told = answers.probabilities["fish"].copy()
    told[SEX == "m", 0] = np.random.default_rng(1).uniform(size=100)
    truth = {name: answers.truth_of(name) for name in answers.tasks[0].outputs}
    return make_answers(answers.tasks, {"fish": told}, truth)


def test_a_planted_difference_is_found_and_no_other() -> None:
    answers = worse_in_men()
    other = np.random.default_rng(2).choice(list("abc"), 200)
    found = subgroups_of_questions(questions_of(answers, "fish"), {"sex": SEX, "other": other}).adjusted()
    believed = {(test.question, test.column) for test in found.tests if test.p_holm < 0.05}
    assert ("del(17p)", "sex") in believed
    assert believed <= {("del(17p)", "sex"), (AVERAGE, "sex")}
    assert all(test.p_holm >= test.p_value for test in found.tests)
    men = next(row for row in found.rows if (row.question, row.group) == ("del(17p)", "m"))
    women = next(row for row in found.rows if (row.question, row.group) == ("del(17p)", "f"))
    assert men.value.high < women.value.low
    assert men.patients == women.patients == 100


def test_two_groups_are_the_z_test_of_the_log_odds_of_areas() -> None:
    (question, *_) = questions_of(draw_markers(200), "fish")
    (test,) = subgroups_of_questions([question], {"sex": SEX}).tests
    sides = []
    for sex in "fm":
        part = question.among(sex == SEX)
        area, covariance = delong_covariance(part.told[None], part.present)
        sides.append((np.log(area[0] / (1 - area[0])), covariance[0, 0] / (area[0] * (1 - area[0])) ** 2))
    z = (sides[0][0] - sides[1][0]) / np.sqrt(sides[0][1] + sides[1][1])
    assert test.p_value == pytest.approx(2 * norm.sf(abs(z)))


def test_figures_at_a_threshold_come_along() -> None:
    questions = questions_of(draw_markers(200), "fish")
    found = subgroups_of_questions(questions, {"sex": SEX}, {"del(17p)": 0.5})
    for row in found.rows:
        if row.question == "del(17p)":
            assert row.scores.counts.total == row.patients
            assert row.scores.threshold == 0.5
        else:
            assert row.scores is None


def test_a_group_of_one_kind_has_no_area_and_no_part_in_the_test() -> None:
    present = np.tile([True, False], 20)
    group = np.where(np.arange(40) < 30, "a", np.where(present, "b", "a"))
    question = binary_question("m", np.random.default_rng(0).uniform(size=40), present)
    found = subgroups_of_questions([question], {"column": group})
    assert {row.group: row.value.value is None for row in found.rows} == {"a": False, "b": True}
    assert found.tests[0].groups == ("a",)
    assert found.tests[0].p_value is found.tests[0].p_holm is None
    assert found.adjusted().tests[0].p_holm is None


def test_a_group_needs_five_of_each_kind_for_a_test() -> None:
    questions = questions_of(draw_markers(200), "fish")
    rare = np.full(200, "many", "<U6")
    rare[questions[0].present.nonzero()[0][:4]] = "rare"
    rare[(~questions[0].present).nonzero()[0][:8]] = "rare"
    found = subgroups_of_questions(questions, {"column": rare})
    groups = {test.question: test.groups for test in found.tests}
    assert groups["del(17p)"] == groups[AVERAGE] == ("many",)
    assert all(row.value.value is not None for row in found.rows if row.question == "del(17p)")
    few = subgroups_of_classes(
        "disease", class_answers(draw_diseases(200), "disease"), {"g": np.where(np.arange(200) < 4, "few", "a")}
    )
    assert few.tests[0].groups == ("a",)
    assert few.rows[1].patients == 4


def test_unknown_groups_are_left_out() -> None:
    group = SEX.copy()
    group[:50] = ""
    found = subgroups_of_questions(questions_of(draw_markers(200), "fish"), {"sex": group})
    assert sum(row.patients for row in found.rows if row.question == AVERAGE) == 150


def test_tests_of_areas_reject_about_as_often_as_stated() -> None:
    rejected = []
    for seed in range(150):
        generator = np.random.default_rng(seed)
        present = np.arange(120) % 3 == 0
        told = 1 / (1 + np.exp(-generator.normal(size=120) - present))
        group = np.repeat(["a", "b", "c"], 40)
        (test,) = subgroups_of_questions([binary_question("m", told, present)], {"g": group}).tests
        rejected.append(test.p_value < 0.05)
    assert np.mean(rejected) < 0.1


def test_accuracy_of_classes_by_group() -> None:
    answers = draw_diseases(200)
    judged = class_answers(answers, "disease")
    right = (judged.told == judged.truth).tolist()
    telling = np.array(["right" if hit else "wrong" for hit in right])
    found = subgroups_of_classes(
        "disease", judged, {"sex": SEX, "telling": telling, "third": np.repeat(["x", "y", "z"], 70)[:200]}
    )
    tests = {test.column: test for test in found.tests}
    assert tests["sex"].p_value > 0.05
    assert tests["telling"].p_value < 1e-10
    assert (tests["sex"].test, tests["third"].test) == ("Fisher's exact", "chi-squared")
    assert [row.value.value for row in found.rows if row.column == "telling"] == [1, 0]


def test_a_table_too_thin_for_chi_squared_is_not_tested() -> None:
    judged = class_answers(draw_diseases(18), "disease")
    (test,) = subgroups_of_classes("disease", judged, {"g": np.repeat(["a", "b", "c"], 6)}).tests
    assert test.p_value is None
    assert len(test.groups) == 3


def test_errors_of_a_number_by_group() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(12, 2, 200)
    error = generator.normal(0, 1, 200) * np.where(SEX == "m", 4, 1)
    answers = make_answers([HEMOGLOBIN], {}, {"hemoglobin": truth}, numbers={"hemoglobin": truth + error})
    found = subgroups_of_number(number_answers(answers, "hemoglobin"), {"sex": SEX, "half": np.repeat(["a", "b"], 100)})
    assert found.tests[0].p_value < 1e-6 < found.tests[1].p_value
    assert found.rows[1].value.value == pytest.approx(np.abs(error[SEX == "m"]).mean())


def test_several_analyses_are_adjusted_together() -> None:
    one = subgroups_of_questions(questions_of(worse_in_men(), "fish")[:1], {"sex": SEX})
    two = subgroups_of_classes("disease", class_answers(draw_diseases(200), "disease"), {"sex": SEX})
    both = (one + two).adjusted()
    assert len(both.rows) == 4
    assert both.tests[0].p_holm == pytest.approx(2 * one.tests[0].p_value)
    assert Subgroups((), ()).adjusted() == Subgroups((), ())
