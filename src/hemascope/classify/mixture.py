"""Classes as mixtures of Gaussians, all components of one covariance: a class may look several ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.classify.examples import checked_examples, checked_queries
from hemascope.classify.gaussian import SHRINKAGE, fit_shared_gaussian

COMPONENTS = 3
"""Default number of a class."""

STEPS = 30
"""Of expectation maximization, at most."""

TOLERANCE = 1e-5
"""It stops where the mean log density, over the dimension, gains no more in a step."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedMixture:
    """Mixture discriminant analysis with a shrunk covariance; an ``EmbeddingClassifier``.

    Attributes
    ----------
    classes
        K names, in the order of the logits.
    whitening
        D x D matrix W with W Wᵀ = the inverse of the covariance.
    centers
        M x D, centers of all components after whitening.
    owners
        M class numbers.
    log_mixing
        M logarithms of the components' shares in their class.
    log_determinant
        Of the covariance.
    log_shares
        K logarithms of the classes' shares, which the logits hold under.
    """

    classes: tuple[str, ...]
    whitening: NDArray[np.float64]
    centers: NDArray[np.float64]
    owners: NDArray[np.intp]
    log_mixing: NDArray[np.float64]
    log_determinant: float
    log_shares: NDArray[np.float64]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K values log p(x | c) + log p(c) for N x D embeddings."""
        return self.log_likelihood(embeddings) + self.log_shares

    def log_likelihood(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K exact log densities log p(x | c) of N x D embeddings."""
        white = checked_queries(embeddings, len(self.whitening)) @ self.whitening
        joint = self.log_mixing - 0.5 * _squared_distances(white, self.centers)
        constant = len(self.whitening) * np.log(2 * np.pi) + self.log_determinant
        densities: NDArray[np.float64] = _by_class(joint, self.owners, len(self.classes)) - 0.5 * constant
        return densities

    def scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N Mahalanobis distances to the nearest component, over the square root of D."""
        white = checked_queries(embeddings, len(self.whitening)) @ self.whitening
        nearest = _squared_distances(white, self.centers).min(axis=1)
        return np.asarray(np.sqrt(nearest / len(self.whitening)), np.float64)


def fit_mixture(
    embeddings: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    components: int = COMPONENTS,
    shrinkage: float = SHRINKAGE,
    seed: int = 0,
) -> SharedMixture:
    r"""Return a mixture of Gaussians a class, all components of one covariance, by expectation maximization.

    Mixture discriminant analysis (Hastie, Tibshirani, J R Stat Soc B 1996;58:155). In every step the covariance within
    components is shrunk to :math:`(1 - \lambda) S + \lambda\,\mathrm{tr}(S)/D\; I`. It starts from the covariance of
    single Gaussians and seeded examples far from each other; with one component it is ``fit_shared_gaussian``.

    Parameters
    ----------
    embeddings, labels
        N x D numbers and N class numbers.
    classes
        K names.
    components
        Of a class, 1 or more; a class with fewer examples gets one for each.
    shrinkage
        Lambda, 0 to 1. With 0, more embeddings than dimensions are needed.
    seed
        Of the examples that the components start from.

    Raises
    ------
    ValueError
        If there is no component, or as ``fit_shared_gaussian``.
    DataSetError
        If a class has no example.
    """
    values, truth = checked_examples(embeddings, labels, classes)
    if components < 1:
        raise ValueError(f"a class needs at least one component, not {components}")
    single = fit_shared_gaussian(values, truth, classes, shrinkage=shrinkage)
    places, owners = _starts(values @ single.whitening, truth, len(classes), components, np.random.default_rng(seed))
    sizes = np.bincount(owners)[owners]
    found = SharedMixture(
        classes=tuple(classes),
        whitening=single.whitening,
        centers=values[places] @ single.whitening,
        owners=owners,
        log_mixing=-np.log(sizes),
        log_determinant=single.log_determinant,
        log_shares=single.log_shares,
    )
    reached = -np.inf
    for _ in range(STEPS):
        shares, density = _expect(found, values, truth)
        if density - reached < TOLERANCE * values.shape[1]:
            break
        found, reached = _maximize(found, values, truth, shares, shrinkage), density
    return found


def _starts(
    white: NDArray[np.float64], truth: NDArray[np.intp], classes: int, components: int, generator: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the examples that components start from, drawn as k-means++ draws, and their classes."""
    places: list[int] = []
    owners: list[int] = []
    for number in range(classes):
        rows = np.flatnonzero(truth == number)
        chosen = [int(generator.choice(rows))]
        while len(chosen) < min(components, len(rows)):
            away = _squared_distances(white[rows], white[chosen]).min(axis=1)
            away[np.isin(rows, chosen)] = 0
            if away.sum() == 0:
                break  # the other examples are copies of the chosen ones
            chosen.append(int(generator.choice(rows, p=away / away.sum())))
        places += chosen
        owners += [number] * len(chosen)
    return np.array(places, np.intp), np.array(owners, np.intp)


