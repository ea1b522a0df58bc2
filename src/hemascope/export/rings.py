"""Outlines to rings that any geometry library accepts: closed, counterclockwise, without self-contact.

Work is done on whole hundredths of a pixel in 64-bit integers, where orientation tests are exact for coordinates up to
10 million pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemascope.core.geometry import Polygon

STEPS_PER_PIXEL = 100
_MAX_PIXELS = 1e7
_BLOCK = 256

Points = NDArray[np.int64]


class Ring(NamedTuple):
    """A closed ring.

    Attributes
    ----------
    coordinates
        ``[x, y]`` in pixels; the first is repeated at the end.
    repaired
        How a faulty outline was replaced: ``convex hull`` or ``box``; "" where the outline stands as it was.
    """

    coordinates: list[list[float]]
    repaired: str


def ring_of(outline: Polygon) -> Ring:
    """Return ``outline`` as a valid ring.

    The ring runs counterclockwise with y taken as pointing up (RFC 7946), so that its shoelace sum is positive; on a
    screen, where y points down, that is clockwise. Vertices are rounded to 0.01 px. An outline that touches or crosses
    itself is replaced by its convex hull, one without area by a box at least 1 px wide: a cell is never lost.

    Raises
    ------
    ValueError
        If a coordinate lies beyond 10 million pixels.
    """
    if np.abs(outline.points).max() > _MAX_PIXELS:
        raise ValueError("an outline lies beyond 10 million pixels")
    points = _without_repeats(np.rint(outline.points.astype(np.float64) * STEPS_PER_PIXEL).astype(np.int64))
    repaired = ""
    if len(points) < 3 or not is_simple(points):
        points, repaired = convex_hull(points), "convex hull"
    if len(points) < 3:
        points, repaired = _box(points), "box"
    if _twice_area(points) < 0:
        points = points[::-1]
    closed = np.concatenate((points, points[:1])) / STEPS_PER_PIXEL
    return Ring(closed.tolist(), repaired)


def is_simple(points: Points) -> bool:
    """Return whether the closed ring through ``points`` (N x 2, no vertex repeated in a row) nowhere meets itself.

    Sides that follow each other share their vertex and nothing more; other sides share no point.
    """
    start, end = points, np.roll(points, -1, axis=0)
    if _turns_back(start, end):
        return False
    return not any(_meets_later(start, end, block) for block in range(0, len(points), _BLOCK))


def _meets_later(start: Points, end: Points, block: int) -> bool:
    """Return whether one of ``_BLOCK`` sides meets a later side that does not follow it."""
    total = len(start)
    first, second = np.nonzero(np.arange(total)[None, :] > np.arange(block, min(block + _BLOCK, total))[:, None] + 1)
    first += block
    kept = ~((first == 0) & (second == total - 1)) & _boxes_meet(start, end, first, second)
    first, second = first[kept], second[kept]
    a, b, c, d = start[first], end[first], start[second], end[second]
    crosses = (_side(a, b, c) * _side(a, b, d) <= 0) & (_side(c, d, a) * _side(c, d, b) <= 0)
    return bool(crosses.any())


def convex_hull(points: Points) -> Points:
    """Return the corners of the convex hull (Andrew's monotone chain), none on a side; fewer than 3 if flat."""
    ordered = np.unique(points, axis=0).tolist()
    if len(ordered) < 3:
        return np.array(ordered, np.int64).reshape(-1, 2)
    chain = _half_hull(ordered)[:-1] + _half_hull(ordered[::-1])[:-1]
    return np.array(chain, np.int64)


def _half_hull(ordered: list[list[int]]) -> list[list[int]]:
    """Return the corners that turn left from the first to the last of the ``ordered`` points."""
    chain: list[list[int]] = []
    for x, y in ordered:
        while len(chain) > 1:
            (x0, y0), (x1, y1) = chain[-2:]
            if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                break
            chain.pop()
        chain.append([x, y])
    return chain


def _boxes_meet(start: Points, end: Points, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return for each pair of sides whether their bounding boxes share a point."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    meet = (low[first] <= high[second]) & (low[second] <= high[first])
    return np.asarray(meet.all(axis=1))


def _side(a: Points, b: Points, c: Points) -> Points:
    """Return for each row on which side of the line a-b the point c lies: -1, 0 or 1."""
    u, v = b - a, c - a
    side: Points = np.sign(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    return side


def _turns_back(start: Points, end: Points) -> bool:
    """Return whether a side runs back over the one before it."""
    here, following = end - start, np.roll(end - start, -1, axis=0)
    straight = here[:, 0] * following[:, 1] == here[:, 1] * following[:, 0]
    return bool((straight & ((here * following).sum(axis=1) < 0)).any())


def _without_repeats(points: Points) -> Points:
    """Return ``points`` without vertices equal to the one before."""
    kept = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    return kept if len(kept) else points[:1]


def _box(points: Points) -> Points:
    """Return the four corners of the box around ``points``, widened to 1 px where it is narrower."""
    low, high = points.min(axis=0), points.max(axis=0)
    narrow = high - low < STEPS_PER_PIXEL
    low = np.where(narrow, (low + high) // 2 - STEPS_PER_PIXEL // 2, low)
    high = np.where(narrow, low + STEPS_PER_PIXEL, high)
    return np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.int64)


def _twice_area(points: Points) -> int:
    """Return the shoelace sum, positive for a counterclockwise ring with y up."""
    x, y = (points - points[0]).T
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
