"""Fit the second opinion of a cell classifier: descriptors of its training cells to their types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.linear_probe import LinearProbe, fit_linear_probe
from hemascope.classify.second_opinion import told
from hemascope.core.cell import CellCrop
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.embed.descriptor_encoder import DescriptorEncoder
from hemascope.stats.temperature import fit_temperature, negative_log_likelihood
from hemascope.train.crop_batches import LabeledCrops
from hemascope.zoo.plain_tensors import tensors_to_bytes

PENALTIES = (0.03, 0.1, 0.3)
"""Inverse strengths of the penalty that are tried."""

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
"""What the log probabilities are multiplied by; 0 leaves the second opinion unheard."""

REACH = 4.0
"""Standard deviations beyond which a descriptor is clipped."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedOpinion:
    """A second opinion as fitted, and what it says of validation cells.

    Attributes
    ----------
    probe
        Linear classifier of clipped descriptors.
    limits
        Lowest and highest value of each descriptor.
    share
        What its log probabilities are multiplied by.
    validation
        For each validation set, N x types float64 to be added to the network's logits.
    """

    probe: LinearProbe
    limits: tuple[NDArray[np.float64], NDArray[np.float64]]
    share: float
    validation: tuple[NDArray[np.float64], ...]

    def tensors(self) -> bytes:
        """Return what is written beside the graph."""
        low, high = self.limits
        values = {"weights": self.probe.weights, "intercepts": self.probe.intercepts, "low": low, "high": high}
        return tensors_to_bytes({name: value.astype(np.float32) for name, value in values.items()})

    def spec(self) -> dict[str, object]:
        """Return what the card says of it."""
        return {"encoder": DescriptorEncoder().identity.sha256, "share": self.share}


def describe_crops(crops: LabeledCrops, width_um: float) -> NDArray[np.float32]:
    """Return descriptors N x D of crops of one width."""
    cells = [CellCrop(str(index), pixels, Microns(width_um)) for index, pixels in enumerate(crops.images)]
    return DescriptorEncoder().encode(cells)


def fit_second_opinion(
    train: Sequence[LabeledCrops],
    sample_weights: NDArray[np.float64],
    validation: Sequence[LabeledCrops],
    network: NDArray[np.float32],
    width_um: float,
) -> FittedOpinion:
    """Return the second opinion that together with the network tells the first validation set best.

    Parameters
    ----------
    train
        What to learn from.
    sample_weights
        One for each of its crops, in order.
    validation
        The first chooses penalty and share, by the negative log-likelihood after a temperature.
    network
        Logits of the network for the first validation set.
    width_um
        Of the crops.
    """
    described = np.concatenate([describe_crops(crops, width_um) for crops in train])
    labels = np.concatenate([crops.labels for crops in train])
    mean, spread = described.mean(axis=0, dtype=np.float64), described.std(axis=0, dtype=np.float64)
    limits = (mean - REACH * spread, mean + REACH * spread)
    asked = [describe_crops(crops, width_um) for crops in validation]
    weights = sample_weights * len(sample_weights) / sample_weights.sum()
    best: tuple[float, LinearProbe, float] | None = None
    for c in PENALTIES:
        probe = fit_linear_probe(
            np.clip(described, *limits), labels, [t.value for t in CellType], c=c, sample_weights=weights,
            start=best[1] if best else None,
        )  # fmt: skip
        opinion = told(asked[0], probe.weights, probe.intercepts, limits)
        for share in SHARES:
            loss = _calibrated_loss(network + share * opinion, validation[0].labels)
            if best is None or loss < best[0] - 1e-6:
                best = (loss, probe, share)
    assert best is not None  # noqa: S101 - penalties and shares are not empty
    _, probe, share = best
    said = tuple(share * told(values, probe.weights, probe.intercepts, limits) for values in asked)
    return FittedOpinion(probe, limits, share, said)


def _calibrated_loss(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    return negative_log_likelihood(logits, labels, fit_temperature(logits, labels))