def _expect(
    mixture: SharedMixture, values: NDArray[np.float64], truth: NDArray[np.intp]
) -> tuple[NDArray[np.float64], float]:
    """Return N x M shares of each example in the components of its class, and the mean log density."""
    joint = mixture.log_mixing - 0.5 * _squared_distances(values @ mixture.whitening, mixture.centers)
    joint = np.where(mixture.owners == truth[:, None], joint, -np.inf)
    peak = joint.max(axis=1, keepdims=True)
    weights = np.exp(joint - peak)
    total = weights.sum(axis=1, keepdims=True)
    density = float((peak + np.log(total)).mean()) - 0.5 * mixture.log_determinant
    return weights / total, density


def _maximize(
    mixture: SharedMixture,
    values: NDArray[np.float64],
    truth: NDArray[np.intp],
    shares: NDArray[np.float64],
    shrinkage: float,
) -> SharedMixture:
    mass = shares.sum(axis=0)
    kept = mass > 1e-6  # a component that lost all its examples is gone
    shares, mass, owners = shares[:, kept], mass[kept], mixture.owners[kept]
    centers = shares.T @ values / mass[:, None]
    # The scatter of values less that of centers: sum over components of r (x - m)(x - m)'.
    origin = values.mean(axis=0)
    moved, middles = values - origin, centers - origin
    within = (moved.T @ moved - (middles * mass[:, None]).T @ middles) / len(values)
    dimension = len(within)
    covariance = (1 - shrinkage) * within + shrinkage * np.trace(within) / dimension * np.eye(dimension)
    lower = np.linalg.cholesky(covariance)
    whitening = np.asarray(np.linalg.inv(lower).T, np.float64)
    by_class = np.bincount(truth, minlength=len(mixture.classes))
    return SharedMixture(
        classes=mixture.classes,
        whitening=whitening,
        centers=centers @ whitening,
        owners=owners,
        log_mixing=np.log(mass / by_class[owners]),
        log_determinant=2 * float(np.log(np.diagonal(lower)).sum()),
        log_shares=mixture.log_shares,
    )


def _squared_distances(white: NDArray[np.float64], centers: NDArray[np.float64]) -> NDArray[np.float64]:
    products = white @ centers.T
    squared: NDArray[np.float64] = np.maximum(
        (white**2).sum(axis=1)[:, None] + (centers**2).sum(axis=1) - 2 * products, 0.0
    )
    return squared


def _by_class(joint: NDArray[np.float64], owners: NDArray[np.intp], classes: int) -> NDArray[np.float64]:
    """Return N x K logarithms of sums over each class's components."""
    columns = [joint[:, owners == number] for number in range(classes)]
    answer: NDArray[np.float64] = np.stack([np.logaddexp.reduce(column, axis=1) for column in columns], axis=1)
    return answer
