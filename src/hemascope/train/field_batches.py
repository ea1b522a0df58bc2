"""Seeded batches of views: a piece of a field, turned and scaled, with what the network should say of it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.nets.star_net import STRIDE
from hemascope.train.labeled_fields import TrainingField
from hemascope.train.star_targets import Shape, StarTargets, draw_targets

View = tuple[NDArray[np.uint8], StarTargets]


def _view_matrix(field: TrainingField, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the 2 x 3 matrix from pixels of the view to pixels of the field."""
    height, width = field.image.shape[:2]
    rare = [shape for shape in field.shapes if shape.kind != 1]
    if rare and rng.random() < 0.5:
        target = rare[rng.integers(len(rare))].points.mean(axis=0) + rng.uniform(-0.3, 0.3, 2) * size
    else:
        target = rng.uniform((0, 0), (width, height))
    margin = np.minimum(size / 2 * 0.8, (width / 2, height / 2))
    target = np.clip(target, margin, np.array((width, height)) - margin)
    angle, scale = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(-0.3, 0.3))
    if rng.random() < 0.4:
        angle = np.round(angle / (np.pi / 2)) * np.pi / 2
    mirror = rng.choice((-1.0, 1.0))
    linear = scale * np.array([[np.cos(angle) * mirror, -np.sin(angle)], [np.sin(angle) * mirror, np.cos(angle)]])
    return np.concatenate([linear, (target - linear @ np.full(2, size / 2))[:, None]], axis=1)


def _pixel_matrix(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a matrix for pixel indexes, whose centers lie at +0.5, from one for coordinates."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.full(2, 0.5) - 0.5
    return moved


def _move(points: NDArray[np.float32], inverse: NDArray[np.float64]) -> NDArray[np.float32]:
    return (points @ inverse[:, :2].T + inverse[:, 2]).astype(np.float32)


def draw_view(field: TrainingField, size: int, rays: int, rng: np.random.Generator) -> View:
    """Return a random view of a field, size x size x 3 uint8, and its targets; beyond the field lies background."""
    matrix = _view_matrix(field, size, rng)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(
        field.image,
        _pixel_matrix(matrix),
        (size, size),
        flags=flags,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(255,) * 3,
    )
    inverse = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    shapes = [Shape(_move(shape.points, inverse), shape.kind, shape.is_outlined) for shape in field.shapes]
    near = [s for s in shapes if (s.points.max(axis=0) > 0).all() and (s.points.min(axis=0) < size).all()]
    coarse = matrix.copy()
    coarse[:, :2] *= STRIDE
    side = size // STRIDE
    unknown = _warped(field.unknown.astype(np.uint8), coarse, side, cv2.INTER_NEAREST).astype(bool)
    # Shares between 0 and 1 at edges: a place of the maps covers several pixels of the field.
    shares = _warped(field.tissue.values * np.uint8(255), coarse, side, cv2.INTER_LINEAR)
    values = shares.astype(np.float32) / np.float32(255)
    known = _warped(field.tissue.known, coarse, side, cv2.INTER_NEAREST, beyond=1).astype(np.float32)
    return np.asarray(image, np.uint8), draw_targets(near, size, unknown, rays, (values, known))


def _warped(
    layers: NDArray[np.uint8], matrix: NDArray[np.float64], side: int, method: int, beyond: int = 0
) -> NDArray[np.uint8]:
    """Return layers N x H x W seen through a view's matrix, N x side x side; ``beyond`` stands outside the field."""
    flags, pixels = method | cv2.WARP_INVERSE_MAP, _pixel_matrix(matrix)
    seen = [cv2.warpAffine(layer, pixels, (side, side), flags=flags, borderValue=beyond) for layer in layers]
    return np.stack(seen).astype(np.uint8)


def draw_batch(
    sets: Sequence[Sequence[TrainingField]],
    shares: Sequence[float],
    *,
    batch: int,
    size: int,
    rays: int,
    seed: int,
    step: int,
) -> tuple[NDArray[np.uint8], list[StarTargets]]:
    """Return the views of one step, N x size x size x 3, and their targets; seed and step alone decide which.

    Parameters
    ----------
    sets, shares
        What to draw from, and how often, relative to each other.
    batch
        Number of views.
    size, rays
        Side of a view in pixels, and directions of an outline.
    seed, step
        Together they make a resumed run see what an uninterrupted one would have seen.
    """
    rng = np.random.default_rng((seed, step))
    chosen = rng.choice(len(sets), batch, p=np.asarray(shares, np.float64) / np.sum(shares))
    views = [draw_view(sets[s][int(rng.integers(len(sets[s])))], size, rays, rng) for s in chosen]
    return np.stack([image for image, _ in views]), [targets for _, targets in views]
