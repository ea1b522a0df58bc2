"""Ways to answer for cells of a laboratory that was never trained on, with and without looking at its other cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.app.protocol_encoder import CropAnswers
from hemascope.classify.adapt import (
    balance_answers,
    mix_answers,
    prototypes,
    reweigh,
    smooth_answers,
)
from hemascope.classify.knn import fit_knn
from hemascope.classify.linear_probe import balanced_weights, fit_linear_probe
from hemascope.classify.prior import estimate_prior
from hemascope.core.ports import EmbeddingClassifier
from hemascope.core.taxonomy import CellType
from hemascope.stats.log_softmax import log_softmax

CLASSES = tuple(cell_type.value for cell_type in CellType)

PRIORS: Mapping[str, tuple[float, ...]] = {
    "even": (1.0,) * len(CLASSES),
    "white": tuple(
        {CellType.IMMATURE_GRANULOCYTE: 0.05, CellType.ERYTHROBLAST: 0.02, CellType.PLATELET: 0.005}.get(t, 1.0)
        for t in CellType
    ),
}
"""Weights of the types, one prior for every source. ``white`` says only that white cells of blood are asked about: the
five types of a differential alike, and little for what is rare among them or no white cell."""

PROBE, KNN, NETWORK = "probe", "knn", "network"
PLAIN, VIEWS, STAINED = "plain", "views", "stain"
"""The crop as it is; the mean over its eight turned and mirrored views; these after matching the stain."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What was learned in the first laboratory.

    Attributes
    ----------
    embeddings
        N x D of its training cells.
    probe, knn
        Fitted on them.
    """

    embeddings: NDArray[np.float32]
    probe: EmbeddingClassifier
    knn: EmbeddingClassifier


def learn(embeddings: NDArray[np.float32], labels: NDArray[np.intp]) -> Source:
    """Return the source with its classifiers, every class counted alike."""
    weights = balanced_weights(labels, len(CLASSES))
    probe = fit_linear_probe(embeddings, labels, CLASSES, c=0.01, class_weights=weights, max_iterations=300)
    return Source(embeddings, probe, fit_knn(embeddings, labels, CLASSES, k=20))


def plain_answers(source: Source, target: CropAnswers) -> dict[str, NDArray[np.intp]]:
    """Return ``<head>.<prior>`` to the class numbers told, each cell by itself: nothing of the target is looked at."""
    heads = _heads(source, target)
    return {
        f"{head}.{prior}": _told(reweigh(log_p, weights))
        for head, log_p in heads.items()
        for prior, weights in PRIORS.items()
    }


def adapted_answers(source: Source, target: Mapping[str, CropAnswers]) -> dict[str, dict[str, NDArray[np.intp]]]:
    """Return head to ``<input>.<step>`` to the class numbers told under the prior ``white``.

    The variants are few on purpose: a choice among many by three sources fits their noise.

    Parameters
    ----------
    source
        What was learned.
    target
        ``VIEWS`` and ``STAINED`` to the answers for all cells of one source, seen together and without labels.
    """
    views, stained = target[VIEWS], target[STAINED]
    by_views, by_stain = _heads(source, views), _heads(source, stained)
    told: dict[str, dict[str, NDArray[np.intp]]] = {}
    for head in by_views:
        inputs = {"views": by_views[head], "views_and_stain": mix_answers(by_views[head], by_stain[head])}
        told[head] = {
            f"{name}.{step}": _told(adapt(views.embeddings, reweigh(log_p, PRIORS["white"])))
            for step, adapt in (STEPS | TRIED).items()
            for name, log_p in inputs.items()
        }
    return told


_Step = Callable[[NDArray[np.float32], NDArray[np.float64]], NDArray[np.float64]]


def _balanced(_: NDArray[np.float32], log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    return balance_answers(log_p, PRIORS["white"])


def _balanced_smooth(values: NDArray[np.float32], log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    return smooth_answers(values, balance_answers(log_p, PRIORS["white"]))


def _re_estimated(_: NDArray[np.float32], log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    white = np.array(PRIORS["white"]) / sum(PRIORS["white"])
    return reweigh(log_p, estimate_prior(np.exp(log_p), white) / white)


def _with_prototypes(values: NDArray[np.float32], log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    return mix_answers(log_p, prototypes(values, log_p))


STEPS: dict[str, _Step] = {
    "none": lambda _, log_p: log_p,
    "balance": _balanced,
    "balance_smooth": _balanced_smooth,
}
"""What is done with the answers for all cells of a source together, the simplest first; among these is chosen."""

TRIED: dict[str, _Step] = {"prior": _re_estimated, "prototypes": _with_prototypes}
"""What is measured for the record, and never chosen: both did worse while the protocol was written."""


def _heads(source: Source, target: CropAnswers) -> dict[str, NDArray[np.float64]]:
    heads = {} if target.logits is None else {NETWORK: log_softmax(target.logits)}
    heads[PROBE] = log_softmax(source.probe.logits(target.embeddings))
    heads[KNN] = log_softmax(source.knn.logits(target.embeddings))
    return heads


def _told(log_p: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.asarray(log_p.argmax(axis=1), np.intp)
