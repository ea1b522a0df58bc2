"""Adapting to another laboratory by its own unlabeled cells: what is known of the new cells is how they look.

Every function takes all cells of one source together, and no label of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.classify.propagation import neighbor_graph, spread
from hemascope.core.optics import transmittance
from hemascope.stats.log_softmax import log_softmax

LEAST_PASSED = 1 / 64
"""Transmittance below which optical density is cut: eight-bit images hold no finer shade of black."""

_INSIDE = 0.2
"""Radius of the disk in which the density of a cell is measured, as a share of the crop's width."""


@dataclass(frozen=True, slots=True, eq=False)
class StainProfile:
    """How strong a source's stain is, in the middle of its crops.

    Attributes
    ----------
    mean, deviation
        Of the optical density -ln(I / I0), three channels each.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def stain_profile(crops: Sequence[NDArray[np.uint8]]) -> StainProfile:
    """Return the stain of a source.

    Parameters
    ----------
    crops
        N images S x S x 3 uint8 of one width in um, the cell in the center.

    Raises
    ------
    ValueError
        If there is no crop.
    """
    if not len(crops):
        raise ValueError("a source's stain needs at least one crop")
    inside = np.concatenate([_density(crop)[_middle(len(crop))] for crop in crops])
    return StainProfile(inside.mean(axis=0), np.maximum(inside.std(axis=0), 1e-3))


def match_stain(crop: NDArray[np.uint8], own: StainProfile, wanted: StainProfile) -> NDArray[np.uint8]:
    r"""Return a crop whose densities have another source's mean and deviation, per channel.

    :math:`d' = s d + (\mu_w - s \mu_o) \min(2 d / \mu_o, 1)` with :math:`s = \sigma_w / \sigma_o`: Reinhard's matching
    (2001) in optical density, but for what is fainter than half of the mean, where the shift fades, so that background
    stays background.

    Parameters
    ----------
    crop
        S x S x 3 uint8.
    own, wanted
        Stain of the crop's source and of the other one.
    """
    density, scale = _density(crop), wanted.deviation / own.deviation
    faded = np.minimum(2 * density / np.maximum(own.mean, 1e-3), 1.0)
    moved = scale * density + (wanted.mean - scale * own.mean) * faded
    return np.round(np.exp(-np.maximum(moved, 0.0)) * 255).astype(np.uint8)


def turned(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return the eight views of a square image by quarter turns and mirroring; a cell has no up."""
    sides = (pixels, pixels[:, ::-1])
    return [np.ascontiguousarray(np.rot90(side, turns)) for side in sides for turns in range(4)]


def balance_answers(
    log_p: NDArray[np.float64],
    shares: ArrayLike,
    *,
    strength: float = 0.7,
    temperature: float = 2.0,
    steps: int = 50,
) -> NDArray[np.float64]:
    r"""Return log probabilities whose mean over the cells of a source is moved toward stated shares.

    In another laboratory a network leans to some types and away from others; the lean shows in the mean of its answers,
    without any label. Answers are softened by the temperature; biases :math:`b_c` by which the mean of
    :math:`\mathrm{softmax}(\log p + b)` has the stated shares are found by iteration, and ``strength`` times b is
    added: 1 forces the shares, and would be wrong where types are truly unequal; 0 leaves the answers.

    Parameters
    ----------
    log_p
        N x K.
    shares
        K, positive.
    strength
        0 to 1.
    temperature
        Above 0.
    steps
        Of the iteration, each half the way in the log.
    """
    wanted = np.log(np.asarray(shares, np.float64) / np.sum(shares))
    soft = log_softmax(log_p / temperature)
    bias = np.zeros(len(wanted))
    for _ in range(steps if len(soft) else 0):
        mean = np.exp(log_softmax(soft + bias)).mean(axis=0)
        bias += 0.5 * (wanted - np.log(np.maximum(mean, 1e-9)))
    return log_softmax(soft + strength * bias)


def reweigh(log_p: NDArray[np.float64], factors: ArrayLike) -> NDArray[np.float64]:
    """Return log probabilities after multiplying each class by a factor of 0 or more; 0 rules it out (-inf)."""
    with np.errstate(divide="ignore"):
        return log_softmax(log_p + np.log(np.asarray(factors, np.float64)))


def prototypes(
    embeddings: ArrayLike, log_p: NDArray[np.float64], *, rounds: int = 5, sharpness: float = 10.0
) -> NDArray[np.float64]:
    """Return log probabilities by cosine to class centers that the new cells form (SHOT: Liang et al., 2020).

    Centers start as means weighted by the probabilities given, every class with the same total weight, and are moved
    to the cells that are nearest to them. A class that no cell is likely to be keeps no center and no probability.

    Parameters
    ----------
    embeddings
        N x D of one source.
    log_p
        N x K of the classifier that was trained elsewhere.
    rounds
        How often centers move.
    sharpness
        Cosines times this are the new logits.
    """
    values = np.asarray(embeddings, np.float64)
    centered = values - values.mean(axis=0)
    unit = centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-12)
    weights = np.exp(log_p)
    alive = weights.max(axis=0) > 0.5 * weights.max()
    answer = log_p
    for _ in range(rounds):
        centers = weights.T @ unit / np.maximum(weights.sum(axis=0), 1e-12)[:, None]
        centers /= np.maximum(np.linalg.norm(centers, axis=1, keepdims=True), 1e-12)
        answer = log_softmax(np.where(alive, sharpness * unit @ centers.T, -np.inf))
        weights = np.exp(answer)
    return answer


def smooth_answers(embeddings: ArrayLike, log_p: NDArray[np.float64], damping: float = 0.7) -> NDArray[np.float64]:
    """Return log probabilities after spreading each cell's over its neighbors among the new cells.

    Parameters
    ----------
    embeddings
        N x D of one source.
    log_p
        N x K.
    damping
        Share that comes from the neighbors; see ``propagation.spread``.
    """
    scores = spread(neighbor_graph(embeddings, neighbors=7), np.exp(log_p), damping)
    return log_softmax(np.log(np.maximum(scores, 1e-12)))


def mix_answers(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the normalized mean of two answers' log probabilities; a class that either rules out stays ruled out."""
    return log_softmax((first + second) / 2)


def _density(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(-np.log(np.maximum(transmittance(crop).astype(np.float64), LEAST_PASSED)), np.float64)


def _middle(side: int) -> NDArray[np.bool_]:
    offsets = np.arange(side) - (side - 1) / 2
    return np.asarray(np.hypot(*np.meshgrid(offsets, offsets)) <= _INSIDE * side)
