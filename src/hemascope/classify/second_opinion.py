"""A second opinion on a cell: a linear classifier of handcrafted descriptors, added to the network's logits.

The two err on different cells. Their logits are added with a weight, then calibrated together: a product of experts
(Hinton, Neural Computation 2002). Descriptors of another stain or camera mislead a linear classifier, so it is heard
only where they lie among those of the first training source.
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
    scale, whitening, centers
        D, D x D and types x D: descriptors are divided by the first, turned by the second, and compared with the third,
        the centers of the types in the first training source.
    limit
        Distance from the nearest center, per root of D, above which it is not heard.
    share
        What its log probabilities are multiplied by before they are added.
    temperature
        Joined logits are divided by it; those of the network alone have their own.
    """

    encoder: Encoder
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    scale: NDArray[np.float32]
    whitening: NDArray[np.float32]
    centers: NDArray[np.float32]
    limit: float
    share: float
    temperature: float

    def joined(
        self, logits: NDArray[np.floating], crops: Sequence[CellCrop], temperature: float
    ) -> NDArray[np.float64]:
        """Return N x types logits that, divided by the network's temperature, are calibrated.

        Parameters
        ----------
        logits
            Of the network, N x types.
        crops
            N crops.
        temperature
            Of the network alone.
        """
        described = np.clip(self.encoder.encode(crops), self.low, self.high)
        heard = distance(described, self.scale, self.whitening, self.centers) <= self.limit
        opinion = self.share * told(described, self.weights, self.intercepts, (self.low, self.high))
        together = (logits + opinion) * (temperature / self.temperature)
        return np.where(heard[:, None], together, logits.astype(np.float64))


def distance(
    described: NDArray[np.floating],
    scale: NDArray[np.floating],
    whitening: NDArray[np.floating],
    centers: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return N Mahalanobis distances from the nearest center, divided by the root of D (Lee et al., NeurIPS 2018)."""
    white = (described.astype(np.float64) / scale) @ whitening.astype(np.float64)
    squared = ((white[:, None, :] - centers.astype(np.float64)[None]) ** 2).mean(axis=2)
    return np.asarray(np.sqrt(squared.min(axis=1)) if len(white) else np.empty(0), np.float64)


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
        ``encoder``, the sha256 of what describes crops, ``limit``, ``share`` and ``temperature``.
    tensors
        ``weights``, ``intercepts``, ``low``, ``high``, ``scale``, ``whitening`` and ``centers``.
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
    line = dict.fromkeys(("low", "high", "scale"), (dimension,))
    shapes: dict[str, tuple[int, ...]] = {"weights": (dimension, types), "intercepts": (types,), **line}
    shapes |= {"whitening": (dimension, dimension), "centers": (types, dimension)}
    wrong = [name for name, shape in shapes.items() if name not in tensors or tensors[name].shape != shape]
    if wrong:
        raise WeightsError(f"{OPINION_FILE}: {wrong[0]} is missing or not {shapes[wrong[0]]}; install hemascope again")
    values = {name: np.asarray(tensors[name], np.float32) for name in shapes}
    return SecondOpinion(
        encoder=encoder,
        weights=values["weights"],
        intercepts=values["intercepts"],
        low=values["low"],
        high=values["high"],
        scale=values["scale"],
        whitening=values["whitening"],
        centers=values["centers"],
        limit=float(spec["limit"]),
        share=float(spec["share"]),
        temperature=float(spec["temperature"]),
    )
