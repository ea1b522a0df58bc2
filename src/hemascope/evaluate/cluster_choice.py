"""A linear probe whose strength is chosen inside the training clusters, never on those held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.linear_probe import LinearProbe, fit_linear_probe
from hemascope.stats.log_softmax import log_softmax

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""C over the number of fields that are chosen from; larger is looser."""

CLIP = 4.0
"""Deviations at which a descriptor is cut off: a field unlike any other must not decide by one number."""


@dataclass(frozen=True, slots=True, eq=False)
class ClusterProbe:
    """A probe with its standardization; see ``fit_cluster_probe``."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    probe: LinearProbe

    def probabilities(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return N x K probabilities for N x D values."""
        clipped = np.clip((values - self.mean) / self.scale, -CLIP, CLIP)
        answer: NDArray[np.float64] = np.exp(log_softmax(self.probe.logits(clipped.astype(np.float32))))
        return answer


def fit_cluster_probe(
    values: NDArray[np.float64],
    labels: NDArray[np.int64],
    clusters: NDArray[np.str_],
    classes: Sequence[str],
    strength: float,
) -> ClusterProbe:
    """Return logistic regression in which classes count alike, and clusters of a class by the root of their size.

    Parameters
    ----------
    values, labels, clusters
        N x D numbers, N class numbers and N names of clusters.
    classes
        K names.
    strength
        See ``STRENGTHS``.
    """
    mean, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-9)
    clipped = np.clip((values - mean) / scale, -CLIP, CLIP)
    sizes = Counter(clusters.tolist())
    weights = np.array([1 / np.sqrt(sizes[name]) for name in clusters.tolist()])
    for label in np.unique(labels):
        weights[labels == label] /= weights[labels == label].sum()
    probe = fit_linear_probe(
        clipped, labels, classes, c=strength * len(labels) / len(classes), sample_weights=weights, standardize=False
    )
    return ClusterProbe(mean, scale, probe)


def choose_strength(
    values: NDArray[np.float64],
    labels: NDArray[np.int64],
    clusters: NDArray[np.str_],
    classes: Sequence[str],
    parts: Sequence[NDArray[np.bool_]],
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[float, float]:
    """Return the strength of the highest accuracy over inner parts that are left out in turn, and that accuracy.

    Parameters
    ----------
    parts
        Which of the N are left out, one array a part; whole clusters.
    """
    scored = {}
    for strength in strengths:
        hits = [
            fit_cluster_probe(values[~out], labels[~out], clusters[~out], classes, strength)
            .probabilities(values[out])
            .argmax(axis=1)
            == labels[out]
            for out in parts
        ]
        scored[strength] = float(np.concatenate(hits).mean())
    best = max(scored, key=lambda strength: scored[strength])
    return best, scored[best]
