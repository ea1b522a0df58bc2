"""DeLong's areas and covariances against the data of the first paper, pair by pair, and against drawn cohorts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.stats.delong import delong_covariance, delong_interval, delong_test
from hemascope.stats.ranking import auroc

OVARIAN = """
30 58 10 0, 32 63 5 1, 39 68 3 1, 28 48 6 0, 32 58 3 1, 9 40 5 0, 25 57 8 0, 16 56 5 1, 38 57 5 1, 37 67 6 1, 32 54 4 1,
38 66 6 1, 41 66 5 1, 36 57 5 1, 43 70 4 1, 36 67 4 0, 23 44 6 1, 42 76 4 0, 40 66 6 0, 35 58 6 1, 38 68 7 1, 30 47 8 0,
45 74 5 1, 37 74 5 1, 31 66 6 1, 41 82 6 1, 43 70 5 1, 43 65 4 1, 32 51 5 1, 26 47 6 1, 33 68 6 0, 17 40 7 0, 37 61 5 1,
33 63 7 1, 42 77 6 1, 35 62 5 1, 29 57 9 0, 21 48 7 1, 28 62 8 0, 40 70 7 1, 33 57 6 1, 37 69 5 1, 36 66 5 1
"""
"""Albumin and total protein (g/l), K-G score (high is bad), benefit: the 43 whole records of DeLong et al. 1988."""

SMALL = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), min_size=4, max_size=24)


@pytest.fixture(scope="module")
def ovarian() -> tuple[np.ndarray, np.ndarray]:
    rows = np.array([row.split() for row in OVARIAN.replace("\n", " ").split(",")], float)
    return np.stack([rows[:, 0], 10 - rows[:, 2], rows[:, 1]]), rows[:, 3] == 1


def test_areas_and_errors_of_the_first_paper(ovarian: tuple[np.ndarray, np.ndarray]) -> None:
    areas, covariance = delong_covariance(*ovarian)
    assert areas == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)


def test_intervals_and_tests_of_the_first_paper(ovarian: tuple[np.ndarray, np.ndarray]) -> None:
    (albumin, score, protein), benefit = ovarian
    assert delong_interval(albumin, benefit, logit=False) == pytest.approx((0.7366, 0.5549, 0.9182), abs=5e-5)
    first, second = delong_test(albumin, score, benefit), delong_test(protein, score, benefit)
    assert first is not None
    assert second is not None
    assert (first.difference, first.p_value) == pytest.approx((0.0108, 0.9102), abs=5e-5)
    assert (second.difference, second.p_value) == pytest.approx((-0.0780, 0.4561), abs=5e-5)


def by_pairs(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """The covariance by its definition: every pair compared."""
    above, below = scores[:, positive], scores[:, ~positive]
    order = (above[:, :, None] > below[:, None, :]) + 0.5 * (above[:, :, None] == below[:, None, :])
    return np.cov(order.mean(axis=2)) / positive.sum() + np.cov(order.mean(axis=1)) / (~positive).sum()


@given(SMALL)
def test_covariance_is_that_of_all_pairs(cases: list[tuple[int, int, bool]]) -> None:
    scores = np.array([case[:2] for case in cases], float).T
    positive = np.array([case[2] for case in cases])
    areas, covariance = delong_covariance(scores, positive)
    if min(positive.sum(), (~positive).sum()) < 2:
        assert np.isnan(areas).all()
        assert np.isnan(covariance).all()
    else:
        assert covariance == pytest.approx(by_pairs(scores, positive))
        assert areas == pytest.approx([auroc(row, positive) for row in scores])


@given(SMALL)
def test_swapping_two_scores_swaps_the_sign(cases: list[tuple[int, int, bool]]) -> None:
    first, second, positive = (np.array(side) for side in zip(*cases, strict=True))
    there, back = delong_test(first, second, positive), delong_test(second, first, positive)
    if there is None or back is None:
        assert there is back is None
    else:
        assert there.difference == pytest.approx(-back.difference)
        assert there.p_value == pytest.approx(back.p_value)


@pytest.mark.parametrize("positive", [[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]])
def test_too_few_of_a_kind_have_no_answer(positive: list[int]) -> None:
    assert delong_interval([1, 2, 3, 4], positive) is None
    assert delong_test([1, 2, 3, 4], [4, 2, 3, 1], positive) is None


@given(SMALL)
def test_the_interval_holds_the_area_and_stays_inside(cases: list[tuple[int, int, bool]]) -> None:
    scores, _, positive = (np.array(side) for side in zip(*cases, strict=True))
    for logit in (True, False):
        found = delong_interval(scores, positive, logit=logit)
        if found is not None:
            area, low, high = found
            assert 0 <= low < area < high <= 1
            assert area == pytest.approx(auroc(scores, positive))


def test_no_width_is_no_interval() -> None:
    assert delong_interval([1, 2, 3, 4], [0, 0, 1, 1]) is None
    apart = delong_test([1, 2, 3, 4], [4, 3, 2, 1], [0, 0, 1, 1])
    alike = delong_test([1, 3, 2, 4], [10, 30, 20, 40], [0, 0, 1, 1])
    assert apart is not None
    assert alike is not None
    assert (apart.difference, apart.low, apart.p_value) == (1.0, None, None)
    assert (alike.difference, alike.z, alike.p_value) == (0.0, 0.0, 1.0)


def test_the_variance_is_that_of_drawn_cohorts() -> None:
    generator = np.random.default_rng(3)
    positive = np.repeat([True, False], [20, 40])
    areas, variances, covered = [], [], []
    for _ in range(400):
        values = generator.normal(size=60) + positive
        area, covariance = delong_covariance(values[None], positive)
        _, low, high = delong_interval(values, positive)
        areas.append(area[0])
        variances.append(covariance[0, 0])
        covered.append(low <= 0.76025 <= high)  # the normal distribution function at 1 / sqrt(2)
    assert np.mean(variances) == pytest.approx(np.var(areas), rel=0.15)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.025)


def test_with_few_positives_the_plain_interval_is_too_narrow() -> None:
    generator = np.random.default_rng(5)
    positive = np.repeat([True, False], [15, 129])
    held = {True: [], False: []}
    for _ in range(400):
        values = generator.normal(size=144) + 2.3262 * positive  # a true area of 0.95
        for logit, answers in held.items():
            _, low, high = delong_interval(values, positive, logit=logit) or (1.0, 0.0, 1.0)
            answers.append(low <= 0.95 <= high)
    assert np.mean(held[False]) < 0.87 < np.mean(held[True])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="K x N"):
        delong_covariance([[1, np.nan]], [True, False])
    with pytest.raises(ValueError, match="K x N"):
        delong_covariance([1.0, 2.0], [True, False])
    with pytest.raises(ValueError, match="confidence"):
        delong_interval([1, 2, 3, 4], [0, 1, 0, 1], 1.0)
