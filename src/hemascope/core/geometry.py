"""Boxes and polygons, in the one coordinate convention of this package.

Coordinates are ``(x, y)`` in pixels of the field at full resolution: x to the right, y down, the origin at the
top-left corner of the top-left pixel. The center of that pixel is ``(0.5, 0.5)``; a field of width
``w`` spans ``0 <= x <= w``. Arrays of pixels are indexed ``[y, x]`` as everywhere in Python.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box from ``(x0, y0)`` to ``(x1, y1)``.

    Raises
    ------
    ValueError
        If the box has a negative side or a coordinate that is not finite.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        corners = (self.x0, self.y0, self.x1, self.y1)
        if not all(np.isfinite(corners)) or self.x1 < self.x0 or self.y1 < self.y0:
            raise ValueError(f"not a box: {corners}")

    @property
    def width(self) -> float:
        """Extent along x."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Extent along y."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """Center ``(x, y)``."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def intersection(self, other: Box) -> float:
        """Return the area shared with ``other``."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(width, 0.0) * max(height, 0.0)

    def iou(self, other: Box) -> float:
        """Return intersection over union, 0 where both are empty."""
        shared = self.intersection(other)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def clipped(self, width: float, height: float) -> Box:
        """Return the part inside a field of ``width`` x ``height``."""
        x0, x1 = np.clip((self.x0, self.x1), 0, width)
        y0, y1 = np.clip((self.y0, self.y1), 0, height)
        return Box(float(x0), float(y0), float(x1), float(y1))


def box_iou(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the N x M matrix of IoU between two sets of boxes.

    Parameters
    ----------
    first, second
        N x 4 and M x 4 arrays of ``x0, y0, x1, y1``.
    """
    a = np.asarray(first, np.float64).reshape(-1, 1, 4)
    b = np.asarray(second, np.float64).reshape(1, -1, 4)
    shared = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    shared_area = shared[..., 0] * shared[..., 1]
    area_a = (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    area_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    union = area_a + area_b - shared_area
    iou: NDArray[np.float64] = np.divide(shared_area, union, out=np.zeros_like(union), where=union > 0)
    return iou


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """A simple closed outline; the first vertex is not repeated.

    Attributes
    ----------
    points
        N x 2 float32, N >= 3, each row ``(x, y)``; read-only.

    Raises
    ------
    ValueError
        If there are fewer than three vertices or one is not finite.
    """

    points: NDArray[np.float32]

    def __post_init__(self) -> None:
        points = np.array(self.points, np.float32)
        if points.ndim != 2 or points.shape[0] < 3 or points.shape[1] != 2:
            raise ValueError(f"a polygon needs N x 2 points with N >= 3, not {points.shape}")
        if not np.isfinite(points).all():
            raise ValueError("a polygon vertex is not finite")
        points.setflags(write=False)
        object.__setattr__(self, "points", points)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polygon) and np.array_equal(self.points, other.points)

    def __hash__(self) -> int:
        return hash(self.points.tobytes())

    @classmethod
    def from_box(cls, box: Box) -> Polygon:
        """Return the four corners of ``box``."""
        return cls(np.array([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)], np.float32))

    @property
    def area(self) -> float:
        """Area in square pixels (shoelace formula)."""
        x, y = self.points.astype(np.float64).T
        return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)

    @property
    def perimeter(self) -> float:
        """Length of the closed outline in pixels."""
        steps = np.diff(self.points.astype(np.float64), axis=0, append=self.points[:1])
        return float(np.hypot(steps[:, 0], steps[:, 1]).sum())

    @property
    def bounds(self) -> Box:
        """The smallest box that holds every vertex."""
        x0, y0 = self.points.min(axis=0)
        x1, y1 = self.points.max(axis=0)
        return Box(float(x0), float(y0), float(x1), float(y1))

    @property
    def centroid(self) -> tuple[float, float]:
        """Centroid ``(x, y)`` of the enclosed area; of the vertices where the area is zero."""
        origin = self.points[0].astype(np.float64)
        x, y = (self.points - origin).astype(np.float64).T
        cross = x * np.roll(y, -1) - np.roll(x, -1) * y
        twice_area = cross.sum()
        if abs(twice_area) < 1e-9:
            cx, cy = self.points.mean(axis=0)
            return float(cx), float(cy)
        cx = ((x + np.roll(x, -1)) * cross).sum() / (3 * twice_area) + origin[0]
        cy = ((y + np.roll(y, -1)) * cross).sum() / (3 * twice_area) + origin[1]
        return float(cx), float(cy)

    def scaled(self, factor: float) -> Polygon:
        """Return the polygon with every coordinate multiplied by ``factor``."""
        return Polygon(self.points * np.float32(factor))

    def translated(self, dx: float, dy: float) -> Polygon:
        """Return the polygon moved by ``(dx, dy)`` pixels."""
        return Polygon(self.points + np.array((dx, dy), np.float32))

    def clipped(self, width: float, height: float) -> Polygon:
        """Return the polygon with its vertices moved into a field of ``width`` x ``height``."""
        return Polygon(np.clip(self.points, 0, np.array((width, height), np.float32)))
