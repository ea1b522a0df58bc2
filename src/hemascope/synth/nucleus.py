"""Shapes of nuclei as signed distances in um, negative inside."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hemascope.core.taxonomy import CellType

Distance = NDArray[np.float32]
Shape = Callable[[np.random.Generator, NDArray[np.float32], NDArray[np.float32], float], Distance]

_LOBE_RADIUS = {2: 0.38, 3: 0.33, 4: 0.29, 5: 0.265}
"""Radius of a neutrophil's lobes / radius of the cell, by number of lobes: about a third of its area in all."""


def ellipse(x: Distance, y: Distance, center: tuple[float, float], axes: tuple[float, float], turn: float) -> Distance:
    """Return the approximate distance to an ellipse with half ``axes``, its first axis turned by ``turn`` rad."""
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    dx, dy = x - np.float32(center[0]), y - np.float32(center[1])
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    relative: Distance = np.hypot(along / np.float32(axes[0]), across / np.float32(axes[1]))
    return (relative - 1) * np.float32(min(axes))


def capsule(x: Distance, y: Distance, start: NDArray[np.float64], end: NDArray[np.float64], radius: float) -> Distance:
    """Return the distance to a line from ``start`` to ``end`` thickened by ``radius``."""
    dx, dy = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    px, py = x - np.float32(start[0]), y - np.float32(start[1])
    t = np.clip((px * dx + py * dy) / max(float(dx * dx + dy * dy), 1e-6), 0, 1)
    distance: Distance = np.hypot(px - t * dx, py - t * dy) - np.float32(radius)
    return distance


def blended(first: Distance, second: Distance, width: float) -> Distance:
    """Return the union of two shapes with the crease between them rounded over ``width`` um."""
    h = np.clip(0.5 + 0.5 * (second - first) / np.float32(width), 0, 1)
    return np.asarray(second * (1 - h) + first * h - np.float32(width) * h * (1 - h), np.float32)


def _arc(rng: np.random.Generator, count: int, radius: float, span: float) -> NDArray[np.float64]:
    """Return ``count`` points along a wavering arc whose middle is pulled to the center of the cell."""
    angles = rng.uniform(0, 2 * np.pi) + np.linspace(-span / 2, span / 2, count)
    radii = radius * (1 + 0.10 * rng.standard_normal(count))
    points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    return np.asarray(points - 0.55 * points.mean(axis=0), np.float64)


def _thick_arc(x: Distance, y: Distance, points: NDArray[np.float64], radii: NDArray[np.float64]) -> Distance:
    shape = capsule(x, y, points[0], points[1], float(radii[0]))
    for start, end, radius in zip(points[1:-1], points[2:], radii[1:], strict=False):
        shape = blended(shape, capsule(x, y, start, end, float(radius)), 0.5)
    return shape


def _lobes(
    rng: np.random.Generator, x: Distance, y: Distance, points: NDArray[np.float64], radius: float, filament: float
) -> Distance:
    """Return lobes at ``points`` joined by filaments."""
    shape: Distance = np.full_like(x, np.inf)
    for k, point in enumerate(points):
        following = points[min(k + 1, len(points) - 1)] - points[max(k - 1, 0)]
        turn = float(np.arctan2(following[1], following[0]) + 0.4 * rng.standard_normal())
        size = radius * rng.uniform(0.86, 1.12)
        lobe = ellipse(x, y, (point[0], point[1]), (size * rng.uniform(1.05, 1.4), size), turn)
        shape = blended(shape, lobe, 0.25) if k else lobe
    for start, end in pairwise(points):
        shape = blended(shape, capsule(x, y, start, end, filament), 0.2)
    return shape


def neutrophil(rng: np.random.Generator, x: Distance, y: Distance, radius: float) -> Distance:
    """Two to five lobes on filaments, or a band of even width."""
    if rng.random() < 0.15:
        points = _arc(rng, 9, 0.46 * radius, np.deg2rad(rng.uniform(170, 270)))
        return _thick_arc(x, y, points, np.full(9, rng.uniform(0.17, 0.22) * radius))
    count = int(rng.choice((2, 3, 4, 5), p=(0.2, 0.42, 0.28, 0.1)))
    span = np.deg2rad(rng.uniform(190, 300)) * (count - 1) / count + np.deg2rad(25)
    points = _arc(rng, count, rng.uniform(0.46, 0.54) * radius, span)
    return _lobes(rng, x, y, points, _LOBE_RADIUS[count] * radius, rng.uniform(0.25, 0.6))


