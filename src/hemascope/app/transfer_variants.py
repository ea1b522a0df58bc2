"""Ways to answer for cells of a laboratory that was never trained on, with and without looking at its other cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.app.protocol_encoder import CropAnswers
from hemascope.classify.adapt import (
    align_covariance,
    estimate_prior,
    mix_answers,
    prototypes,
    reweigh,
    smooth_answers,
)
from hemascope.classify.knn import fit_knn
from hemascope.classify.linear_probe import balanced_weights, fit_linear_probe
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
"""The crop as it is; the mean over its eight turned and mirrored views; these after matching the strength of stain."""


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


def adapted_answers(source: Source, target: Mapping[str, CropAnswers]) -> dict[str, NDArray[np.intp]]:
    """Return a variant's name, ``<input>.<head>.<step>``, to the class numbers told under the prior ``white``.

    Parameters
    ----------
    source
        What was learned.
    target
        Input, such as ``VIEWS``, to the answers for all cells of one source, seen together and without labels.
    """
    told: dict[str, NDArray[np.intp]] = {}
    for name, answers in target.items():
        heads = _heads(source, answers)
        aligned = align_covariance(source.embeddings, answers.embeddings).astype(np.float32)
        heads["coral_probe"] = log_softmax(source.probe.logits(aligned))
        for head, log_p in heads.items():
            start = reweigh(log_p, PRIORS["white"])
            for step, adapt in STEPS.items():
                told[f"{name}.{head}.{step}"] = _told(adapt(answers.embeddings, start))
    return told


_Step = Callable[[NDArray[np.float32], NDArray[np.float64]], NDArray[np.float64]]


def _re_estimated(_: NDArray[np.float32], log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    white = np.array(PRIORS["white"]) / sum(PRIORS["white"])
    shares = estimate_prior(log_p, white, strength=len(log_p) / len(CLASSES))
    return reweigh(log_p, shares / white)


STEPS: Mapping[str, _Step] = {
    "none": lambda _, log_p: log_p,
    "prior": _re_estimated,
    "smooth": smooth_answers,
    "prototypes": lambda values, log_p: mix_answers(log_p, prototypes(values, log_p)),
}
"""What is done with the answers for all cells of a source together, the simplest first."""


def _heads(source: Source, target: CropAnswers) -> dict[str, NDArray[np.float64]]:
    heads = {} if target.logits is None else {NETWORK: log_softmax(target.logits)}
    heads[PROBE] = log_softmax(source.probe.logits(target.embeddings))
    heads[KNN] = log_softmax(source.knn.logits(target.embeddings))
    return heads


def _told(log_p: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.asarray(log_p.argmax(axis=1), np.intp)
