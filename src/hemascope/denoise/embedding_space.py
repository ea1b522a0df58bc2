"""Embeddings brought to a space where every class has about unit spread: what the embedding denoiser works in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.stats.shrinkage import ledoit_wolf_share

REACH = 6.0
"""Deviations at which a standardized number is clipped: one wild descriptor must not decide alone."""

TENSORS = ("mean", "spread", "whitening", "centers")
"""Names of the arrays of a space."""

SPACE_FILE = "space.safetensors"
"""Of a model folder: the arrays of ``EmbeddingSpace.tensors``, in single precision."""

SHRINKAGE = 0.1
"""Default share of the identity in the covariance within classes."""


LEAST_SHARE = 1e-3
"""Of the identity, where the examples call for none: keeps directions without variance from ruling."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingSpace:
    """A way from embeddings to samples; ``samples`` of a class have about the identity as covariance.

    Attributes
    ----------
    mean, spread
        D each: embeddings are standardized by them, then clipped at ``REACH``.
    whitening
        D x M matrix that follows.
    centers
        K x M, the classes' means as samples.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    whitening: NDArray[np.float32]
    centers: NDArray[np.float32]

    def samples(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return N x M float32 samples of N x D embeddings."""
        return np.asarray(standardized(embeddings, self.mean, self.spread) @ self.whitening, np.float32)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.floating]]) -> EmbeddingSpace:
        """Return the space whose ``tensors`` these are; raise ``KeyError`` where one is missing."""
        return cls(*(np.asarray(tensors[name], np.float32) for name in TENSORS))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return the arrays by name, as they are kept."""
        return {name: getattr(self, name) for name in TENSORS}


def fit_embedding_space(
    embeddings: ArrayLike, labels: ArrayLike, class_count: int, *, shrinkage: float | None = SHRINKAGE
) -> EmbeddingSpace:
    r"""Return the space in which the shrunk covariance within classes is the identity.

    The covariance S of standardized embeddings within classes is shrunk to
    :math:`(1-\lambda) S + \lambda\,\mathrm{tr}(S)/D\; I`, as in ``classify.gaussian``.

    Parameters
    ----------
    embeddings, labels
        N x D numbers and N class numbers.
    class_count
        K; each class needs an example.
    shrinkage
        Lambda, above 0 to 1; None for the share that the examples themselves call for, see ``stats.shrinkage``.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, a class has no example, or the shrinkage is out of range.
    """
    values, truth = np.asarray(embeddings, np.float64), np.asarray(labels, np.intp)
    if values.ndim != 2 or truth.shape != values.shape[:1] or not np.isfinite(values).all():
        raise ValueError(f"need N x D finite embeddings and N labels, not {values.shape} and {truth.shape}")
    if shrinkage is not None and not 0 < shrinkage <= 1:
        raise ValueError(f"shrinkage must lie above 0 and at most at 1, not {shrinkage}")
    counts = np.bincount(truth, minlength=class_count)
    if len(counts) != class_count or not counts.all():
        raise ValueError(f"each of {class_count} classes needs an example; there are {counts.tolist()}")
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    spread = np.where(deviation > 1e-9 * np.maximum(np.abs(mean), 1e-9), deviation, np.inf)
    standard = standardized(values, mean, spread)
    means = np.stack([standard[truth == k].mean(axis=0) for k in range(class_count)])
    centered = standard - means[truth]
    within = centered.T @ centered / len(centered)
    share = max(ledoit_wolf_share(centered), LEAST_SHARE) if shrinkage is None else shrinkage
    shrunk = (1 - share) * within + share * np.trace(within) / len(within) * np.eye(len(within))
    whitening = np.linalg.inv(np.linalg.cholesky(shrunk)).T
    single = (mean, spread, whitening, means @ whitening)
    return EmbeddingSpace(*(np.asarray(array, np.float32) for array in single))


def standardized(
    embeddings: NDArray[np.floating], mean: NDArray[np.floating], spread: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return embeddings less their mean, over their spread, clipped; what does not vary (spread infinite) is 0."""
    standard: NDArray[np.floating] = np.clip((embeddings - mean) / spread, -REACH, REACH)
    return standard
