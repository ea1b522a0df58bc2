"""Learning from few labels and many unlabeled cells: label propagation on a graph of neighbors, and self-training.

Both see the embeddings of unlabeled cells and never a label of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array

from hemascope.classify.examples import checked_examples, checked_queries
from hemascope.classify.linear_probe import LinearProbe, fit_linear_probe
from hemascope.stats.log_softmax import log_softmax

NEIGHBORS = 15
"""Of each cell in the graph."""

DAMPING = 0.9
"""Share of a cell's score that comes from its neighbors in every step; the rest is what it started with."""

STEPS = 40
"""Of the iteration: DAMPING ** STEPS is about 0.01, what is left to converge."""

ITERATIONS = 100
"""Of the probe on pseudo-labels: they are not worth more."""

_BLOCK = 512


def neighbor_graph(embeddings: ArrayLike, neighbors: int = NEIGHBORS) -> csr_array:
    r"""Return the normalized graph of nearest neighbors, N x N, symmetric, with an empty diagonal.

    Weights are :math:`w_{ij} = \max(\cos_{ij}, 0)^3` between a cell and its nearest neighbors by cosine, symmetrized,
    then :math:`S = D^{-1/2} W D^{-1/2}` (Iscen et al., CVPR 2019, with their exponent 3).

    Parameters
    ----------
    embeddings
        N x D; centered here by their mean, because networks that end in a rectifier point all one way.
    neighbors
        Of each cell; all others where there are fewer.
    """
    values = np.asarray(embeddings, np.float64)
    values = checked_queries(values, values.shape[1])
    centered = values - values.mean(axis=0)
    unit = (centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    count = len(unit)
    k = min(neighbors, count - 1)
    if k < 1:
        return csr_array((count, count), dtype=np.float64)
    columns, weights = np.empty((count, k), np.intp), np.empty((count, k))
    for start in range(0, count, _BLOCK):
        cosines = unit[start : start + _BLOCK] @ unit.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -2.0  # not its own neighbor
        nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        columns[start : start + len(rows)] = nearest
        weights[start : start + len(rows)] = np.maximum(np.take_along_axis(cosines, nearest, axis=1), 0.0) ** 3
    rows = np.repeat(np.arange(count), k)
    one_way = csr_array((weights.ravel(), (rows, columns.ravel())), shape=(count, count))
    both = one_way + one_way.T
    root = 1 / np.sqrt(np.maximum(both.sum(axis=1), 1e-12))
    return csr_array(diags_array(root) @ both @ diags_array(root))


def spread(graph: csr_array, start: NDArray[np.float64], damping: float = DAMPING) -> NDArray[np.float64]:
    """Return N x K scores after spreading over the graph: F <- damping S F + (1 - damping) F0 (Zhou et al., 2004).

    Parameters
    ----------
    graph
        As ``neighbor_graph`` returns it.
    start
        N x K scores to start from: rows of 0 where nothing is known.
    damping
        0 to below 1.
    """
    if not 0 <= damping < 1:
        raise ValueError(f"the damping must lie between 0 and below 1, not {damping}")
    scores = np.asarray(start, np.float64)
    for _ in range(STEPS):
        scores = damping * (graph @ scores) + (1 - damping) * start
    return scores


def propagated_labels(
    embeddings: ArrayLike, labels: ArrayLike, unlabeled: ArrayLike, classes: Sequence[str]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return a class number and a certainty, 0 to 1, for each of M unlabeled cells.

    Scores are brought to the same sum a class before the greatest is taken, so that a class whose few labels lie in a
    dense region does not swallow the others. The certainty is 1 less the entropy of a cell's shares over log K; 0 for
    a cell that no label reaches.

    Parameters
    ----------
    embeddings, labels
        N x D numbers and N class numbers of the labeled cells.
    unlabeled
        M x D.
    classes
        K names.

    Raises
    ------
    ValueError
        If shapes disagree or a value is not finite.
    DataSetError
        If a class has no example.
    """
    known, truth = checked_examples(embeddings, labels, classes)
    asked = checked_queries(unlabeled, known.shape[1])
    start = np.zeros((len(known) + len(asked), len(classes)))
    start[np.arange(len(known)), truth] = 1 / np.bincount(truth)[truth]
    scores = spread(neighbor_graph(np.concatenate([known, asked])), start)[len(known) :]
    scores = scores / np.maximum(scores.sum(axis=0), 1e-300)
    total = scores.sum(axis=1, keepdims=True)
    shares = np.divide(scores, total, out=np.full_like(scores, 1 / len(classes)), where=total > 0)
    entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1)
    certainty = np.clip(1 - entropy / np.log(len(classes)), 0.0, 1.0)
    return np.asarray(shares.argmax(axis=1), np.intp), certainty


def fit_label_propagation(
    embeddings: ArrayLike, labels: ArrayLike, unlabeled: ArrayLike, classes: Sequence[str], *, c: float = 0.1
) -> LinearProbe:
    """Return a linear probe on the labeled cells and on unlabeled ones under their propagated labels.

    An unlabeled cell counts by its certainty, and a labeled one fully.

    Parameters
    ----------
    embeddings, labels, unlabeled, classes
        As in ``propagated_labels``.
    c
        Inverse strength of the penalty; see ``fit_linear_probe``.
    """
    known, truth = checked_examples(embeddings, labels, classes)
    told, certainty = propagated_labels(known, truth, unlabeled, classes)
    return fit_linear_probe(
        np.concatenate([known, np.asarray(unlabeled, np.float64)]),
        np.concatenate([truth, told]),
        classes,
        c=c,
        sample_weights=np.concatenate([np.ones(len(known)), certainty]),
        max_iterations=ITERATIONS,
    )


def fit_self_training(
    embeddings: ArrayLike,
    labels: ArrayLike,
    unlabeled: ArrayLike,
    classes: Sequence[str],
    *,
    c: float = 0.1,
    shares: Sequence[float] = (0.2, 0.4, 0.6, 0.8),
) -> LinearProbe:
    """Return a linear probe that learned from its own surest answers, round by round (Yarowsky, 1995).

    In each round every class takes the given share of the unlabeled cells told as it, the surest first (Zou et al.,
    ECCV 2018), so that an easy class does not crowd out the others.

    Parameters
    ----------
    embeddings, labels, unlabeled, classes
        As in ``propagated_labels``.
    c
        Inverse strength of the penalty; see ``fit_linear_probe``.
    shares
        One share a round, 0 to 1.
    """
    known, truth = checked_examples(embeddings, labels, classes)
    asked = checked_queries(unlabeled, known.shape[1])
    probe = fit_linear_probe(known, truth, classes, c=c)
    for share in shares if len(asked) else ():
        log_p = log_softmax(probe.logits(asked.astype(np.float32)))
        told, surety = log_p.argmax(axis=1), log_p.max(axis=1)
        taken = np.concatenate([_surest(np.flatnonzero(told == k), surety, share) for k in range(len(classes))])
        values, labels_now = np.concatenate([known, asked[taken]]), np.concatenate([truth, told[taken]])
        probe = fit_linear_probe(values, labels_now, classes, c=c, start=probe, max_iterations=ITERATIONS)
    return probe


def _surest(members: NDArray[np.intp], surety: NDArray[np.float64], share: float) -> NDArray[np.intp]:
    order = np.argsort(-surety[members], kind="stable")
    return members[order[: round(share * len(members))]]
