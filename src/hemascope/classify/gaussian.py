"""Classes as Gaussians of one covariance: a generative classifier, and the distance from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.classify.examples import checked_examples, checked_queries

SHRINKAGE = 0.1
"""Default share of the identity in the covariance: keeps directions without variance from ruling the distance."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedGaussian:
    """Linear discriminant analysis with a shrunk covariance; an ``EmbeddingClassifier``.

    Attributes
    ----------
    classes
        K names, in the order of the logits.
    whitening
        D x D matrix W with W Wᵀ = the inverse of the covariance.
    centers
        K x D, class means after whitening.
    log_determinant
        Of the covariance.
    log_shares
        K logarithms of the classes' shares, which the logits hold under.
    """

    classes: tuple[str, ...]
    whitening: NDArray[np.float64]
    centers: NDArray[np.float64]
    log_determinant: float
    log_shares: NDArray[np.float64]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K values log p(x | c) + log p(c) for N x D embeddings."""
        return self.log_likelihood(embeddings) + self.log_shares

    def log_likelihood(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K exact log densities log p(x | c) of N x D embeddings."""
        constant = len(self.whitening) * np.log(2 * np.pi) + self.log_determinant
        answer: NDArray[np.float64] = -0.5 * (self._squared_distances(embeddings) + constant)
        return answer

    def scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N Mahalanobis distances to the nearest class center, over the square root of D.

        Near 1 for cells like those known, whatever D; the greater, the less like any class (Lee et al., NeurIPS 2018).
        """
        answer: NDArray[np.float64] = np.sqrt(self._squared_distances(embeddings).min(axis=1) / len(self.whitening))
        return answer

    def _squared_distances(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        white = checked_queries(embeddings, len(self.whitening)) @ self.whitening
        products = white @ self.centers.T
        squared: NDArray[np.float64] = np.maximum(
            (white**2).sum(axis=1)[:, None] + (self.centers**2).sum(axis=1) - 2 * products, 0.0
        )
        return squared


def fit_shared_gaussian(
    embeddings: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    shrinkage: float = SHRINKAGE,
    sample_weights: ArrayLike | None = None,
) -> SharedGaussian:
    r"""Return one Gaussian a class, all of the covariance within classes.

    The covariance is :math:`(1 - \lambda) S + \lambda\,\mathrm{tr}(S)/D\; I` with the weighted maximum likelihood
    estimate S (shrinkage toward the identity: Ledoit, Wolf, J Multivar Anal 2004;88:365; here by a stated share).

    Parameters
    ----------
    embeddings, labels
        N x D numbers and N class numbers.
    classes
        K names.
    shrinkage
        Lambda, 0 to 1. With 0, more embeddings than dimensions are needed.
    sample_weights
        N positive weights; None for ones.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, the shrinkage is out of range, or the covariance is singular.
    DataSetError
        If a class has no example.
    """
    values, truth = checked_examples(embeddings, labels, classes)
    weights = np.ones(len(truth)) if sample_weights is None else np.asarray(sample_weights, np.float64)
    if not 0 <= shrinkage <= 1:
        raise ValueError(f"shrinkage must lie between 0 and 1, not {shrinkage}")
    if weights.shape != truth.shape or not (weights > 0).all():
        raise ValueError(f"need {len(truth)} positive sample weights")
    mass = np.bincount(truth, weights, minlength=len(classes))
    means = np.stack([np.average(values[truth == k], axis=0, weights=weights[truth == k]) for k in range(len(classes))])
    centered = values - means[truth]
    within = (centered * weights[:, None]).T @ centered / weights.sum()
    dimension = len(within)
    covariance = (1 - shrinkage) * within + shrinkage * np.trace(within) / dimension * np.eye(dimension)
    lower = _cholesky(covariance)
    whitening = np.asarray(np.linalg.inv(lower).T, np.float64)
    return SharedGaussian(
        classes=tuple(classes),
        whitening=whitening,
        centers=means @ whitening,
        log_determinant=2 * float(np.log(np.diagonal(lower)).sum()),
        log_shares=np.log(mass / mass.sum()),
    )


def _cholesky(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    problem = "the embeddings do not vary in every direction within their classes; use more shrinkage or more of them"
    try:
        lower = np.asarray(np.linalg.cholesky(covariance), np.float64)
    except np.linalg.LinAlgError as error:
        raise ValueError(problem) from error
    if float(np.diagonal(lower).min()) < 1e-7 * float(np.diagonal(lower).max()):
        raise ValueError(problem)  # positive by rounding alone
    return lower
