"""Outlines: around a center, of a region, and cut by the field's edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.geometry import Polygon
from hemascope.synth.patch import Patch

_DIRECTIONS = 1024
_VERTICES = 96


@dataclass(frozen=True, slots=True, eq=False)
class RadialOutline:
    """A star-convex outline.

    Attributes
    ----------
    radii
        1024 float32 radii in um at evenly spaced angles, from the direction of x towards y.
    """

    radii: NDArray[np.float32]

    @property
    def reach(self) -> float:
        """Largest radius in um."""
        return float(self.radii.max())

    @property
    def radius(self) -> float:
        """Radius in um of the disk of the same area."""
        return float(np.sqrt(np.mean(self.radii.astype(np.float64) ** 2)))

    def polar(self, patch: Patch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return distance from the center and the outline's radius in that direction, in um, for every sample."""
        x, y = patch.coordinates()
        distance, angle = cv2.cartToPolar(x, y)
        index = (angle * np.float32(_DIRECTIONS / (2 * np.pi)) + np.float32(0.5)).astype(np.int32) % _DIRECTIONS
        return np.asarray(distance, np.float32), self.radii[index]

    def polygon(self, center: tuple[float, float], mpp: float) -> Polygon:
        """Return the outline around ``center`` (um) in pixels of the field, beyond its edges too."""
        angles = np.arange(_VERTICES) * (2 * np.pi / _VERTICES)
        index = np.round(angles * _DIRECTIONS / (2 * np.pi)).astype(int) % _DIRECTIONS
        angles = index * (2 * np.pi / _DIRECTIONS)
        radii = self.radii[index]
        points = np.stack([center[0] + radii * np.cos(angles), center[1] + radii * np.sin(angles)], axis=1) / mpp
        return Polygon(points.astype(np.float32))


def wavy_outline(
    rng: np.random.Generator,
    radius: float,
    *,
    waves: Mapping[int, float],
    elongation: float = 1.0,
) -> RadialOutline:
    """Return an ellipse with waves on it, turned at random, whose area is that of a disk of ``radius`` um.

    Parameters
    ----------
    rng
        Source of randomness.
    radius
        Of the disk of the same area, um.
    waves
        Number of periods around the outline to the standard deviation of their relative height.
    elongation
        Long axis / short axis, at least 1.
    """
    angles = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    turn = rng.uniform(0, 2 * np.pi)
    long, short = np.sqrt(elongation), 1 / np.sqrt(elongation)
    radii = long * short / np.hypot(short * np.cos(angles - turn), long * np.sin(angles - turn))
    shape = np.ones_like(angles)
    for periods, height in waves.items():
        shape += height * rng.standard_normal() * np.cos(periods * angles + rng.uniform(0, 2 * np.pi))
    radii = radii * np.clip(shape, 0.6, 1.5)
    radii *= radius / np.sqrt(np.mean(radii**2))
    return RadialOutline(radii.astype(np.float32))


def region_outlines(depth: NDArray[np.float32], patch: Patch, min_area_um2: float) -> tuple[Polygon, ...]:
    """Return the outlines of the region in which ``depth`` is negative, in pixels of the field.

    Parameters
    ----------
    depth
        Samples of a patch: signed distance to the region's edge in um, negative inside.
    patch
        Where the samples lie.
    min_area_um2
        Smaller parts are left out.

    Returns
    -------
    Outer outlines, the largest first; holes are filled.
    """
    factor = int(np.clip(round(patch.pitch / 0.04), 1, 4))
    rows, columns = depth.shape
    size = (columns * factor, rows * factor)
    fine = np.asarray(cv2.resize(depth, size, interpolation=cv2.INTER_LINEAR), np.float32)
    contours, _ = cv2.findContours((fine < 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    pixels_per_step = patch.mpp / patch.pitch * factor
    found = []
    for contour in contours:
        points = cv2.approxPolyDP(contour, 0.4, True)[:, 0].astype(np.float64)
        if len(points) < 3:
            continue
        points = (_on_the_edge(fine, points, patch.pitch / factor) + 0.5) / pixels_per_step + (patch.left, patch.top)
        polygon = Polygon(points.astype(np.float32))
        if polygon.area * patch.mpp**2 >= min_area_um2:
            found.append(polygon)
    return tuple(sorted(found, key=lambda polygon: -polygon.area))


def _on_the_edge(depth: NDArray[np.float32], points: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Move points, centers of the outermost inner samples, outwards to where ``depth`` is zero (one Newton step)."""
    rows, columns = depth.shape
    x, y = points[:, 0].astype(int), points[:, 1].astype(int)
    left, right = np.maximum(x - 1, 0), np.minimum(x + 1, columns - 1)
    above, below = np.maximum(y - 1, 0), np.minimum(y + 1, rows - 1)
    slope = np.stack(
        [
            (depth[y, right] - depth[y, left]) / np.maximum(right - left, 1),
            (depth[below, x] - depth[above, x]) / np.maximum(below - above, 1),
        ],
        axis=1,
    ).astype(np.float64)
    length = np.maximum(np.hypot(slope[:, 0], slope[:, 1]), 0.2 * step)
    reach = np.clip(-depth[y, x] / length, 0, 1)
    moved: NDArray[np.float64] = points + slope / length[:, None] * reach[:, None]
    # At the rim of the patch the region goes on outside: its outline runs along the rim itself.
    for axis, last in ((0, columns - 1), (1, rows - 1)):
        moved[points[:, axis] == 0, axis] = -0.5
        moved[points[:, axis] == last, axis] = last + 0.5
    return moved


def clipped_to_field(polygon: Polygon, width: int, height: int) -> Polygon | None:
    """Return the part of an outline inside a field, None where nothing is left.

    Cuts along one edge after the other (Sutherland and Hodgman, Communications of the ACM 1974;17:32-42).
    """
    points = polygon.points.astype(np.float64)
    for axis, limit, sign in ((0, 0.0, 1), (0, float(width), -1), (1, 0.0, 1), (1, float(height), -1)):
        points = _clipped_along(points, axis, limit, sign)
        if len(points) < 3:
            return None
    cut = Polygon(points.astype(np.float32))
    return cut if cut.area > 0 else None


def _clipped_along(points: NDArray[np.float64], axis: int, limit: float, sign: int) -> NDArray[np.float64]:
    inside = sign * (points[:, axis] - limit)
    if (inside >= 0).all():
        return points
    kept = []
    for i, point in enumerate(points):
        before, previous = inside[i - 1], points[i - 1]
        if (before < 0) != (inside[i] < 0):
            crossing = previous + (point - previous) * (before / (before - inside[i]))
            crossing[axis] = limit
            kept.append(crossing)
        if inside[i] >= 0:
            kept.append(point)
    return np.array(kept).reshape(-1, 2)
