"""Platelets that lie together: groups by the gaps between their outlines, whatever the scale."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import Cell
from hemascope.core.geometry import Polygon
from hemascope.core.morphology import PlateletClump
from hemascope.core.taxonomy import CellKind

REACH = 0.5
"""Two platelets are together where the gap between them is at most this share of their mean diameter."""

LEAST_PLATELETS = 3
"""Fewest platelets of a clump: two lie side by side by chance, three hardly. At a normal count (about 500 in a mm^2,
each 2.5 um wide) a platelet has another within reach with a probability of about 2%."""


def find_clumps(cells: Sequence[Cell]) -> tuple[PlateletClump, ...]:
    """Return every clump of platelets in a field.

    Platelets are linked where the gap between their outlines is at most ``REACH`` times the mean of their equal-area
    diameters; platelets that a chain of links joins are one group, and a group of ``LEAST_PLATELETS`` is a clump.
    Everything is relative to the platelets themselves, so no scale is needed. A clump that the finder outlined as one
    cell has nothing to be linked with and is not seen.

    Parameters
    ----------
    cells
        Every cell of one field; kinds but platelets are passed over.

    Returns
    -------
    Clumps in order of their first platelet.
    """
    platelets = [cell for cell in cells if cell.kind is CellKind.PLATELET]
    groups = _joined(len(platelets), _links([platelet.outline for platelet in platelets]))
    return tuple(
        PlateletClump(
            tuple(platelets[index].id for index in group), _hull([platelets[index].outline for index in group])
        )
        for group in groups
        if len(group) >= LEAST_PLATELETS
    )


def gap(first: Polygon, second: Polygon) -> float:
    """Return the distance between two outlines in pixels; 0 where they touch or one holds a vertex of the other.

    Between outlines that do not cross, the shortest way starts at a vertex of one of them.
    """
    return min(_vertices_to(first, second), _vertices_to(second, first))


def _vertices_to(source: Polygon, target: Polygon) -> float:
    """Return the least distance from the vertices of ``source`` to the area of ``target``."""
    contour = target.points[:, None, :]
    inside = max(cv2.pointPolygonTest(contour, (float(x), float(y)), True) for x, y in source.points)
    return max(0.0, -float(inside))


def _links(outlines: Sequence[Polygon]) -> list[tuple[int, int]]:
    """Return the pairs of outlines that are together; a tree of centers spares most pairs a look."""
    from scipy.spatial import cKDTree

    if len(outlines) < LEAST_PLATELETS:
        return []
    diameters = np.array([2 * np.sqrt(outline.area / np.pi) for outline in outlines])
    centers = np.array([outline.bounds.center for outline in outlines])
    radii = np.array([_radius(outline, center) for outline, center in zip(outlines, centers, strict=True)])
    farthest = 2 * float(radii.max()) + REACH * float(diameters.max())
    return [
        (i, j)
        for i, j in sorted(cKDTree(centers).query_pairs(farthest))
        if gap(outlines[i], outlines[j]) <= REACH * (diameters[i] + diameters[j]) / 2
    ]


def _radius(outline: Polygon, center: NDArray[np.float64]) -> float:
    """Return the greatest distance of a vertex from ``center``."""
    return float(np.hypot(*(outline.points - center).T).max())


def _joined(count: int, links: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return the groups of ``count`` things that chains of links join, each in order, by their first member."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for first, second in links:
        a, b = sorted((root(first), root(second)))
        parent[b] = a
    groups: dict[int, list[int]] = {}
    for index in range(count):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def _hull(outlines: Sequence[Polygon]) -> Polygon:
    """Return the convex hull of all outlines."""
    points = np.concatenate([outline.points for outline in outlines])
    return Polygon(np.asarray(cv2.convexHull(points)[:, 0, :], np.float32))
