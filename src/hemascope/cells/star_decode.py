"""Network maps to outlines: peaks, star-convex polygons, and a suppression that spares overlapping cells."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hemascope.core.taxonomy import CellKind

KINDS: tuple[CellKind, ...] = tuple(CellKind)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Objects in one image, best first.

    Attributes
    ----------
    points
        N x rays x 2 float32, outlines in pixels of the network's input.
    kinds
        N int64 indexes into ``CellKind``.
    scores
        N float32, descending.
    """

    points: NDArray[np.float32]
    kinds: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: NDArray[np.intp]) -> Candidates:
        """Return the chosen ones, in the order of ``index``."""
        return Candidates(self.points[index], self.kinds[index], self.scores[index])

    def moved(self, dx: float, dy: float) -> Candidates:
        """Return them moved by ``(dx, dy)`` pixels."""
        return Candidates(self.points + np.array((dx, dy), np.float32), self.kinds, self.scores)

    @property
    def boxes(self) -> NDArray[np.float32]:
        """N x 4 boxes ``x0, y0, x1, y1`` around the outlines."""
        boxes: NDArray[np.float32] = np.concatenate([self.points.min(axis=1), self.points.max(axis=1)], axis=1)
        return boxes

    @classmethod
    def join(cls, parts: list[Candidates], rays: int) -> Candidates:
        """Return all candidates of several images in one, best first."""
        if not parts:
            return cls(np.zeros((0, rays, 2), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))
        joined = cls(
            np.concatenate([p.points for p in parts]),
            np.concatenate([p.kinds for p in parts]),
            np.concatenate([p.scores for p in parts]),
        )
        return joined.take(np.argsort(-joined.scores, kind="stable"))


def unit_rays(rays: int) -> NDArray[np.float32]:
    """Return rays x 2 unit vectors at equal angles, from +x towards +y."""
    angles = np.arange(rays) * (2 * np.pi / rays)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def score_of(heat: NDArray[np.float32], thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return heat as scores that can be compared between kinds: the threshold of its kind becomes 0.5.

    The odds of the heat over the odds of the threshold, as a probability: p (1 - t) / (p (1 - t) + t (1 - p)).

    Parameters
    ----------
    heat
        N, 0 to 1.
    thresholds
        N, above 0 and below 1: that of each one's kind.
    """
    above, below = heat * (1 - thresholds), thresholds * (1 - heat)
    return np.asarray(above / np.maximum(above + below, np.finfo(np.float32).tiny), np.float32)


def decode(
    heat: NDArray[np.float32],
    radii: NDArray[np.float32],
    stride: int,
    thresholds: NDArray[np.float32],
    least_score: float = 0.5,
) -> Candidates:
    """Return an outline for every peak of the heat maps.

    Parameters
    ----------
    heat
        kinds x h x w, 0 to 1.
    radii
        rays x h x w in pixels of the network's input.
    stride
        Pixels of the input for each place of the maps.
    thresholds
        The height of a peak that counts, for each kind; it becomes a score of 0.5.
    least_score
        Peaks below it are left out.
    """
    peaks = np.stack([heat_map >= cv2.dilate(heat_map, np.ones((3, 3), np.uint8)) for heat_map in heat])
    scores = score_of(heat, thresholds[:, None, None])
    kinds, ys, xs = np.nonzero(peaks & (scores >= least_score))
    centers = (np.stack([xs, ys], axis=1) + 0.5) * stride
    reach = radii[:, ys, xs].T
    points = centers[:, None, :] + reach[:, :, None] * unit_rays(radii.shape[0])
    found = Candidates(points.astype(np.float32), kinds.astype(np.int64), scores[kinds, ys, xs])
    return found.take(np.argsort(-found.scores, kind="stable"))


def polygon_areas(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the area inside each of ... x vertices x 2 outlines, by the shoelace formula."""
    x, y = points[..., 0].astype(np.float64), points[..., 1].astype(np.float64)
    areas: NDArray[np.float64] = np.abs((x * np.roll(y, -1, axis=-1) - y * np.roll(x, -1, axis=-1)).sum(axis=-1)) / 2
    return areas


def _outline_overlap(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the area shared by two outlines, by painting both at twice their resolution."""
    low = np.floor(np.minimum(first.min(axis=0), second.min(axis=0)))
    high = np.ceil(np.maximum(first.max(axis=0), second.max(axis=0)))
    width, height = ((high - low) * 2 + 1).astype(int)
    masks = np.zeros((2, height, width), np.uint8)
    for mask, points in zip(masks, (first, second), strict=True):
        cv2.fillPoly(mask, [np.round((points - low) * 2).astype(np.int32)], 1)
    return float(np.count_nonzero(masks[0] & masks[1])) / 4


def suppress(
    found: Candidates, same_kind: float = 0.4, between_kinds: float = 0.6, contained: float = 0.8
) -> Candidates:
    """Return the candidates without those that repeat a better one.

    Two outlines repeat each other when their intersection over union is above ``same_kind`` (or ``between_kinds``
    for different kinds), or when one of the same kind lies in the other by more than ``contained`` of its area.
    Overlapping cells share less than that and stay; so does a platelet on a red cell, which is of another kind.

    Parameters
    ----------
    found
        Best first.
    same_kind, between_kinds
        Limits of intersection over union, 0 to 1.
    contained
        Limit of the share of the smaller outline's area that lies in the better one.
    """
    areas = polygon_areas(found.points)
    dropped = np.zeros(len(found), bool)
    for i, j in _neighbors(found.boxes):
        if dropped[i] or dropped[j]:
            continue
        shared = _outline_overlap(found.points[i], found.points[j])
        iou = shared / max(areas[i] + areas[j] - shared, 1e-6)
        same = found.kinds[i] == found.kinds[j]
        inside = shared / max(min(areas[i], areas[j]), 1e-6)
        dropped[j] = iou > (same_kind if same else between_kinds) or (same and inside > contained)
    return found.take(np.nonzero(~dropped)[0])


def _neighbors(boxes: NDArray[np.float32], least_iou: float = 0.05) -> NDArray[np.intp]:
    """Return M x 2 pairs ``i < j`` of boxes that overlap at all, ordered by ``i`` and then ``j``.

    A tree of centers finds them, so that a hundred thousand cells of one large field stay feasible.
    """
    if len(boxes) < 2:
        return np.zeros((0, 2), np.intp)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    reach = float((boxes[:, 2:] - boxes[:, :2]).max())
    pairs = cKDTree(centers).query_pairs(reach, output_type="ndarray")
    first, second = boxes[pairs[:, 0]], boxes[pairs[:, 1]]
    sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    union = (first[:, 2:] - first[:, :2]).prod(axis=1) + (second[:, 2:] - second[:, :2]).prod(axis=1) - shared
    pairs = pairs[shared > least_iou * np.maximum(union, 1e-6)]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return np.asarray(pairs[order], np.intp)
