"""Found outlines of white cells and nuclei against mask images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import Cell
from hemascope.core.geometry import Polygon
from hemascope.core.taxonomy import CellKind
from hemascope.evaluate.estimate import Estimate
from hemascope.stats.resample import ratio_of_sums

CELL_LEVEL, NUCLEUS_LEVEL = 64, 192
"""Gray levels of a mask above which a pixel is cell (cytoplasm is about 128 or 155) and nucleus (255)."""

LEAST_INSIDE = 0.5
"""Share of a found cell that must lie on labeled cell for it to count as that cell: others are not labeled at all."""

_FINE = 4


@dataclass(frozen=True, slots=True)
class MaskMatch:
    """How well one image was segmented.

    Attributes
    ----------
    name, group
        Of the record.
    cell, nucleus
        Dice of the found against the labeled pixels, 0 to 1; 0 where nothing was found.
    found
        Whether a white cell was found on the labeled one.
    """

    name: str
    group: str
    cell: float
    nucleus: float
    found: bool


def match_mask(name: str, group: str, mask: NDArray[np.uint8], cells: Iterable[Cell]) -> MaskMatch:
    """Return the match of an image: all its labeled white cells together against the found cells that lie on them.

    Parameters
    ----------
    mask
        H x W gray levels: 0 other, about half cytoplasm, 255 nucleus.
    cells
        What was found, in pixels of the mask; white cells count.
    """
    body, core = mask > CELL_LEVEL, mask > NUCLEUS_LEVEL
    found_body, found_core = np.zeros(mask.shape, bool), np.zeros(mask.shape, bool)
    found = False
    for cell in cells:
        if cell.kind is not CellKind.WHITE_CELL:
            continue
        area = fill([cell.outline], mask.shape)
        if (area & body).sum() < LEAST_INSIDE * max(int(area.sum()), 1):
            continue
        found = True
        found_body |= area
        found_core |= fill(cell.nucleus.parts, mask.shape) if cell.nucleus else False
    return MaskMatch(name, group, dice(found_body, body), dice(found_core, core), found)


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return 2 |A and B| / (|A| + |B|) (Dice, Ecology 1945;26:297); 1 where both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def fill(outlines: Sequence[Polygon], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pixels of an image lie inside outlines by at least half."""
    inside = np.zeros(shape[:2], bool)
    for outline in outlines:
        box = outline.bounds.clipped(shape[1], shape[0])
        x0, y0, x1, y1 = int(box.x0), int(box.y0), int(np.ceil(box.x1)), int(np.ceil(box.y1))
        if x1 <= x0 or y1 <= y0:
            continue
        fine = np.zeros(((y1 - y0) * _FINE, (x1 - x0) * _FINE), np.uint8)
        points = (outline.points - (x0, y0)) * _FINE - 0.5
        cv2.fillPoly(fine, [np.round(points).astype(np.int32)], 1)
        share = cv2.resize(fine.astype(np.float32), (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        inside[y0:y1, x0:x1] |= np.asarray(share) >= 0.5
    return inside


def score_masks(matches: Sequence[MaskMatch]) -> dict[str, Estimate]:
    """Return mean Dice of cells and nuclei with bootstrap intervals over groups of images, and counts."""
    groups = [match.group for match in matches]
    ones = np.ones(len(matches))
    return {
        "images": Estimate(len(matches)),
        "missed": Estimate(sum(not match.found for match in matches)),
        "cell_dice": Estimate.resampled(groups, ratio_of_sums(np.array([m.cell for m in matches]), ones)),
        "nucleus_dice": Estimate.resampled(groups, ratio_of_sums(np.array([m.nucleus for m in matches]), ones)),
        "cell_dice_worst_tenth": Estimate(_worst(m.cell for m in matches)),
        "nucleus_dice_worst_tenth": Estimate(_worst(m.nucleus for m in matches)),
    }


def _worst(values: Iterable[float]) -> float | None:
    """Return the value that a tenth of the images does not reach."""
    ranked = sorted(values)
    return ranked[len(ranked) // 10] if ranked else None
