"""Found cells against outlined ones: which were found, how well their outlines agree, with intervals over images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import Cell
from hemascope.core.geometry import Polygon
from hemascope.core.outline import ImportedOutline, OutlinedField
from hemascope.core.taxonomy import CellKind
from hemascope.stats.resample import bootstrap_distribution, percentile_interval, ratio_of_sums

IOU_THRESHOLD = 0.5
"""Least intersection over union of two outlines of one cell."""

_FINE = 4
"""Outlines are painted on a grid this much finer than pixels."""

Sums = tuple[float, float]
"""Numerator and denominator of a figure in one image."""

DICE_CELL, DICE_NUCLEUS = "Dice of whole cells", "Dice of nuclei"


@dataclass(frozen=True, slots=True)
class ImageAgreement:
    """One image.

    Attributes
    ----------
    sums
        Kind and name of a figure to its numerator and denominator in this image.
    """

    sums: dict[tuple[CellKind, str], Sums] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over all images.

    Attributes
    ----------
    value
        None where it is not defined.
    low, high
        95% bootstrap interval over images.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure before and after.

    Attributes
    ----------
    kind, name
        Of the figure.
    before, after, gain
        The figure, and the paired difference.
    labeled
        Denominator over all images, after.
    """

    kind: CellKind
    name: str
    before: Figure
    after: Figure
    gain: Figure
    labeled: float


def agreement(
    found: Sequence[Cell], truth: OutlinedField, kinds: Sequence[CellKind], *, complete: bool
) -> ImageAgreement:
    """Return how the cells found in a field agree with its outlines.

    Recall, precision (only where the labels are complete), and mean intersection over union of the matched; for white
    cells the Dice coefficient of all their pixels and of their nuclei, those found where no label is being left out
    where the labels are incomplete. Outlines that reach an intersection over union of 0.5 are matched, the best first.

    Parameters
    ----------
    found
        Every cell found, of any kind.
    kinds
        Kinds to look at.
    complete
        Whether every cell of these kinds is outlined.
    """
    sums: dict[tuple[CellKind, str], Sums] = {}
    for kind in kinds:
        cells, labeled = [c for c in found if c.kind is kind], truth.of_kind(kind)
        pairs = match_outlines([c.outline for c in cells], [o.outline for o in labeled])
        sums[kind, "recall"] = (len(pairs), len(labeled))
        if complete:
            sums[kind, "precision"] = (len(pairs), len(cells))
        sums[kind, "mean IoU of matched outlines"] = (sum(iou for _, _, iou in pairs), len(pairs))
        if kind is CellKind.WHITE_CELL and labeled:
            size = (truth.field.width, truth.field.height)
            sums |= _dice(cells, labeled, {i: j for i, j, _ in pairs}, size, complete=complete)
    return ImageAgreement(sums)


def _dice(
    cells: Sequence[Cell],
    labeled: Sequence[ImportedOutline],
    partner: dict[int, int],
    size: tuple[int, int],
    *,
    complete: bool,
) -> dict[tuple[CellKind, str], Sums]:
    """Return the Dice coefficients of one image, each over 1; nuclei only of cells whose nucleus is labeled."""
    counted = [i for i in range(len(cells)) if complete or i in partner]
    ours = painted([cells[i].outline for i in counted], size)
    sums = {(CellKind.WHITE_CELL, DICE_CELL): (dice(ours, painted([o.outline for o in labeled], size)), 1.0)}
    known = [o for o in labeled if o.nucleus]
    unlabeled = {j for j, o in enumerate(labeled) if not o.nucleus}
    if known:
        taken = [cells[i] for i in counted if partner.get(i) not in unlabeled]
        ours = painted([part for c in taken if c.nucleus for part in c.nucleus.parts], size)
        theirs = painted([part for o in known if o.nucleus for part in o.nucleus.parts], size)
        sums[CellKind.WHITE_CELL, DICE_NUCLEUS] = (dice(ours, theirs), 1.0)
    return sums


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return 2 |A and B| / (|A| + |B|) of two masks; 1 where both are empty."""
    both = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / both if both else 1.0


def painted(polygons: Sequence[Polygon], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels of an image of ``size`` (width, height) lie in any polygon by more than half."""
    width, height = size
    fine = np.zeros((height * _FINE, width * _FINE), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(fine, [np.round(polygon.points * _FINE - 0.5).astype(np.int32)], 255)
    return np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA) > 127)


def match_outlines(
    found: Sequence[Polygon], labeled: Sequence[Polygon], threshold: float = IOU_THRESHOLD
) -> list[tuple[int, int, float]]:
    """Return index of the found, index of the labeled and intersection over union of every match, the best first."""
    candidates = []
    for i, ours in enumerate(found):
        for j, theirs in enumerate(labeled):
            # The boxes bound the outlines: nothing is painted that cannot reach the threshold.
            smaller, larger = sorted((ours.area, theirs.area))
            if ours.bounds.intersection(theirs.bounds) == 0 or smaller < threshold * larger * 0.9:
                continue
            iou = outline_iou(ours, theirs)
            if iou >= threshold:
                candidates.append((iou, i, j))
    pairs: list[tuple[int, int, float]] = []
    for iou, i, j in sorted(candidates, key=lambda c: (-c[0], c[1], c[2])):
        if all(i != a and j != b for a, b, _ in pairs):
            pairs.append((i, j, iou))
    return pairs


def outline_iou(first: Polygon, second: Polygon) -> float:
    """Return the intersection over union of two outlines, by painting both."""
    low = np.floor(np.minimum(first.points.min(axis=0), second.points.min(axis=0)))
    high = np.ceil(np.maximum(first.points.max(axis=0), second.points.max(axis=0)))
    width, height = ((high - low) * _FINE + 1).astype(int)
    masks = np.zeros((2, height, width), np.uint8)
    for mask, polygon in zip(masks, (first, second), strict=True):
        cv2.fillPoly(mask, [np.round((polygon.points - low) * _FINE - 0.5).astype(np.int32)], 1)
    either = np.count_nonzero(masks[0] | masks[1])
    return float(np.count_nonzero(masks[0] & masks[1]) / either) if either else 0.0


def compare(before: Sequence[ImageAgreement], after: Sequence[ImageAgreement], seed: int = 0) -> list[Comparison]:
    """Return every figure before and after on the same images, with bootstrap intervals over images.

    Parameters
    ----------
    before, after
        The same images in the same order.
    seed
        Of the resampling.
    """
    keys = list(dict.fromkeys(key for image in after for key in image.sums))
    images = np.arange(len(after))
    rows = []
    for kind, name in keys:
        first, second = (np.array([i.sums.get((kind, name), (0.0, 0.0)) for i in side]).T for side in (before, after))
        drawn = [bootstrap_distribution(images, ratio_of_sums(*side), seed=seed) for side in (first, second)]
        values = [_ratio(*side) for side in (first, second)]
        gain = None if None in values else (values[1] or 0.0) - (values[0] or 0.0)
        rows.append(
            Comparison(
                kind,
                name,
                _figure(values[0], drawn[0]),
                _figure(values[1], drawn[1]),
                _figure(gain, drawn[1] - drawn[0]),
                float(second[1].sum()),
            )
        )
    return rows


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> float | None:
    return float(above.sum() / below.sum()) if below.sum() > 0 else None


def _figure(value: float | None, drawn: NDArray[np.float64]) -> Figure:
    interval = percentile_interval(drawn) if value is not None else None
    return Figure(value, *(interval or (None, None)))
