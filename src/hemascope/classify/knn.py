"""Nearest neighbors among embeddings, as a classifier and as a measure of how unusual a cell is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.classify.examples import checked_examples, checked_queries

Metric = Literal["cosine", "euclidean"]
"""How near two embeddings are: 1 - cosine of their angle, or the length of their difference."""

_BLOCK = 512
"""Embeddings asked about at a time: bounds the memory to this many times N distances."""

_TIE = 1e-6
"""Weight by which the nearer of equally many neighbors wins; too small to outweigh a vote."""


@dataclass(frozen=True, slots=True, eq=False)
class NearestNeighbors:
    """Votes of the k nearest known embeddings; an ``EmbeddingClassifier``.

    The probability of a class is (its votes + 1 / K) / (k + 1): with a uniform prior of weight 1 no class is ever
    impossible, and the more neighbors agree, the surer the answer. Among classes of equal votes that of the nearer
    neighbors is likeliest.

    Attributes
    ----------
    classes
        K names, in the order of the logits.
    known
        N x D float64; of unit length for ``cosine``.
    labels
        N class numbers.
    k
        Neighbors that vote.
    metric
        See ``Metric``.
    """

    classes: tuple[str, ...]
    known: NDArray[np.float64]
    labels: NDArray[np.intp]
    k: int
    metric: Metric

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K log probabilities for N x D embeddings; raise ``ValueError`` for another D."""
        asked = _prepared(checked_queries(embeddings, self.known.shape[1]), self.metric)
        votes = np.full((len(asked), len(self.classes)), 1 / len(self.classes))
        for rows, nearest, _ in _nearest(self.known, asked, self.k):
            for rank in range(self.k):
                weight = 1 + _TIE * (self.k - rank) / self.k
                votes[np.arange(rows.start, rows.stop), self.labels[nearest[:, rank]]] += weight
        answer: NDArray[np.float64] = np.log(votes / votes.sum(axis=1, keepdims=True))
        return answer


def fit_knn(
    embeddings: ArrayLike, labels: ArrayLike, classes: Sequence[str], *, k: int = 20, metric: Metric = "cosine"
) -> NearestNeighbors:
    """Return the classifier by nearest neighbors; the published probes of DinoBloom take k = 1 and 20.

    Parameters
    ----------
    embeddings, labels
        N x D numbers and N class numbers.
    classes
        K names.
    k
        Neighbors that vote, 1 or more; all of them where there are fewer.
    metric
        See ``Metric``.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, k is below 1, or an embedding has no direction.
    DataSetError
        If a class has no example.
    """
    values, truth = checked_examples(embeddings, labels, classes)
    if k < 1:
        raise ValueError(f"k must be 1 or more, not {k}")
    return NearestNeighbors(tuple(classes), _prepared(values, metric), truth, min(k, len(values)), metric)


@dataclass(frozen=True, slots=True, eq=False)
class NeighborDistance:
    """How far an embedding is from what is known: its distance to the k-th nearest known one.

    (Ramaswamy et al., SIGMOD 2000; for deep embeddings, Sun et al., ICML 2022, with ``cosine``.)

    Attributes
    ----------
    known
        N x D float64; of unit length for ``cosine``.
    k
        Which neighbor.
    metric
        See ``Metric``.
    """

    known: NDArray[np.float64]
    k: int
    metric: Metric

    def scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N distances for N x D embeddings, 0 or more; the greater, the less like anything known."""
        asked = _prepared(checked_queries(embeddings, self.known.shape[1]), self.metric)
        answer = np.empty(len(asked))
        for rows, _, squared in _nearest(self.known, asked, self.k):
            answer[rows.start : rows.stop] = squared.max(axis=1)
        # Of unit vectors the squared distance is 2 - 2 cos.
        return answer / 2 if self.metric == "cosine" else np.sqrt(answer)


def fit_neighbor_distance(embeddings: ArrayLike, *, k: int = 20, metric: Metric = "cosine") -> NeighborDistance:
    """Return the distance to the k-th of N x D known embeddings.

    Raises
    ------
    ValueError
        If k is not between 1 and N, a value is not finite, or an embedding has no direction.
    """
    values = np.asarray(embeddings, np.float64)
    if values.ndim != 2 or not 1 <= k <= len(values):
        raise ValueError(f"neighbor {k} needs at least {k} known embeddings, not an array of shape {values.shape}")
    return NeighborDistance(_prepared(checked_queries(values, values.shape[1]), metric), k, metric)


def _prepared(values: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    """Return embeddings among which the euclidean distance orders as ``metric`` does."""
    if metric == "euclidean":
        return values
    length = np.linalg.norm(values, axis=1, keepdims=True)
    if not length.all():
        raise ValueError(f"embedding {int(np.flatnonzero(length == 0)[0])} is all 0: it has no direction to compare")
    unit: NDArray[np.float64] = values / length
    return unit


def _nearest(
    known: NDArray[np.float64], asked: NDArray[np.float64], k: int
) -> Iterator[tuple[range, NDArray[np.intp], NDArray[np.float64]]]:
    """Yield rows of ``asked``, their k nearest in order, the first of equals first, and the squared distances."""
    squares = (known**2).sum(axis=1)
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        squared = np.maximum((block**2).sum(axis=1)[:, None] + squares - 2 * block @ known.T, 0.0)
        chosen = np.sort(np.argpartition(squared, k - 1, axis=1)[:, :k], axis=1)
        distances = np.take_along_axis(squared, chosen, axis=1)
        order = np.argsort(distances, axis=1, kind="stable")
        nearest = np.take_along_axis(chosen, order, axis=1)
        yield range(start, start + len(block)), nearest, np.take_along_axis(distances, order, axis=1)
