"""Numbers told against numbers measured, and correlations with counted cells."""

import numpy as np
import pytest
from patient_cohorts import HEMOGLOBIN, make_answers
from scipy.stats import pearsonr, spearmanr

from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.correlation import correlate
from hemascope.evaluate.patients.numbers import number_answers, score_number


def cohort(told: np.ndarray, truth: np.ndarray) -> PatientAnswers:
    return make_answers([HEMOGLOBIN], {}, {"hemoglobin": truth}, numbers={"hemoglobin": told})


def test_figures_by_hand() -> None:
    scores = score_number(number_answers(cohort([10.0, 12, 15, np.nan, 9], [11.0, 12, 12, 10, np.nan]), "hemoglobin"))
    assert (scores.name, scores.unit, scores.patients) == ("hemoglobin", "g/dL", 3)
    assert scores.mean_absolute_error.value == pytest.approx(4 / 3)
    assert scores.bias.value == pytest.approx(2 / 3)
    assert scores.mean_absolute_error_of_mean.value == pytest.approx(4 / 9)


def test_correlation_and_p_value_are_those_of_scipy() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(12, 2, 60)
    told = truth + generator.normal(0, 2, 60)
    scores, known = score_number(number_answers(cohort(told, truth), "hemoglobin")), pearsonr(told, truth)
    assert (scores.pearson.value, scores.p_value) == pytest.approx((known.statistic, known.pvalue))
    assert scores.pearson.low < scores.pearson.value < scores.pearson.high
    assert scores.mean_absolute_error.low < scores.mean_absolute_error.value < scores.mean_absolute_error.high


@pytest.mark.parametrize(
    ("told", "truth"), [([], []), ([10.0], [11.0]), ([10.0, 11], [9.0, 9]), ([9.0] * 4, [8.0, 9, 10, 11])]
)
def test_what_does_not_vary_has_no_correlation(told: list[float], truth: list[float]) -> None:
    scores = score_number(number_answers(cohort(np.array(told), np.array(truth)), "hemoglobin"))
    assert scores.pearson.value is scores.p_value is None
    assert (scores.mean_absolute_error.value is None) == (not told)


def test_rank_correlation_is_that_of_scipy() -> None:
    generator = np.random.default_rng(1)
    ratio = generator.uniform(size=37)
    probability = np.round(ratio + generator.normal(0, 0.3, 37), 1)
    found, known = correlate(probability, ratio, np.arange(37)), spearmanr(probability, ratio)
    assert found.patients == 37
    assert (found.spearman.value, found.p_value) == pytest.approx((known.statistic, known.pvalue))
    assert found.spearman.low < found.spearman.value < found.spearman.high


def test_missing_ratios_are_left_out() -> None:
    found = correlate([0.1, 0.2, np.nan, 0.4, 0.5], [1, 2, 3, np.nan, 4], list("abcde"))
    assert found.patients == 3
    assert found.spearman.value == pytest.approx(1)
    assert found.p_value == 0


@pytest.mark.parametrize(("first", "second"), [([], []), ([1, 2], [1, 2]), ([1, 1, 1, 1], [1, 2, 3, 4])])
def test_too_few_or_all_equal_have_no_correlation(first: list[float], second: list[float]) -> None:
    found = correlate(first, second, np.arange(len(first)))
    assert found.spearman.value is found.p_value is None


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="as many numbers"):
        correlate([1, 2], [1, 2, 3], [1, 2, 3])
