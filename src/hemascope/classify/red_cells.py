"""The shipped red cell classifier: crops of red cells to calibrated probabilities of their morphology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hemascope.classify.network import BATCH, network_input, softmax
from hemascope.core.cell import CellCrop
from hemascope.core.ports import TensorGraph
from hemascope.core.prediction import RedCellPrediction
from hemascope.core.provenance import ModelIdentity


@dataclass(frozen=True, slots=True)
class RedCellSpec:
    """What the network was trained and calibrated for.

    Attributes
    ----------
    crop_px, crop_um
        Side of a crop in pixels and um.
    temperature
        Logits are divided by it; fitted on the validation split (Guo et al., 2017).
    """

    crop_px: int
    crop_um: float
    temperature: float


class NetworkRedCellClassifier:
    """Types red cells with a trained network; a ``RedCellClassifier``.

    Parameters
    ----------
    graph
        Gives logits N x types, in the order of ``RedCellType``, and embeddings.
    spec
        What it was calibrated for.
    """

    def __init__(self, graph: TensorGraph, spec: RedCellSpec) -> None:
        self._graph = graph
        self._spec = spec

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._graph.identity

    @property
    def crop_size(self) -> tuple[int, float]:
        """Side in pixels and width in um of the crops it takes."""
        return self._spec.crop_px, self._spec.crop_um

    def classify(self, crops: Sequence[CellCrop]) -> list[RedCellPrediction]:
        """Return one prediction a crop, in order.

        Raises
        ------
        ValueError
            If a crop is not of ``crop_size``.
        """
        predictions: list[RedCellPrediction] = []
        for start in range(0, len(crops), BATCH):
            batch = crops[start : start + BATCH]
            logits = self._graph.run(network_input(batch, self._spec.crop_px))[0]
            probabilities = softmax(logits / self._spec.temperature)
            predictions.extend(RedCellPrediction(crop.cell_id, p) for crop, p in zip(batch, probabilities, strict=True))
        return predictions
