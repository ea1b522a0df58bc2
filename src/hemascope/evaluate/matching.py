"""Which found object is which labeled one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hemascope.core.cell import Cell
from hemascope.core.geometry import Box, box_iou
from hemascope.core.taxonomy import CellKind
from hemascope.data.adjudications import UnlabeledCell
from hemascope.data.records import FieldRecord, LabeledBox

IOU_THRESHOLD = 0.5
"""Least intersection over union of a match (Everingham et al., Int J Comput Vis 2010;88:303)."""


@dataclass(frozen=True, slots=True)
class FoundBox:
    """One object that a finder found.

    Attributes
    ----------
    kind
        White cell, red cell or platelet.
    box
        The smallest box around its outline, in pixels of the field.
    score
        The finder's confidence; only the order counts.
    """

    kind: CellKind
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """The found and the labeled objects of one kind in one field, joined.

    Attributes
    ----------
    record
        The labels.
    kind
        The kind.
    labeled, found
        The objects; ``found`` from the highest score to the lowest.
    partner
        For every found object the index of its label, or None where it has none.
    adjudicated
        For every found object whether it has no label but is a real cell that the labels leave out.
    """

    record: FieldRecord
    kind: CellKind
    labeled: tuple[LabeledBox, ...]
    found: tuple[FoundBox, ...]
    partner: tuple[int | None, ...]
    adjudicated: tuple[bool, ...]

    @property
    def matched(self) -> int:
        """Number of labels found."""
        return sum(partner is not None for partner in self.partner)

    @property
    def false_positives(self) -> tuple[FoundBox, ...]:
        """Found objects without a label that no one has looked at and called real."""
        rows = zip(self.found, self.partner, self.adjudicated, strict=True)
        return tuple(found for found, partner, real in rows if partner is None and not real)

    @property
    def unlabeled(self) -> tuple[FoundBox, ...]:
        """Found objects that are real cells without a label."""
        return tuple(found for found, real in zip(self.found, self.adjudicated, strict=True) if real)

    @property
    def misses(self) -> tuple[LabeledBox, ...]:
        """Labeled objects that were not found."""
        hit = {partner for partner in self.partner if partner is not None}
        return tuple(labeled for index, labeled in enumerate(self.labeled) if index not in hit)


def found_boxes(cells: Iterable[Cell]) -> tuple[FoundBox, ...]:
    """Return found cells as boxes; outlines are not kept."""
    return tuple(FoundBox(cell.kind, cell.outline.bounds, cell.score) for cell in cells)


def match_boxes(
    found: Sequence[Box], scores: Sequence[float], labeled: Sequence[Box], threshold: float = IOU_THRESHOLD
) -> tuple[int | None, ...]:
    """Return for every found box the index of the labeled box it matches, or None.

    Greedy, from the highest score to the lowest (equal scores in the order given): each found box takes the labeled
    box of highest IoU among those not yet taken, if that IoU reaches the threshold.

    Parameters
    ----------
    found, labeled
        Boxes in pixels of the same field.
    scores
        One a found box.
    threshold
        Least IoU, above 0 to 1.

    Raises
    ------
    ValueError
        If there are not as many scores as found boxes.
    """
    if len(scores) != len(found):
        raise ValueError(f"{len(found)} boxes need as many scores, not {len(scores)}")
    partner: list[int | None] = [None] * len(found)
    if not found or not labeled:
        return tuple(partner)
    iou = box_iou(_corners(found), _corners(labeled))
    for row in np.argsort(-np.asarray(scores, np.float64), kind="stable"):
        best = int(np.argmax(iou[row]))
        if iou[row, best] >= threshold:
            partner[row] = best
            iou[:, best] = 0.0
    return tuple(partner)


def match_field(
    record: FieldRecord,
    found: Sequence[FoundBox],
    kind: CellKind,
    adjudications: Sequence[UnlabeledCell] = (),
    threshold: float = IOU_THRESHOLD,
) -> FieldMatch:
    """Return found and labeled objects of ``kind`` joined; see ``match_boxes``.

    Parameters
    ----------
    record
        The labeled field.
    found
        Everything found in it, of any kind.
    kind
        The kind to look at.
    adjudications
        Known real cells without a label, of any field; each excuses one found box that holds its point.
    threshold
        Least IoU.
    """
    ordered = tuple(sorted((f for f in found if f.kind is kind), key=lambda f: -f.score))
    labeled = record.of_kind(kind)
    partner = match_boxes([f.box for f in ordered], [f.score for f in ordered], [b.box for b in labeled], threshold)
    real = [False] * len(ordered)
    for cell in (c for c in adjudications if c.kind is kind and c.is_missing_in(record)):
        holding = (i for i, f in enumerate(ordered) if partner[i] is None and not real[i] and cell.is_in(f.box))
        index = next(holding, None)
        if index is not None:
            real[index] = True
    return FieldMatch(record, kind, labeled, ordered, partner, tuple(real))


def _corners(boxes: Sequence[Box]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([(b.x0, b.y0, b.x1, b.y1) for b in boxes], np.float64).reshape(-1, 4)
