"""A second opinion on a cell: a linear classifier of handcrafted descriptors, added to the network's logits.

The two err on different cells. Their logits are added with a weight, then calibrated together: a product of experts
(Hinton, Neural Computation 2002).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.errors import WeightsError
from hemascope.core.ports import Encoder
from hemascope.core.taxonomy import CellType
from hemascope.stats.log_softmax import log_softmax

OPINION_FILE = "second_opinion.safetensors"
"""In the folder of a classifier that has one."""


@dataclass(frozen=True, slots=True, eq=False)
class SecondOpinion:
    """A linear classifier of what an encoder says of crops.

    Attributes
    ----------
    encoder
        Describes crops; its digest is the one that the classifier was fitted with.
    weights, intercepts
        D x types and types, in the order of ``CellType``.
    low, high
        D each: descriptors are clipped to what was seen in training, give or take; a line knows no limits.
    share
        What its log probabilities are multiplied by before they are added.
    """

    encoder: Encoder
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    share: float

    def logits(self, crops: Sequence[CellCrop]) -> NDArray[np.float64]:
        """Return N x types float64, to be added to a network's logits."""
        return self.share * told(self.encoder.encode(crops), self.weights, self.intercepts, (self.low, self.high))


def told(
    values: NDArray[np.float32],
    weights: NDArray[np.floating],
    intercepts: NDArray[np.floating],
    limits: tuple[NDArray[np.floating], NDArray[np.floating]],
) -> NDArray[np.float64]:
    """Return log probabilities N x types of N x D descriptors, which are clipped to limits of D each."""
    clipped = np.clip(values.astype(np.float64), *limits)
    return log_softmax(clipped @ weights.astype(np.float64) + intercepts.astype(np.float64))


def read_second_opinion(
    spec: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], encoder: Encoder
) -> SecondOpinion:
    """Return the second opinion that a card and the tensors beside it state.

    Parameters
    ----------
    spec
        ``encoder``, the sha256 of what describes crops, and ``share``.
    tensors
        ``weights``, ``intercepts``, ``low`` and ``high``.
    encoder
        What would describe crops now.

    Raises
    ------
    WeightsError
        If the encoder is another one, or the tensors have other shapes.
    """
    if spec.get("encoder") != encoder.identity.sha256:
        raise WeightsError(
            f"the second opinion was fitted on other {encoder.identity.name}; install hemascope again, or train anew"
        )
    dimension, types = encoder.spec.dimension, len(CellType)
    shapes = {"weights": (dimension, types), "intercepts": (types,), "low": (dimension,), "high": (dimension,)}
    wrong = [name for name, shape in shapes.items() if name not in tensors or tensors[name].shape != shape]
    if wrong:
        raise WeightsError(f"{OPINION_FILE}: {wrong[0]} is missing or not {shapes[wrong[0]]}; install hemascope again")
    values = {name: np.asarray(tensors[name], np.float32) for name in shapes}
    return SecondOpinion(encoder, share=float(spec["share"]), **values)
