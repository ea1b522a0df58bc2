"""Labeled outlines to the maps that the finder's network learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.star_decode import polygon_areas, unit_rays
from hemascope.nets.star_net import STRIDE

MIN_VISIBLE = 0.2
"""A cell of which less than this share lies inside a view is neither taught nor punished."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One labeled object in a view.

    Attributes
    ----------
    points
        Outline N x 2 float32 in pixels of the view.
    kind
        Index of its kind.
    is_outlined
        Whether the outline is known; else it is a guess that tells where the center is, and its radii are not taught.
    """

    points: NDArray[np.float32]
    kind: int
    is_outlined: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class StarTargets:
    """What the network should say of a view of H x W pixels, on the grid of h x w = H/2 x W/2 places.

    Attributes
    ----------
    heat
        kinds x h x w float32: 1 at centers, falling off as a Gaussian.
    heat_weight
        kinds x h x w float32: 0 where the labels do not know.
    radii
        rays x h x w float32 in pixels of the view.
    radii_weight
        h x w float32: above 0 near centers.
    tissue
        2 x h x w float32: 1 in nuclei and in white cells.
    tissue_weight
        2 x h x w float32: 0 where the labels do not know.
    """

    heat: NDArray[np.float32]
    heat_weight: NDArray[np.float32]
    radii: NDArray[np.float32]
    radii_weight: NDArray[np.float32]
    tissue: NDArray[np.float32]
    tissue_weight: NDArray[np.float32]


def densify(points: NDArray[np.floating], count: int = 256) -> NDArray[np.float64]:
    """Return ``count`` points at equal steps along a closed outline."""
    closed = np.vstack([points, points[:1]]).astype(np.float64)
    lengths = np.hypot(*np.diff(closed, axis=0).T)
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.linspace(0, travelled[-1], count, endpoint=False)
    return np.stack([np.interp(at, travelled, closed[:, 0]), np.interp(at, travelled, closed[:, 1])], axis=1)


def star_radii(points: NDArray[np.floating], center: tuple[float, float], rays: int) -> NDArray[np.float32]:
    """Return the distance from ``center`` to an outline along each ray, in pixels.

    Where the outline is not star-convex about the center, the interpolation between neighbors in angle decides.
    """
    offsets = densify(points) - np.asarray(center)
    angles = np.arctan2(offsets[:, 1], offsets[:, 0]) % (2 * np.pi)
    order = np.argsort(angles)
    reach = np.hypot(offsets[:, 0], offsets[:, 1])[order]
    wanted = np.arange(rays) * (2 * np.pi / rays)
    return np.asarray(np.interp(wanted, angles[order], reach, period=2 * np.pi), np.float32)


def draw_targets(
    shapes: Sequence[Shape],
    size: int,
    unknown: NDArray[np.bool_],
    rays: int,
    tissue: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> StarTargets:
    """Return the targets of one square view.

    Parameters
    ----------
    shapes
        Every labeled object, also partly outside.
    size
        Side of the view in pixels, even.
    unknown
        kinds x h x w: places where an unlabeled object of that kind may lie.
    rays
        Directions of an outline.
    tissue
        Targets and weights of the tissue maps, each 2 x h x w.
    """
    kinds, side = unknown.shape[0], size // STRIDE
    heat = np.zeros((kinds, side, side), np.float32)
    weight = np.where(unknown, np.float32(0), np.float32(1))
    radii = np.zeros((rays, side, side), np.float32)
    radii_weight = np.zeros((side, side), np.float32)
    for shape in sorted(shapes, key=lambda s: -polygon_areas(s.points)):
        inside = np.clip(shape.points, 0, size)
        area, whole = polygon_areas(inside), polygon_areas(shape.points)
        extent = inside.max(axis=0) - inside.min(axis=0)
        if area < 1 or extent.min() < 2:
            continue
        if area < MIN_VISIBLE * whole:
            _forget(weight, inside)
            continue
        window, near, bell = _draw_center(inside, extent, shape.kind, heat, weight)
        if shape.is_outlined:
            _draw_radii(inside, window, near, radii)
        radii_weight[window][near] = bell[near] if shape.is_outlined else 0
    return StarTargets(heat, weight, radii, radii_weight, *tissue)


def _forget(weight: NDArray[np.float32], points: NDArray[np.float32]) -> None:
    low = np.floor(points.min(axis=0) / STRIDE).astype(int)
    high = np.ceil(points.max(axis=0) / STRIDE).astype(int) + 1
    weight[:, low[1] : high[1], low[0] : high[0]] = 0


def _middle(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((points.max(axis=0) + points.min(axis=0)) / 2, np.float32)


def _draw_center(
    points: NDArray[np.float32],
    extent: NDArray[np.float32],
    kind: int,
    heat: NDArray[np.float32],
    weight: NDArray[np.float32],
) -> tuple[tuple[slice, slice], NDArray[np.bool_], NDArray[np.float32]]:
    """Draw the bell of one center; return its window, which places in it are near the center, and the bell."""
    side = heat.shape[1]
    grid = _middle(points) / STRIDE - 0.5
    sigma = np.maximum(extent / STRIDE / 7, 0.7)
    reach = np.ceil(3 * sigma).astype(int)
    x0, y0 = np.clip(np.floor(grid).astype(int) - reach, 0, side - 1)
    x1, y1 = np.clip(np.ceil(grid).astype(int) + reach + 1, 1, side)
    ys, xs = np.mgrid[y0:y1, x0:x1]
    distance = (xs - grid[0]) ** 2 / (2 * sigma[0] ** 2) + (ys - grid[1]) ** 2 / (2 * sigma[1] ** 2)
    bell = np.exp(-distance).astype(np.float32)
    peak_x, peak_y = np.clip(np.round(grid).astype(int), 0, side - 1)
    window = (slice(y0, y1), slice(x0, x1))
    np.maximum(heat[kind][window], bell, out=heat[kind][window])
    heat[kind, peak_y, peak_x] = 1.0
    near = bell > 0.5
    near[np.clip(peak_y - y0, 0, near.shape[0] - 1), np.clip(peak_x - x0, 0, near.shape[1] - 1)] = True
    # Objects come from large to small: a platelet on a red cell owns its own center.
    weight[kind][window][near] = 1.0
    return window, near, bell


def _draw_radii(
    points: NDArray[np.float32],
    window: tuple[slice, slice],
    near: NDArray[np.bool_],
    radii: NDArray[np.float32],
) -> None:
    rays = radii.shape[0]
    center = _middle(points)
    ys, xs = np.mgrid[window]
    base = star_radii(points, (float(center[0]), float(center[1])), rays)
    step = ((np.stack([xs, ys], axis=-1) + 0.5) * STRIDE - center) @ unit_rays(rays).T
    local = np.maximum(base - step, 1.0).astype(np.float32)
    radii[(slice(None), *window)][:, near] = local[near].T


def foreground(density: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where something stained lies: Otsu's threshold on the sum of absorption over the channels.

    Parameters
    ----------
    density
        H x W x 3 float32 network input (``core.optics.absorption``).
    """
    total = np.clip(density.sum(axis=2) * (255 / 3.0), 0, 255).astype(np.uint8)
    _, mask = cv2.threshold(total, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return np.asarray(mask, bool)