def eosinophil(rng: np.random.Generator, x: Distance, y: Distance, radius: float) -> Distance:
    """Two plump lobes facing each other, seldom three."""
    count = 2 if rng.random() < 0.82 else 3
    points = _arc(rng, count, 0.58 * radius, np.deg2rad(rng.uniform(95, 150)) * (count - 1))
    return _lobes(rng, x, y, points, (0.40 if count == 2 else 0.34) * radius, rng.uniform(0.3, 0.7))


def basophil(rng: np.random.Generator, x: Distance, y: Distance, radius: float) -> Distance:
    """Two or three ill-defined lobes that fill most of the cell."""
    points = _arc(rng, int(rng.integers(2, 4)), 0.36 * radius, np.deg2rad(rng.uniform(120, 220)))
    return _lobes(rng, x, y, points, 0.46 * radius, 0.8)


def lymphocyte(rng: np.random.Generator, x: Distance, y: Distance, radius: float) -> Distance:
    """Round, filling nearly the whole cell, to one side, sometimes dented."""
    size = radius * rng.uniform(0.74, 0.92)
    away = rng.uniform(0, 1) * max(radius - size - 0.2, 0)
    turn = rng.uniform(0, 2 * np.pi)
    center = (away * np.cos(turn), away * np.sin(turn))
    shape = ellipse(x, y, center, (size * rng.uniform(1, 1.08), size * rng.uniform(0.93, 1)), rng.uniform(0, np.pi))
    if rng.random() < 0.25:
        shape = _dented(shape, x, y, radius, 0.22, rng.uniform(0, 2 * np.pi))
    return shape


def _dented(shape: Distance, x: Distance, y: Distance, radius: float, size: float, turn: float) -> Distance:
    """Return a shape with a round bite of ``size`` x ``radius`` at its rim in direction ``turn``."""
    center = (0.85 * radius * np.cos(turn), 0.85 * radius * np.sin(turn))
    bite = ellipse(x, y, center, (2.0 * size * radius, size * radius), turn)
    return -blended(-shape, bite, 0.6)


def monocyte(rng: np.random.Generator, x: Distance, y: Distance, radius: float) -> Distance:
    """Large: a kidney, a horseshoe or folded."""
    form = rng.random()
    if form < 0.4:
        points = _arc(rng, 7, 0.40 * radius, np.deg2rad(rng.uniform(130, 230)))
        return _thick_arc(x, y, points, radius * rng.uniform(0.27, 0.36, 7))
    turn = rng.uniform(0, 2 * np.pi)
    axes = (radius * rng.uniform(0.52, 0.62), radius * rng.uniform(0.64, 0.76))
    center = (-0.12 * radius * np.cos(turn), -0.12 * radius * np.sin(turn))
    shape = _dented(ellipse(x, y, center, axes, turn), x, y, radius, rng.uniform(0.14, 0.26), turn)
    if form > 0.8:
        shape = _dented(shape, x, y, radius, 0.16, turn + rng.uniform(1.6, 4.6))
    return shape


def immature_granulocyte(rng: np.random.Generator, x: Distance, y: Distance, radius: float) -> Distance:
    """To one side: round (promyelocyte), oval (myelocyte) or dented (metamyelocyte)."""
    stage = int(rng.integers(0, 3))
    size = radius * (0.76, 0.66, 0.62)[stage] * rng.uniform(0.95, 1.05)
    turn = rng.uniform(0, 2 * np.pi)
    away = max(radius - size - 0.25, 0) * rng.uniform(0.6, 1.0)
    center = (-away * np.cos(turn), -away * np.sin(turn))
    shape = ellipse(x, y, center, (size * (1.0, 0.86, 0.82)[stage], size * (1.0, 1.06, 1.12)[stage]), turn)
    return _dented(shape, x, y, radius * 0.75, 0.26, turn) if stage == 2 else shape


def erythroblast(rng: np.random.Generator, x: Distance, y: Distance, radius: float) -> Distance:
    """Small, round, nearly in the middle."""
    size = radius * rng.uniform(0.46, 0.72)
    away = rng.uniform(0, 0.6) * (radius - size - 0.2)
    turn = rng.uniform(0, 2 * np.pi)
    return ellipse(x, y, (away * np.cos(turn), away * np.sin(turn)), (size * rng.uniform(1, 1.08), size), turn)


NUCLEI: dict[CellType, Shape] = {
    CellType.BASOPHIL: basophil,
    CellType.EOSINOPHIL: eosinophil,
    CellType.ERYTHROBLAST: erythroblast,
    CellType.IMMATURE_GRANULOCYTE: immature_granulocyte,
    CellType.LYMPHOCYTE: lymphocyte,
    CellType.MONOCYTE: monocyte,
    CellType.NEUTROPHIL: neutrophil,
}
