"""Mixtures of one covariance: one component is the Gaussian, and classes of two looks are told where it fails."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from hemascope.classify.gaussian import fit_shared_gaussian
from hemascope.classify.mixture import fit_mixture
from hemascope.core.errors import DataSetError

CLASSES = ("crossed", "middle")


def crossed(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a class of two clouds, and another between them: no line tells the two apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    sides = np.where(rng.random(count) < 0.5, -6.0, 6.0)
    values = rng.normal(size=(count, 3))
    values[:, 0] += np.where(labels == 0, sides, 0.0)
    return values.astype(np.float32), labels


def test_one_component_is_the_shared_gaussian() -> None:
    values, labels = crossed(200)
    one, gaussian = fit_mixture(values, labels, CLASSES, components=1), fit_shared_gaussian(values, labels, CLASSES)
    assert one.logits(values) == pytest.approx(gaussian.logits(values))
    assert one.scores(values) == pytest.approx(gaussian.scores(values))


def test_a_class_of_two_looks_is_told_where_one_gaussian_fails() -> None:
    values, labels = crossed(400)
    asked, truth = crossed(400, seed=1)
    two = fit_mixture(values, labels, CLASSES, components=2)
    gaussian = fit_shared_gaussian(values, labels, CLASSES)
    assert (two.logits(asked).argmax(axis=1) == truth).mean() > 0.98
    assert (gaussian.logits(asked).argmax(axis=1) == truth).mean() < 0.8
    own = two.centers[two.owners == 0] @ np.linalg.inv(two.whitening)
    assert sorted(own[:, 0]) == pytest.approx([-6, 6], abs=0.4)


def test_densities_are_those_of_the_stated_components() -> None:
    values, labels = crossed(120)
    mixture = fit_mixture(values, labels, CLASSES, components=2, shrinkage=0.2)
    turn = np.linalg.inv(mixture.whitening)
    covariance = turn.T @ turn
    centers = mixture.centers @ turn
    expected = np.zeros((len(values), 2))
    for center, owner, log_share in zip(centers, mixture.owners, mixture.log_mixing, strict=True):
        expected[:, owner] += np.exp(log_share) * multivariate_normal(center, covariance).pdf(values)
    assert mixture.log_likelihood(values) == pytest.approx(np.log(expected), abs=1e-6)
    assert np.exp(mixture.log_mixing[mixture.owners == 0]).sum() == pytest.approx(1)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_more_steps_never_lower_the_density_of_the_examples(seed: int, components: int) -> None:
    values, labels = crossed(60, seed)
    one = fit_mixture(values, labels, CLASSES, components=1, shrinkage=0.0)
    more = fit_mixture(values, labels, CLASSES, components=components, shrinkage=0.0, seed=seed)
    own = [m.log_likelihood(values)[np.arange(60), labels].mean() for m in (one, more)]
    assert own[1] >= own[0] - 0.05  # a start from few examples may end a little lower, never far
    assert len(more.centers) <= 2 * components


def test_a_seed_always_gives_the_same() -> None:
    values, labels = crossed(80)
    first, again = (fit_mixture(values, labels, CLASSES, components=3, seed=4) for _ in range(2))
    assert (first.logits(values) == again.logits(values)).all()


def test_a_class_with_fewer_examples_gets_one_component_for_each() -> None:
    values = np.array([[0, 0], [0, 1], [0, 0.5], [5, 5], [5, 5]], np.float32)
    mixture = fit_mixture(values, [0, 0, 0, 1, 1], CLASSES, components=4, shrinkage=0.5)
    assert np.bincount(mixture.owners).tolist() == [3, 1]  # two copies are one look


def test_no_component_and_a_class_without_example_are_refused() -> None:
    values, labels = crossed(20)
    with pytest.raises(ValueError, match="at least one component"):
        fit_mixture(values, labels, CLASSES, components=0)
    with pytest.raises(DataSetError, match="no example of third"):
        fit_mixture(values, labels, (*CLASSES, "third"))
