"""The shared Gaussian against scipy's density, the anomaly threshold against the rate it states."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from hemascope.classify.anomaly import AnomalyScore, alarm_threshold
from hemascope.classify.gaussian import fit_shared_gaussian
from hemascope.classify.knn import fit_neighbor_distance
from hemascope.core.errors import DataSetError

NAMES = ("a", "b", "c")


def gaussians(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, size=count, p=[0.5, 0.3, 0.2])
    mixing = np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 0.3], [0.0, 0.0, 0.5]])
    centers = np.array([[0.0, 0, 0], [4, 0, 1], [0, 4, -1]])
    return (centers[labels] + rng.normal(size=(count, 3)) @ mixing).astype(np.float32), labels


def test_the_density_is_that_of_the_stated_gaussian() -> None:
    values, labels = gaussians(500)
    model = fit_shared_gaussian(values, labels, NAMES, shrinkage=0.2)
    means = [values[labels == k].mean(axis=0) for k in range(3)]
    centered = values.astype(float) - np.array(means)[labels]
    within = centered.T @ centered / len(values)
    covariance = 0.8 * within + 0.2 * np.trace(within) / 3 * np.eye(3)
    expected = np.stack([multivariate_normal(m, covariance).logpdf(values[:20]) for m in means], axis=1)
    assert model.log_likelihood(values[:20]) == pytest.approx(expected, abs=1e-4)
    shares = np.bincount(labels) / len(labels)
    assert model.logits(values[:20]) == pytest.approx(expected + np.log(shares), abs=1e-4)
    precision = np.linalg.inv(covariance)
    distances = [np.sqrt(min((x - m) @ precision @ (x - m) for m in means) / 3) for x in values[:20]]
    assert model.scores(values[:20]) == pytest.approx(distances, abs=1e-4)


def test_on_gaussians_it_tells_them_as_well_as_can_be() -> None:
    values, labels = gaussians(4000)
    asked, truth = gaussians(2000, seed=1)
    told = fit_shared_gaussian(values, labels, NAMES, shrinkage=0.0).logits(asked).argmax(axis=1)
    best = np.array([[0.0, 0, 0], [4, 0, 1], [0, 4, -1]])
    mixing = np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 0.3], [0.0, 0.0, 0.5]])
    density = np.stack([multivariate_normal(c, mixing.T @ mixing).logpdf(asked) for c in best], axis=1)
    bayes = (density + np.log([0.5, 0.3, 0.2])).argmax(axis=1)
    assert (told == truth).mean() > (bayes == truth).mean() - 0.01


def test_a_weight_of_two_is_two_cells() -> None:
    values, labels = gaussians(60)
    weighted = fit_shared_gaussian(values, labels, NAMES, sample_weights=1.0 + (np.arange(60) < 30))
    copied = fit_shared_gaussian(np.vstack([values, values[:30]]), np.append(labels, labels[:30]), NAMES)
    assert weighted.logits(values) == pytest.approx(copied.logits(values), abs=1e-6)


def test_what_gives_no_covariance_is_refused() -> None:
    values, labels = gaussians(60)
    flat = np.hstack([values, values[:, :1]])
    with pytest.raises(ValueError, match="more shrinkage"):
        fit_shared_gaussian(flat, labels, NAMES, shrinkage=0.0)
    assert np.isfinite(fit_shared_gaussian(flat, labels, NAMES, shrinkage=0.1).logits(flat)).all()
    with pytest.raises(ValueError, match="shrinkage must lie"):
        fit_shared_gaussian(values, labels, NAMES, shrinkage=2)
    with pytest.raises(DataSetError, match="no example of d"):
        fit_shared_gaussian(values, labels, (*NAMES, "d"))


@pytest.mark.parametrize("kind", ["mahalanobis", "neighbors"])
def test_the_threshold_keeps_its_false_alarm_rate_and_raises_alarm_at_the_strange(kind: str) -> None:
    values, labels = gaussians(800)
    fitted: AnomalyScore = (
        fit_shared_gaussian(values, labels, NAMES)
        if kind == "mahalanobis"
        else fit_neighbor_distance(values, k=5, metric="euclidean")
    )
    alarms = 0
    for seed in range(20):
        threshold = alarm_threshold(fitted.scores(gaussians(199, seed=100 + seed)[0]), 0.05)
        alarms += int((fitted.scores(gaussians(100, seed=500 + seed)[0]) > threshold).sum())
    assert alarms / 2000 == pytest.approx(0.05, abs=0.025)
    assert (fitted.scores(gaussians(50)[0] + 30) > threshold).all()


def test_too_few_cells_for_a_rate_are_refused() -> None:
    assert alarm_threshold(np.arange(99), 0.01) == 98
    with pytest.raises(ValueError, match="at least 99"):
        alarm_threshold(np.arange(98), 0.01)
