"""Adapting to another laboratory by its own unlabeled cells: what is known of the new cells is how they look.

Every function takes all cells of one source together, and no label of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.classify.propagation import neighbor_graph, spread
from hemascope.core.optics import transmittance
from hemascope.stats.log_softmax import log_softmax

LEAST_PASSED = 1 / 64
"""Transmittance below which optical density is cut: eight-bit images hold no finer shade of black."""

_INSIDE = 0.2
"""Radius of the disk in which the density of a cell is measured, as a share of the crop's width."""


def density_profile(crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return the mean optical density, -ln(I / I0), in the middle of crops, per channel: a source's strength of stain.

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
    return np.asarray(np.mean([_density(crop)[_middle(len(crop))].mean(axis=0) for crop in crops], axis=0), np.float64)


def match_density(crop: NDArray[np.uint8], own: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a crop whose stain is as strong as another source's: densities times wanted / own, per channel.

    Background stays background (0 times anything), which a shift of the mean would not grant.

    Parameters
    ----------
    crop
        S x S x 3 uint8.
    own, wanted
        As ``density_profile`` returns them for the crop's source and for the other one.
    """
    density = _density(crop) * (wanted / np.maximum(own, 1e-3))
    return np.round(np.exp(-density) * 255).astype(np.uint8)


def turned(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return the eight views of a square image by quarter turns and mirroring; a cell has no up."""
    sides = (pixels, pixels[:, ::-1])
    return [np.ascontiguousarray(np.rot90(side, turns)) for side in sides for turns in range(4)]


def align_covariance(source: ArrayLike, target: ArrayLike, shrinkage: float = 0.1) -> NDArray[np.float64]:
    r"""Return the target's embeddings brought to the mean and covariance of the source's (CORAL: Sun et al., 2016).

    :math:`z' = (z - \mu_t) C_t^{-1/2} C_s^{1/2} + \mu_s`, with covariances shrunk toward a multiple of the identity.
    Target and source are then taken to hold the same types in like shares, which is never quite so.

    Parameters
    ----------
    source, target
        N x D and M x D.
    shrinkage
        0 to 1; with 1 only means and the overall deviation are matched.
    """
    known, asked = np.asarray(source, np.float64), np.asarray(target, np.float64)
    to_white = _power(_covariance(asked, shrinkage), -0.5)
    from_white = _power(_covariance(known, shrinkage), 0.5)
    aligned: NDArray[np.float64] = (asked - asked.mean(axis=0)) @ to_white @ from_white + known.mean(axis=0)
    return aligned


def estimate_prior(
    log_p: NDArray[np.float64], trained: ArrayLike, strength: float = 0.0, steps: int = 100
) -> NDArray[np.float64]:
    r"""Return the shares of the classes among new cells, by expectation maximization (Saerens et al., 2002).

    Each step takes the mean of :math:`p(c | x) \propto p_0(c | x)\, \pi_c / \pi^0_c`. Left alone it starves rare
    classes wherever the classifier is unsure of them, so ``strength`` adds that many cells of each possible class.

    Parameters
    ----------
    log_p
        N x K log probabilities under ``trained``.
    trained
        K shares, 0 for a class that cannot occur.
    strength
        Pseudo-count of a symmetric prior, 0 or more.
    steps
        Of the iteration.
    """
    start = np.asarray(trained, np.float64)
    possible = start > 0
    shares: NDArray[np.float64] = start / start.sum()
    likelihood = np.where(possible, np.exp(log_p) / np.where(possible, start, 1.0), 0.0)
    for _ in range(steps):
        joint = likelihood * shares
        counts = (joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-300)).sum(axis=0) + strength * possible
        shares = counts / counts.sum()
    return shares


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


def _covariance(values: NDArray[np.float64], shrinkage: float) -> NDArray[np.float64]:
    centered = values - values.mean(axis=0)
    plain = centered.T @ centered / len(values)
    size = len(plain)
    shrunk: NDArray[np.float64] = (1 - shrinkage) * plain + shrinkage * np.trace(plain) / size * np.eye(size)
    return shrunk


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    powered: NDArray[np.float64] = (vectors * np.maximum(values, 1e-9 * values.max()) ** exponent) @ vectors.T
    return powered
