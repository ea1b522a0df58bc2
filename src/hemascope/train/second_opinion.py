"""Fit the second opinion of a cell classifier: descriptors of its training cells to their types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.linear_probe import LinearProbe, fit_linear_probe
from hemascope.classify.second_opinion import SecondOpinion, distance, told
from hemascope.core.cell import CellCrop
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.embed.descriptor_encoder import DescriptorEncoder
from hemascope.stats.log_softmax import log_softmax
from hemascope.stats.temperature import fit_temperature, negative_log_likelihood
from hemascope.train.crop_batches import LabeledCrops
from hemascope.zoo.plain_tensors import tensors_to_bytes

PENALTIES = (0.03, 0.1, 0.3)
"""Inverse strengths of the penalty that are tried."""

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
"""What the log probabilities are multiplied by; 0 leaves the second opinion unheard."""

REACH = 4.0
"""Standard deviations beyond which a descriptor is clipped."""


HOME_QUANTILE = 0.99
"""It is heard on this share of the first source's validation cells."""

LEAST_SPREAD, UNHEARD = 1e-4, 1e9
"""A descriptor that varies less than this, relative to its largest value, tells no distance: it is divided away."""

SHRINKAGE = 0.1
"""Share of the identity in the covariance of the descriptors."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedOpinion:
    """A second opinion as fitted, and what network and opinion say together of validation cells.

    Attributes
    ----------
    opinion
        As it answers.
    joined
        For each validation set, N x types logits on the scale of the network's temperature.
    """

    opinion: SecondOpinion
    joined: tuple[NDArray[np.float64], ...]

    def tensors(self) -> bytes:
        """Return what is written beside the graph."""
        names = ("weights", "intercepts", "low", "high", "scale", "whitening", "centers")
        return tensors_to_bytes({name: getattr(self.opinion, name) for name in names})

    def spec(self) -> dict[str, object]:
        """Return what the card says of it."""
        ours = self.opinion
        numbers = {"limit": ours.limit, "share": ours.share, "temperature": ours.temperature}
        return {"encoder": ours.encoder.identity.sha256, **numbers}


def cells_of(crops: LabeledCrops, width_um: float) -> list[CellCrop]:
    """Return crops of one width as the encoder takes them."""
    return [CellCrop(str(index), pixels, Microns(width_um)) for index, pixels in enumerate(crops.images)]


def fit_second_opinion(
    train: Sequence[LabeledCrops],
    sample_weights: NDArray[np.float64],
    validation: Sequence[LabeledCrops],
    network: Sequence[NDArray[np.float32]],
    width_um: float,
) -> FittedOpinion:
    """Return the second opinion that together with the network tells the first validation set best.

    Parameters
    ----------
    train
        What to learn from; the first is home.
    sample_weights
        One for each of its crops, in order.
    validation
        The first chooses penalty and share, by the negative log-likelihood after a temperature, and how far from home
        the opinion is heard.
    network
        Logits of the network for each validation set.
    width_um
        Of the crops.
    """
    encoder = DescriptorEncoder()
    described = [encoder.encode(cells_of(crops, width_um)) for crops in train]
    every = np.concatenate(described)
    labels = np.concatenate([crops.labels for crops in train])
    mean, spread = every.mean(axis=0, dtype=np.float64), every.std(axis=0, dtype=np.float64)
    low, high = mean - REACH * spread, mean + REACH * spread
    asked = np.clip(encoder.encode(cells_of(validation[0], width_um)), low, high)
    weights = sample_weights * len(sample_weights) / sample_weights.sum()
    probe, share = _choose(np.clip(every, low, high), labels, weights, asked, validation[0].labels, network[0])
    home = np.clip(described[0], low, high).astype(np.float64)
    scale, whitening, centers = (values.astype(np.float32) for values in _spread_at_home(home, train[0].labels))
    together = network[0] + share * told(asked, probe.weights, probe.intercepts, (low, high))
    opinion = SecondOpinion(
        encoder=encoder,
        weights=probe.weights.astype(np.float32),
        intercepts=probe.intercepts.astype(np.float32),
        low=low.astype(np.float32),
        high=high.astype(np.float32),
        scale=scale,
        whitening=whitening,
        centers=centers,
        limit=float(np.quantile(distance(asked, scale, whitening, centers), HOME_QUANTILE)),
        share=share,
        temperature=fit_temperature(together, validation[0].labels),
    )
    alone = fit_temperature(network[0], validation[0].labels)
    joined = tuple(
        opinion.joined(logits, cells_of(crops, width_um), alone)
        for logits, crops in zip(network, validation, strict=True)
    )
    return FittedOpinion(opinion, joined)


def _choose(
    described: NDArray[np.floating],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    asked: NDArray[np.floating],
    truth: NDArray[np.int64],
    network: NDArray[np.float32],
) -> tuple[LinearProbe, float]:
    """Return the linear classifier and the share of least loss on the validation cells."""
    found: list[tuple[float, LinearProbe, float]] = []
    for c in PENALTIES:
        start = found[-1][1] if found else None
        names = [cell_type.value for cell_type in CellType]
        probe = fit_linear_probe(described, labels, names, c=c, sample_weights=weights, start=start)
        opinion = log_softmax(probe.logits(asked.astype(np.float32)))
        found += [(_calibrated_loss(network + share * opinion, truth), probe, share) for share in SHARES]
    _, probe, share = min(found, key=lambda one: round(one[0], 6))
    return probe, share


def _spread_at_home(
    described: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return scale, whitening and centers by which the distance from home is told."""
    spread = described.std(axis=0)
    scale = np.where(spread > LEAST_SPREAD * np.abs(described).max(axis=0), spread, UNHEARD)
    values = described / scale
    centers = np.stack([values[labels == k].mean(axis=0) for k in range(len(CellType))])
    centered = values - centers[labels]
    covariance = centered.T @ centered / len(centered)
    identity = np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
    whitening = np.linalg.cholesky(np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * identity))
    return scale, whitening, centers @ whitening


def _calibrated_loss(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    return negative_log_likelihood(logits, labels, fit_temperature(logits, labels))
