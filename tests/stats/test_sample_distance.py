"""Distances between samples whose answers are known, or follow from symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.stats.sample_distance import (
    frechet_distance,
    kernel_distance,
    nearest_points,
    precision_recall,
)


def with_moments(
    mean: NDArray[np.float64], deviation: NDArray[np.float64], count: int, seed: int
) -> NDArray[np.float64]:
    """Return a sample of exactly these means and deviations, without correlations."""
    drawn = np.random.default_rng(seed).normal(size=(count, len(mean)))
    drawn -= drawn.mean(axis=0)
    root = np.linalg.cholesky(np.cov(drawn.T))
    return (drawn @ np.linalg.inv(root).T) * deviation + mean


def test_frechet_distance_of_two_gaussians_along_the_same_axes() -> None:
    means = np.array([0.0, 1.0, 2.0]), np.array([3.0, 1.0, 0.0])
    deviations = np.array([1.0, 2.0, 0.5]), np.array([1.0, 1.0, 1.5])
    first, second = (with_moments(m, d, 60, i) for i, (m, d) in enumerate(zip(means, deviations, strict=True)))
    expected = ((means[0] - means[1]) ** 2).sum() + ((deviations[0] - deviations[1]) ** 2).sum()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_turned_gaussians_agrees_with_the_matrix_root() -> None:
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(70, 4)) @ rng.normal(size=(4, 4))
    one, other = np.cov(x.T), np.cov(y.T)
    gap = x.mean(axis=0) - y.mean(axis=0)
    expected = gap @ gap + np.trace(one + other - 2 * np.real(sqrtm(one @ other)))
    assert frechet_distance(x, y) == pytest.approx(float(expected), rel=1e-8)


def test_frechet_distance_works_with_fewer_rows_than_dimensions() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6, 40))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + 2) == pytest.approx(40 * 4, rel=1e-9)


def test_frechet_distance_is_biased_upward_by_small_samples() -> None:
    rng = np.random.default_rng(2)

    def mean_of(count: int) -> float:
        return float(np.mean([frechet_distance(*rng.normal(size=(2, count, 8))) for _ in range(30)]))

    assert mean_of(20) > 2 * mean_of(100) > 0


@given(st.integers(0, 2**32 - 1), st.floats(-3, 3), st.floats(0.1, 4))
def test_frechet_distance_is_symmetric_moves_with_both_and_scales(seed: int, shift: float, scale: float) -> None:
    x, y = np.random.default_rng(seed).normal(size=(2, 12, 3))
    plain = frechet_distance(x, y)
    assert plain >= -1e-9
    assert frechet_distance(y, x) == pytest.approx(plain, rel=1e-6, abs=1e-9)
    assert frechet_distance(x * scale + shift, y * scale + shift) == pytest.approx(plain * scale**2, rel=1e-6, abs=1e-9)


def test_kernel_distance_is_unbiased_for_two_gaussians() -> None:
    """In one dimension the cubic kernel compares moments: 3 (dm1)^2 + 3 (dm2)^2 + (dm3)^2."""
    rng, mu = np.random.default_rng(3), 0.5
    expected = 3 * mu**2 + 3 * (mu**2) ** 2 + (mu**3 + 3 * mu) ** 2
    found = [kernel_distance(rng.normal(size=(10, 1)), rng.normal(mu, 1, size=(8, 1))) for _ in range(6000)]
    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(expected, abs=4 * values.std() / np.sqrt(len(values)))
    alike = np.array([kernel_distance(*rng.normal(size=(2, 10, 1))).value for _ in range(3000)])
    assert abs(alike.mean()) < 4 * alike.std() / np.sqrt(len(alike))
    assert (alike < 0).any()


def test_the_standard_error_of_the_kernel_distance_is_the_deviation_over_repeats() -> None:
    rng = np.random.default_rng(4)
    found = [kernel_distance(rng.normal(size=(80, 5)), rng.normal(0.4, 1, size=(60, 5))) for _ in range(300)]
    spread = float(np.std([one.value for one in found]))
    assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.2)


def test_the_kernel_distance_is_that_of_the_plain_sums() -> None:
    x, y = np.random.default_rng(5).normal(size=(2, 4, 3))

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within = [np.mean([kernel(v[i], v[j]) for i in range(4) for j in range(4) if i != j]) for v in (x, y)]
    across = np.mean([kernel(a, b) for a in x for b in y])
    assert kernel_distance(x, y).value == pytest.approx(float(sum(within) - 2 * across))


def test_a_fixed_number_of_every_class_does_not_bias_the_kernel_distance() -> None:
    rng, classes = np.random.default_rng(8), np.repeat([0, 1, 2], 4)
    plain, stratified = [], []
    for _ in range(2000):
        x, y = (rng.normal(size=(12, 2)) + classes[:, None] * 1.5 for _ in range(2))
        plain.append(kernel_distance(x, y).value)
        stratified.append(kernel_distance(x, y, (classes, classes)).value)
    error = float(np.std(stratified)) / len(stratified) ** 0.5
    assert np.mean(stratified) == pytest.approx(0, abs=4 * error)
    assert np.mean(plain) < -20 * error


def test_one_stratum_is_none() -> None:
    x, y = np.random.default_rng(9).normal(size=(2, 7, 3))
    one = np.zeros(7)
    assert kernel_distance(x, y, (one, one)).value == pytest.approx(kernel_distance(x, y).value)
    for wrong in (np.ones(7), np.arange(7), np.zeros(6)):
        with pytest.raises(ValueError, match="strata"):
            kernel_distance(x, y, (one, wrong))


def test_precision_and_recall_of_samples_alike_apart_and_of_a_half() -> None:
    rng = np.random.default_rng(6)
    real = np.concatenate([rng.normal(0, 0.1, (50, 2)), rng.normal(10, 0.1, (50, 2))])
    assert precision_recall(real, real) == precision_recall(real[::-1], real)
    same = precision_recall(real, real)
    assert (same.precision, same.recall) == (1, 1)
    apart = precision_recall(real + 100, real)
    assert (apart.precision, apart.recall) == (0, 0)
    half = precision_recall(real[:50], real)
    assert half.precision == 1
    assert half.recall == pytest.approx(0.5)
    wider = precision_recall(np.concatenate([real, real + 100]), real)
    assert (wider.precision, wider.recall) == (0.5, 1)


def test_nearest_points_are_found_in_order_and_measured_exactly() -> None:
    known = np.array([[0.0, 0], [3, 4], [0, 1], [0, 1]], np.float32) + 1000
    found = nearest_points(known[:1] + np.float32(0.25), known, 4)
    assert found.rows[:, 0] == 0
    assert found.rows[:, 3] == 1
    assert found.distances[0] == pytest.approx([0.125**0.5, 0.625**0.5, 0.625**0.5, 21.625**0.5], rel=1e-5)
    assert nearest_points(known[1:2], known).distances[0, 0] < 1e-2


def test_many_queries_are_answered_as_each_alone() -> None:
    rng = np.random.default_rng(7)
    queries, known = rng.normal(size=(600, 3)), rng.normal(size=(40, 3))
    found = nearest_points(queries, known, 2)
    gaps = np.linalg.norm(queries[:, None] - known, axis=2)
    assert (found.rows[:, 0] == gaps.argmin(axis=1)).all()
    assert found.distances == pytest.approx(np.sort(gaps, axis=1)[:, :2])


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance, precision_recall])
def test_what_cannot_be_compared_is_refused(measure: object) -> None:
    assert callable(measure)
    good = np.zeros((5, 2))
    for first, second in ((good, np.zeros((5, 3))), (good[:1], good), (np.full((5, 2), np.nan), good)):
        with pytest.raises(ValueError, match="sample"):
            measure(first, second)
    with pytest.raises(ValueError, match="near"):
        nearest_points(good, good, 6)
    with pytest.raises(ValueError, match="neighbor"):
        precision_recall(good, good, 0)
