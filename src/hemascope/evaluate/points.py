"""Which found cell is which labeled point, and how many there are of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.stats.resample import ratio_of_sums

REACH = 1.25
"""How far around a point its cell is taken to reach, in radii: an oval cell, and a point that is not its center."""

COMPLETE = 0.9
"""A field of which points cover this share of what is stained counts as completely labeled: the rest is platelets, dirt
and the rims of large cells. In chula_rbc12 many fields have points on the rare types alone."""


@dataclass(frozen=True, slots=True, eq=False)
class PointMatch:
    """The found cells and the labeled points of one field, joined one to one.

    Attributes
    ----------
    partner
        For every found cell the index of its point, or None where it has none.
    found_counts, points_count
        For every found cell and every point whether it lies inside the border: one within it may be joined to one
        inside, but counts neither for nor against the finder.
    """

    partner: tuple[int | None, ...]
    found_counts: NDArray[np.bool_]
    points_count: NDArray[np.bool_]

    @property
    def found_with_point(self) -> NDArray[np.bool_]:
        """For every found cell whether it has a point."""
        return np.array([index is not None for index in self.partner], np.bool_)

    @property
    def points_found(self) -> NDArray[np.bool_]:
        """For every point whether a found cell has it."""
        hit = np.zeros(len(self.points_count), np.bool_)
        hit[[index for index in self.partner if index is not None]] = True
        return hit

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Inside the border: points found, points, found cells with a point, found cells."""
        points, found = self.points_count, self.found_counts
        return (
            int((self.points_found & points).sum()),
            int(points.sum()),
            int((self.found_with_point & found).sum()),
            int(found.sum()),
        )


def match_points(
    centers: ArrayLike, points: ArrayLike, radius: float, size: tuple[float, float], border: float
) -> PointMatch:
    """Join found cells and labeled points that lie within a radius of each other.

    As many pairs as possible are made, and among those ways the one of least total distance (an assignment:
    Kuhn, Naval Research Logistics 1955;2:83), so the order of neither side matters.

    Parameters
    ----------
    centers
        N x 2 ``(x, y)`` of the found cells, in pixels of the field.
    points
        M x 2 ``(x, y)`` of the labels, in the same pixels.
    radius
        Greatest distance of a pair in pixels, above 0.
    size
        Width and height of the field in pixels.
    border
        Width in pixels of the margin in which nothing counts; 0 counts everything.

    Raises
    ------
    ValueError
        If the radius is not above 0, the border is negative, or a coordinate is not finite.
    """
    found, labeled = _coordinates(centers), _coordinates(points)
    if not radius > 0 or border < 0:
        raise ValueError(f"a radius above 0 and a border of 0 or more are needed, not {radius} and {border}")
    partner: list[int | None] = [None] * len(found)
    if len(found) and len(labeled):
        for row, column in _assigned(np.linalg.norm(found[:, None] - labeled[None], axis=2), radius):
            partner[row] = column
    return PointMatch(tuple(partner), _inside(found, size, border), _inside(labeled, size, border))


def median_radius(areas: ArrayLike) -> float | None:
    """Return half the median diameter of cells in pixels, each taken for a disk of its area; None without cells.

    Parameters
    ----------
    areas
        N areas in square pixels.
    """
    values = np.asarray(areas, np.float64).reshape(-1)
    return float(np.median(np.sqrt(values / np.pi))) if len(values) else None


def stained_coverage(pixels: NDArray[np.uint8], points: ArrayLike, reach: float, border: float) -> float:
    """Return the share of the stained pixels of a field that lie near a point: how completely its cells are labeled.

    It knows nothing of any finder: stained is what Otsu's threshold of the blurred green channel calls dark.

    Parameters
    ----------
    pixels
        H x W x 3 uint8.
    points
        M x 2 ``(x, y)`` of the labels.
    reach
        What counts as near, in pixels; see ``REACH``.
    border
        Width in pixels of the margin that is not looked at.

    Returns
    -------
    0 to 1; 0 where nothing is stained.
    """
    import cv2

    blurred = cv2.GaussianBlur(np.ascontiguousarray(pixels[..., 1]), (5, 5), 0)
    _, stained = cv2.threshold(blurred, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    near = np.zeros_like(stained)
    for x, y in _coordinates(points):
        cv2.circle(near, (round(x), round(y)), round(reach), 1, -1)
    margin = round(border)
    inner = (slice(margin, stained.shape[0] - margin), slice(margin, stained.shape[1] - margin))
    total = int(stained[inner].sum())
    return float((stained * near)[inner].sum() / total) if total else 0.0


def score_points(matches: Sequence[PointMatch], groups: Sequence[str]) -> dict[str, Estimate]:
    """Return recall, precision and F1 over all fields, with bootstrap intervals over groups, and the counts.

    Recall is the share of points that were found, precision the share of found cells that have a point, both inside
    the border; F1 is their harmonic mean.

    Parameters
    ----------
    matches
        One a field.
    groups
        One a field: what is resampled together.

    Raises
    ------
    ValueError
        If there are not as many groups as matches.
    """
    if len(matches) != len(groups):
        raise ValueError(f"{len(matches)} fields need as many groups, not {len(groups)}")
    hit, points, paired, found = np.array([m.counts for m in matches], np.float64).reshape(-1, 4).T
    recall_of, precision_of = ratio_of_sums(hit, points), ratio_of_sums(paired, found)

    def f1(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        recall, precision = recall_of(weights), precision_of(weights)
        total = recall + precision
        return np.divide(2 * recall * precision, total, out=np.where(total == 0, 0.0, np.nan), where=total > 0)

    return {
        "labeled": Estimate(int(points.sum())),
        "found": Estimate(int(found.sum())),
        "recall": Estimate.resampled(groups, recall_of),
        "precision": Estimate.resampled(groups, precision_of),
        "f1": Estimate.resampled(groups, f1),
    }


def _coordinates(values: ArrayLike) -> NDArray[np.float64]:
    rows = np.asarray(values, np.float64).reshape(-1, 2)
    if not np.isfinite(rows).all():
        raise ValueError("a coordinate is not finite")
    return rows


def _assigned(distances: NDArray[np.float64], radius: float) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    near = distances <= radius
    # A pair out of reach costs more than every pair within reach together: so the most pairs are made.
    costs = np.where(near, distances, radius * (min(distances.shape) + 1))
    rows, columns = linear_sum_assignment(costs)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if near[r, c]]


def _inside(rows: NDArray[np.float64], size: tuple[float, float], border: float) -> NDArray[np.bool_]:
    limits = np.array(size, np.float64) - border
    return np.asarray(((rows >= border) & (rows <= limits)).all(axis=1), np.bool_)
