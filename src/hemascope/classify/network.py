"""The shipped classifier: crops to calibrated probabilities under a stated prior, or no answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.conformal import ConformalLimits, prediction_sets
from hemascope.classify.decide import Thresholds, decide
from hemascope.classify.prior import under_prior
from hemascope.classify.second_look import SecondLook
from hemascope.classify.second_opinion import SecondOpinion
from hemascope.core.cell import CellCrop
from hemascope.core.optics import absorption, transmittance
from hemascope.core.ports import TensorGraph
from hemascope.core.prediction import CellPrediction
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType

BATCH = 16
"""Larger batches gain nothing on a plain processor and cost memory."""


@dataclass(frozen=True, slots=True)
class ClassifierSpec:
    """What the network was trained and calibrated for.

    Attributes
    ----------
    crop_px, crop_um
        Side of a crop in pixels and um.
    temperature
        Logits are divided by it; fitted on the validation split (Guo et al., 2017).
    training_shares
        Share of each type in the validation split: the prior its probabilities hold under.
    anomaly_threshold
        Distance that 1% of the first source's validation cells exceed, and at most 5% of any other source's.
    conformal
        Limits of the prediction sets; None for a classifier that was shipped without, which states no sets.
    """

    crop_px: int
    crop_um: float
    temperature: float
    training_shares: Mapping[CellType, float]
    anomaly_threshold: float
    conformal: ConformalLimits | None = None


class NetworkClassifier:
    """Types cells with a trained network; a ``CellClassifier``.

    Parameters
    ----------
    graph
        Gives logits N x types, embeddings N x D, and distances N from what was seen in training.
    spec
        What it was calibrated for.
    prior
        Assumed share of each type.
    thresholds
        When not to decide.
    opinion
        A second opinion, whose logits are added; None for the network alone.
    second_look
        Heard where the answer is uncertain; None for no cascade. Prediction sets hold for probabilities without it.
    """

    def __init__(
        self,
        graph: TensorGraph,
        spec: ClassifierSpec,
        prior: Mapping[CellType, float],
        thresholds: Thresholds,
        opinion: SecondOpinion | None = None,
        second_look: SecondLook | None = None,
    ) -> None:
        self._graph = graph
        self._opinion = opinion
        self._second_look = second_look
        self._spec = spec
        self._prior = np.array([prior[t] for t in CellType], np.float64)
        self._trained = np.array([spec.training_shares[t] for t in CellType], np.float64)
        self._thresholds = thresholds

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._graph.identity

    @property
    def crop_size(self) -> tuple[int, float]:
        """Side in pixels and width in um of the crops it takes."""
        return self._spec.crop_px, self._spec.crop_um

    def classify(self, crops: Sequence[CellCrop]) -> list[CellPrediction]:
        """Return one prediction a crop, in order.

        Raises
        ------
        ValueError
            If a crop is not of ``crop_size``.
        """
        predictions: list[CellPrediction] = []
        for start in range(0, len(crops), BATCH):
            batch = crops[start : start + BATCH]
            logits, _, distances = self._graph.run(network_input(batch, self._spec.crop_px))
            calibrated = softmax(self._joined(logits, batch) / self._spec.temperature)
            seen = calibrated if self._second_look is None else self._second_look.joined(calibrated, batch)
            probabilities = under_prior(seen, self._trained, self._prior)
            anomalies = distances.reshape(-1) / self._spec.anomaly_threshold
            sets = prediction_sets(calibrated, self._spec.conformal, shown=probabilities)
            predictions.extend(
                decide(crop.cell_id, p, float(a), self._thresholds, s)
                for crop, p, a, s in zip(batch, probabilities, anomalies, sets, strict=True)
            )
        return predictions

    def _joined(self, logits: NDArray[np.float32], crops: Sequence[CellCrop]) -> NDArray[np.floating]:
        """Return the logits, joined with those of the second opinion where there is one."""
        return logits if self._opinion is None else self._opinion.joined(logits, crops, self._spec.temperature)


def network_input(crops: Sequence[CellCrop], side: int) -> NDArray[np.float32]:
    """Return crops as network input N x 3 x side x side, each normalized by its own background.

    Raises
    ------
    ValueError
        If a crop is not ``side`` pixels wide and high.
    """
    for crop in crops:
        if crop.pixels.shape != (side, side, 3):
            raise ValueError(f"{crop.cell_id}: the crop is {crop.pixels.shape}, not {(side, side, 3)}")
    images = np.stack([absorption(transmittance(crop.pixels)) for crop in crops])
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return probabilities over the last axis, float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    weights: NDArray[np.float64] = np.exp(shifted)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float64)
