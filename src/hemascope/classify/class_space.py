"""Where known classes lie among embeddings, and what speaks for a cell being none of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular

from hemascope.classify.examples import checked_queries

REACH = 6.0
"""Deviations at which a standardized dimension is clipped: one wild descriptor must not decide alone."""

SHRINKAGE = 0.02
"""Share of the identity in the covariance within classes."""

OWN_SHRINKAGE = 0.1
"""Share of the shared covariance in that of each class."""

FEATURES, GAIN = 2000, 1.3
"""Random features beside the standardized numbers, and the deviation of what goes into each."""

TEMPERATURE = 10.0
"""Squared distances are divided by it before doubt is measured: at 1 nearly every cell would be certain."""

EVIDENCE = ("distance", "density", "gap", "doubt")
"""What speaks for a cell being new; see ``ClassSpace.evidence``."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassSpace:
    """Known classes as Gaussians, in the whole space and in the plane that tells them apart.

    The plane is Fisher's, of standardized embeddings and random features max(0, x A + b) of them (Rahimi, Recht,
    NeurIPS 2008): classes that no straight border divides come apart there, and nothing has to be trained.

    Attributes
    ----------
    mean, scale
        D each, by which embeddings are standardized before they are clipped.
    whitening
        D x D; after it the shared covariance within classes is the identity.
    centers
        K x D, the classes' means after whitening.
    directions, offsets
        D x H and H: A and b of the random features.
    plane
        (D + H) x P, P = K - 1 at most; after it, too, the shared covariance within classes is the identity.
    corners
        K x P, the classes' means in the plane.
    own_whitening, own_log_determinant
        K x P x P and K, of each class's own covariance in the plane.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    whitening: NDArray[np.float64]
    centers: NDArray[np.float64]
    directions: NDArray[np.float64]
    offsets: NDArray[np.float64]
    plane: NDArray[np.float64]
    corners: NDArray[np.float64]
    own_whitening: NDArray[np.float64]
    own_log_determinant: NDArray[np.float64]

    def evidence(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x F numbers for N x D embeddings, the greater the more a cell seems new, in order of ``EVIDENCE``.

        ``distance``: squared distance to the nearest center over D (Mahalanobis). ``density``: twice the negative log
        density, without its constant, under the nearest class's own covariance in the plane. ``gap``: squared distance
        in the plane to the nearest corner less that to the second; near 0 for a cell between two classes. ``doubt``:
        entropy of the classes' posterior in the plane, its logarithms divided by ``TEMPERATURE``.
        """
        standard = _standardized(checked_queries(embeddings, len(self.mean)), self.mean, self.scale)
        distance = _squared(standard @ self.whitening, self.centers).min(axis=1) / standard.shape[1]
        flat = _lifted(standard, self.directions, self.offsets) @ self.plane
        squared = _squared(flat, self.corners)
        ranked = np.sort(squared, axis=1)
        density = self._own_densities(flat).min(axis=1)
        return np.stack([distance, density, ranked[:, 0] - ranked[:, 1], _doubt(squared)], axis=1)

    def _own_densities(self, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return N x K values of -2 log density, without the constant that all classes share."""
        own = zip(self.corners, self.own_whitening, self.own_log_determinant, strict=True)
        return np.stack([(((flat - at) @ white) ** 2).sum(axis=1) + constant for at, white, constant in own], axis=1)


def fit_class_space(embeddings: ArrayLike, labels: ArrayLike, *, features: int = FEATURES, seed: int = 0) -> ClassSpace:
    """Return the space of the classes that occur.

    Parameters
    ----------
    embeddings, labels
        N x D numbers and N class numbers, of two classes or more; numbers that do not occur are no classes.
    features
        Random features H; 0 for none, so that borders are straight.
    seed
        Of the random features.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, or there are fewer than two classes.
    """
    values, truth = np.asarray(embeddings, np.float64), np.asarray(labels, np.intp)
    if values.ndim != 2 or truth.shape != values.shape[:1] or not np.isfinite(values).all():
        raise ValueError(f"need N x D finite embeddings and N labels, not {values.shape} and {truth.shape}")
    names, places = np.unique(truth, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"need cells of at least two classes, not {len(names)}")
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    scale = np.where(deviation > 1e-9 * np.maximum(np.abs(mean), 1e-9), deviation, np.inf)
    standard = _standardized(values, mean, scale)
    means, lower, _ = _moments(standard, places)
    whitening = np.asarray(solve_triangular(lower, np.eye(len(lower)), lower=True).T, np.float64)
    generator = np.random.default_rng(seed)
    directions = generator.standard_normal((values.shape[1], features)) * GAIN / np.sqrt(values.shape[1])
    offsets = generator.standard_normal(features)
    lifted = _lifted(standard, directions, offsets)
    lifted_means, lifted_lower, centered = _moments(lifted, places)
    plane = _fisher_plane(lifted_means, lifted_lower)
    flat = centered @ plane
    own = [np.linalg.cholesky(_own_covariance(flat[places == k])) for k in range(len(names))]
    return ClassSpace(
        mean=mean,
        scale=scale,
        whitening=whitening,
        centers=means @ whitening,
        directions=directions,
        offsets=offsets,
        plane=plane,
        corners=lifted_means @ plane,
        own_whitening=np.stack([np.linalg.inv(one).T for one in own]),
        own_log_determinant=np.array([2 * np.log(np.diagonal(one)).sum() for one in own]),
    )


def _standardized(
    values: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(np.clip((values - mean) / scale, -REACH, REACH), np.float64)


def _lifted(
    standard: NDArray[np.float64], directions: NDArray[np.float64], offsets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return N x (D + H) numbers: those given, and the random features of them."""
    return np.concatenate([standard, np.maximum(standard @ directions + offsets, 0.0)], axis=1)


def _moments(
    values: NDArray[np.float64], places: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the classes' means, the Cholesky factor of the shrunk covariance within them, and the values centered."""
    means = np.stack([values[places == k].mean(axis=0) for k in range(int(places.max()) + 1)])
    centered = values - means[places]
    within = centered.T @ centered / len(centered)
    size = len(within)
    shrunk = (1 - SHRINKAGE) * within + SHRINKAGE * max(float(np.trace(within)), 1e-12) / size * np.eye(size)
    return means, np.asarray(np.linalg.cholesky(shrunk), np.float64), centered


def _fisher_plane(means: NDArray[np.float64], lower: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the projection on the plane that the means of the classes span once the space is whitened."""
    white = solve_triangular(lower, (means - means.mean(axis=0)).T, lower=True)
    spanning, lengths, _ = np.linalg.svd(white, full_matrices=False)
    kept = spanning[:, lengths > 1e-9 * max(float(lengths[0]), 1e-300)]
    return np.asarray(solve_triangular(lower, kept, lower=True, trans="T"), np.float64)


def _own_covariance(centered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance of a class in the plane, drawn toward the shared one, which there is the identity."""
    covariance = centered.T @ centered / len(centered)
    return np.asarray((1 - OWN_SHRINKAGE) * covariance + OWN_SHRINKAGE * np.eye(len(covariance)), np.float64)


def _squared(points: NDArray[np.float64], centers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return N x K squared distances."""
    products = points @ centers.T
    squared = (points**2).sum(axis=1)[:, None] + (centers**2).sum(axis=1) - 2 * products
    return np.asarray(np.maximum(squared, 0.0), np.float64)


def _doubt(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return N entropies, in nats, of the tempered posterior of classes at N x K squared distances."""
    logits = -(squared - squared.min(axis=1, keepdims=True)) / (2 * TEMPERATURE)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return np.asarray(-(np.exp(log_p) * log_p).sum(axis=1), np.float64)
