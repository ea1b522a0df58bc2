"""Found cells against outlined ones, with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.core.cell import Cell, Nucleus
from hemascope.core.geometry import Box, Polygon
from hemascope.core.outline import ImportedOutline, OutlinedField
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.evaluate.outline_agreement import (
    DICE_CELL,
    DICE_NUCLEUS,
    ImageAgreement,
    agreement,
    compare,
    dice,
    match_outlines,
    outline_iou,
    painted,
)

WHITE, RED = CellKind.WHITE_CELL, CellKind.RED_CELL
FIELD = Field("f", np.full((60, 80, 3), 220, np.uint8), None)


def square(x: float, y: float, side: float) -> Polygon:
    return Polygon.from_box(Box(x, y, x + side, y + side))


def cell(outline: Polygon, kind: CellKind = WHITE, nucleus: Polygon | None = None) -> Cell:
    return Cell("f#1", "f", kind, outline, 0.9, Nucleus((nucleus,)) if nucleus else None)


def label(outline: Polygon, kind: CellKind = WHITE, nucleus: Polygon | None = None) -> ImportedOutline:
    return ImportedOutline(outline, kind, Nucleus((nucleus,)) if nucleus else None)


def truth(*outlines: ImportedOutline) -> OutlinedField:
    return OutlinedField(FIELD, outlines)


@pytest.mark.parametrize(
    ("first", "second", "iou"),
    [
        (square(10, 10, 20), square(10, 10, 20), 1.0),
        (square(10, 10, 20), square(20, 10, 20), 1 / 3),
        (square(10, 10, 20), square(10, 10, 10), 1 / 4),
        (square(10, 10, 20), square(40, 10, 20), 0.0),
    ],
)
def test_the_overlap_of_two_outlines(first: Polygon, second: Polygon, iou: float) -> None:
    assert outline_iou(first, second) == pytest.approx(iou, abs=0.02)
    assert outline_iou(second, first) == outline_iou(first, second)


def test_painting_takes_the_pixels_inside() -> None:
    mask = painted([square(10, 20, 5)], (80, 60))
    assert mask.shape == (60, 80)
    assert mask.sum() == 25
    assert mask[20:25, 10:15].all()


def test_the_best_match_comes_first_and_each_counts_once() -> None:
    labeled = [square(10, 10, 20), square(12, 10, 20)]
    found = [square(12, 10, 20), square(11, 10, 20), square(50, 30, 9)]
    pairs = match_outlines(found, labeled)
    assert [(i, j) for i, j, _ in pairs] == [(0, 1), (1, 0)]
    assert pairs[0][2] == 1.0


def test_recall_precision_and_dice_of_one_image() -> None:
    labels = truth(
        label(square(5, 5, 20), WHITE, square(10, 10, 10)),
        label(square(40, 5, 20), WHITE),
        label(square(5, 40, 8), RED),
    )
    found = [
        cell(square(5, 5, 20), WHITE, square(10, 10, 10)),
        cell(square(40, 5, 20), WHITE, square(45, 10, 5)),
        cell(square(60, 40, 10), WHITE),
    ]
    sums = agreement(found, labels, [WHITE, RED], complete=True).sums
    assert sums[WHITE, "recall"] == (2, 2)
    assert sums[WHITE, "precision"] == (2, 3)
    assert sums[WHITE, DICE_CELL][0] == pytest.approx(2 * 800 / (900 + 800))
    # The nucleus of the second cell is not labeled: what was found there does not count.
    assert sums[WHITE, DICE_NUCLEUS] == (1.0, 1.0)
    assert (sums[RED, "recall"], sums[RED, "precision"]) == ((0, 1), (0, 0))


def test_what_incomplete_labels_leave_out_is_not_held_against_the_finder() -> None:
    labels = truth(label(square(5, 5, 20), WHITE, square(10, 10, 10)))
    found = [cell(square(5, 5, 20), WHITE, square(10, 10, 10)), cell(square(40, 5, 20), WHITE, square(45, 10, 5))]
    sums = agreement(found, labels, [WHITE], complete=False).sums
    assert (WHITE, "precision") not in sums
    assert sums[WHITE, DICE_CELL] == sums[WHITE, DICE_NUCLEUS] == (1.0, 1.0)


def test_two_empty_masks_agree() -> None:
    empty = np.zeros((3, 3), bool)
    assert dice(empty, empty) == 1.0
    assert dice(empty, ~empty) == 0.0


def test_figures_pool_over_images_and_gains_are_paired() -> None:
    key = (RED, "recall")
    before = [ImageAgreement({key: (1, 2)}), ImageAgreement({key: (6, 8)}), ImageAgreement()]
    after = [ImageAgreement({key: (2, 2)}), ImageAgreement({key: (7, 8)}), ImageAgreement()]
    [row] = compare(before, after)
    assert (row.before.value, row.after.value, row.labeled) == (0.7, 0.9, 10)
    assert row.gain.value == pytest.approx(0.2)
    assert row.gain.low == pytest.approx(0.125)
    assert row.gain.high == pytest.approx(0.5)
    assert compare(before, after) == compare(before, after)


def test_a_figure_without_a_denominator_is_none() -> None:
    key = (RED, "recall")
    [row] = compare([ImageAgreement({key: (0, 0)})], [ImageAgreement({key: (0, 0)})])
    assert row.before.value is row.after.value is row.gain.value is None
