"""Bag sizes against labels and against confidence."""

import numpy as np
import pytest
from patient_cohorts import DISEASE, HEMOGLOBIN, MARKERS, draw_diseases, draw_markers, make_answers
from scipy.stats import kruskal

from hemascope.evaluate.patients.bag_size import (
    confidence_in_truth,
    size_against_confidence,
    size_against_label,
    sizes_between,
)


def test_sizes_of_classes_that_differ() -> None:
    answers = draw_diseases(90)
    generator = np.random.default_rng(0)
    sizes = generator.integers(100, 200, 90) + 150 * (answers.truth_of("disease") == 2).astype(int)
    uneven = draw_diseases(90, cells=sizes)
    (found,) = size_against_label(uneven, "disease")
    known = kruskal(*(sizes[uneven.truth_of("disease") == number] for number in range(3)))
    assert (found.statistic, found.p_value) == pytest.approx((known.statistic, known.pvalue))
    assert found.p_value < 1e-6
    assert found.effect == pytest.approx(known.statistic / 89)
    assert [group.group for group in found.groups] == ["healthy", "mds", "acute"]
    assert sum(group.patients for group in found.groups) == 90
    assert found.groups[2].low > 200


def test_one_test_a_marker() -> None:
    found = size_against_label(draw_markers(60, cells=np.arange(60) + 1), "fish")
    assert [test.question for test in found] == list(MARKERS.outputs)
    assert [group.group for group in found[0].groups] == ["absent", "present"]
    assert all(test.p_value is not None for test in found)


@pytest.mark.parametrize(
    ("cells", "groups"), [([5, 5, 5], [0, 1, 1]), ([1, 2, 3], [0, 0, 0]), ([1, 2], [np.nan] * 2), ([], [])]
)
def test_nothing_to_compare_is_no_test(cells: list[int], groups: list[float]) -> None:
    found = sizes_between("x", cells, groups, ("a", "b"))
    assert found.statistic is found.p_value is found.effect is None


def test_confidence_is_the_probability_of_the_truth() -> None:
    told = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3], [np.nan] * 3])
    answers = make_answers([DISEASE], {"disease": told}, {"disease": [0, 1, np.nan, 0]})
    assert confidence_in_truth(answers, "disease") == pytest.approx([0.7, 0.3, np.nan, np.nan], nan_ok=True)


def test_confidence_in_markers_is_the_mean_of_those_known() -> None:
    told = np.array([[0.9, 0.2, 0.4], [0.9, 0.2, 0.4], [0.5, 0.5, 0.5]])
    truth = {"del(17p)": [1, 0, np.nan], "t(4;14)": [0, np.nan, np.nan], "gain(1q)": [1, np.nan, np.nan]}
    answers = make_answers([MARKERS], {"fish": told}, truth)
    expected = [(0.9 + 0.8 + 0.4) / 3, 0.1, np.nan]
    assert confidence_in_truth(answers, "fish") == pytest.approx(expected, nan_ok=True)


def test_larger_bags_that_are_surer_are_found() -> None:
    answers = draw_diseases(80)
    confidence = confidence_in_truth(answers, "disease")
    sized = draw_diseases(80, cells=1 + confidence.argsort().argsort())
    assert size_against_confidence(sized, "disease").spearman.value == pytest.approx(1)
    assert size_against_confidence(answers, "disease").spearman.value is None


def test_a_number_is_refused() -> None:
    answers = make_answers([HEMOGLOBIN], {}, {"hemoglobin": [10.0]}, numbers={"hemoglobin": [11.0]})
    for judge in (size_against_label, size_against_confidence):
        with pytest.raises(ValueError, match="is a number"):
            judge(answers, "hemoglobin")
    with pytest.raises(ValueError, match="a group for each"):
        sizes_between("x", [1, 2], [0], ("a", "b"))
