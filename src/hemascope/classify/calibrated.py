"""A classifier with calibrated logits, and a network's own logits behind the same port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.classify.examples import checked_queries
from hemascope.core.ports import EmbeddingClassifier
from hemascope.stats.temperature import fit_temperature
from hemascope.stats.vector_scaling import VectorScaling, fit_vector_scaling

Calibration = Literal["temperature", "vector"]
"""One number for all logits, or a factor and a shift for each."""


@dataclass(frozen=True, slots=True, eq=False)
class GivenLogits:
    """The head that a network was trained with: takes its logits for embeddings. An ``EmbeddingClassifier``.

    So a network that was fine-tuned whole stands in one table with classifiers on frozen embeddings.

    Attributes
    ----------
    classes
        K names, in the order of the network's outputs.
    """

    classes: tuple[str, ...]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K logits as they come; raise ``ValueError`` where they are not K."""
        return checked_queries(embeddings, len(self.classes))


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedClassifier:
    """Another classifier, its logits scaled; an ``EmbeddingClassifier``.

    Attributes
    ----------
    base
        What answers.
    scaling
        What is done to its logits.
    """

    base: EmbeddingClassifier
    scaling: VectorScaling

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return self.base.classes

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K calibrated logits for N x D embeddings."""
        return self.scaling.apply(self.base.logits(embeddings))


def calibrate(
    classifier: EmbeddingClassifier,
    embeddings: NDArray[np.float32],
    labels: ArrayLike,
    method: Calibration = "temperature",
) -> CalibratedClassifier:
    """Return a classifier with its logits calibrated on validation cells.

    Parameters
    ----------
    classifier
        Fitted on other cells.
    embeddings, labels
        N x D and N class numbers of validation cells.
    method
        See ``Calibration``.

    Raises
    ------
    ValueError
        If there is nothing to fit on, or shapes disagree.
    """
    logits, truth = classifier.logits(embeddings), np.asarray(labels, np.intp)
    if method == "vector":
        return CalibratedClassifier(classifier, fit_vector_scaling(logits, truth))
    count = len(classifier.classes)
    factor = 1 / fit_temperature(logits, truth)
    return CalibratedClassifier(classifier, VectorScaling(np.full(count, factor), np.zeros(count)))
