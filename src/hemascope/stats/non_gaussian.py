"""Directions in which points are not Gaussian: where clusters hide among noise that is louder than they are.

Projection pursuit by the fixed point of FastICA (Hyvarinen 1999, IEEE Transactions on Neural Networks 10:626) from many
random starts at once; directions found are taken away and the rest is searched again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STARTS = 48
STEPS = 40
ROUNDS = 4

GAUSSIAN_MEAN = -1 / np.sqrt(2)
"""Mean of ``-exp(-y^2 / 2)`` where y is standard normal."""

_NEW = 0.5
"""Share of a direction that must lie outside what was found already for it to be another one."""


def non_gaussian_directions(
    white: NDArray[np.float32], most: int, seed: int, starts: int = STARTS, steps: int = STEPS
) -> NDArray[np.float32]:
    """Return orthonormal directions in which the points depart from a Gaussian by more than chance, strongest first.

    Parameters
    ----------
    white
        N x D points of zero mean and unit covariance.
    most
        Directions at most.
    seed
        Of the random starts.
    starts, steps
        Starts a round, and steps of the fixed point.

    Returns
    -------
    NDArray[np.float32]
        R x D, R from 0 to ``most``.
    """
    generator = np.random.default_rng(seed)
    found = np.zeros((0, white.shape[1]), np.float32)
    for _ in range(ROUNDS):
        wanted = min(most, white.shape[1]) - len(found)
        if wanted <= 0:
            break
        rest = _complement(found, white.shape[1], generator)
        new = _search(white @ rest.T, wanted, generator, starts, steps)
        if not len(new):
            break
        found = np.concatenate([found, new @ rest])
    return found


def departure(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far the columns of N x R standardized numbers are from normal, in standard errors; signed."""
    contrast = -np.exp(-np.square(values) / 2)
    spread = contrast.std(axis=0) / np.sqrt(len(values))
    return np.asarray((contrast.mean(axis=0) - GAUSSIAN_MEAN) / np.maximum(spread, 1e-12), np.float64)


def chance_departure(dimension: int) -> float:
    """Return a departure that the best of all directions of Gaussian points in so many dimensions stays below.

    The greatest of a standard normal field over the unit sphere is about the square root of the dimension.
    """
    return 1.3 * float(np.sqrt(dimension)) + 3


def _search(
    points: NDArray[np.float32], wanted: int, generator: np.random.Generator, starts: int, steps: int
) -> NDArray[np.float32]:
    """Return the directions that the starts end in, orthonormal, where they depart by more than chance."""
    width = points.shape[1]
    directions = _unit(generator.normal(size=(starts, width)).astype(np.float32))
    for _ in range(steps):
        seen = points @ directions.T
        bell = np.exp(-np.square(seen) / 2)
        slope = ((1 - np.square(seen)) * bell).mean(axis=0)
        directions = _unit((seen * bell).T @ points / len(points) - slope[:, None] * directions)
    limit = chance_departure(width)
    kept = np.zeros((0, width), np.float32)
    for place in np.argsort(-np.abs(departure(points @ directions.T)), kind="stable"):
        outside = directions[place] - kept.T @ (kept @ directions[place])
        length = float(np.linalg.norm(outside))
        if length < _NEW or len(kept) == wanted:
            continue
        outside = (outside / length).astype(np.float32)
        if abs(departure(points @ outside[:, None])[0]) > limit:
            kept = np.concatenate([kept, outside[None]])
    return kept


def _complement(found: NDArray[np.float32], dimension: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return an orthonormal basis of what the directions found leave over."""
    others = generator.normal(size=(dimension - len(found), dimension))
    basis, _ = np.linalg.qr(np.concatenate([found, others]).T)
    return np.asarray(basis.T[len(found) :], np.float32)


def _unit(directions: NDArray[np.floating]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(directions / np.maximum(lengths, 1e-12), np.float32)
