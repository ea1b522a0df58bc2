"""Dice against masks, with answers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.core.cell import Cell, Nucleus
from hemascope.core.geometry import Box, Polygon
from hemascope.core.taxonomy import CellKind
from hemascope.evaluate.segmentation import dice, fill, match_mask, score_masks


def cell(box: Box, nucleus: Box | None = None, kind: CellKind = CellKind.WHITE_CELL) -> Cell:
    inside = Nucleus((Polygon.from_box(nucleus),)) if nucleus else None
    return Cell("f#1", "f", kind, Polygon.from_box(box), 0.9, inside)


def mask() -> np.ndarray:
    image = np.zeros((60, 80), np.uint8)
    image[10:30, 10:40] = 128
    image[15:25, 15:25] = 255
    return image


def test_a_perfect_answer_is_one() -> None:
    match = match_mask("a", "a", mask(), [cell(Box(10, 10, 40, 30), Box(15, 15, 25, 25))])
    assert (match.cell, match.nucleus, match.found) == (1.0, 1.0, True)


def test_half_a_cell_is_two_thirds() -> None:
    match = match_mask("a", "a", mask(), [cell(Box(10, 10, 25, 30), Box(15, 15, 20, 25))])
    assert match.cell == pytest.approx(2 / 3)
    assert match.nucleus == pytest.approx(2 / 3)


def test_nothing_found_is_zero_and_missed() -> None:
    match = match_mask("a", "a", mask(), [])
    assert (match.cell, match.nucleus, match.found) == (0.0, 0.0, False)
    assert score_masks([match])["missed"].value == 1


def test_other_kinds_and_cells_that_no_mask_speaks_of_are_left_aside() -> None:
    others = [cell(Box(50, 35, 75, 55)), cell(Box(10, 10, 40, 30), kind=CellKind.RED_CELL)]
    assert not match_mask("a", "a", mask(), others).found
    both = match_mask("a", "a", mask(), [*others, cell(Box(10, 10, 40, 30), Box(15, 15, 25, 25))])
    assert both.cell == 1.0


def test_figures_are_means_with_their_counts() -> None:
    whole = match_mask("a", "a", mask(), [cell(Box(10, 10, 40, 30), Box(15, 15, 25, 25))])
    none = match_mask("b", "b", mask(), [])
    scores = score_masks([whole, none])
    assert scores["cell_dice"].value == 0.5
    assert (scores["images"].value, scores["missed"].value) == (2, 1)
    assert (scores["cell_dice"].low, scores["cell_dice"].high) == (0.0, 1.0)
    assert score_masks([])["cell_dice"].value is None


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 25), st.integers(1, 25))
def test_whole_pixels_are_filled_exactly(x: int, y: int, width: int, height: int) -> None:
    expected = np.zeros((40, 40), bool)
    expected[y : y + height, x : x + width] = True
    filled = fill([Polygon.from_box(Box(x, y, x + width, y + height))], (40, 40))
    assert np.array_equal(filled, expected)
    assert dice(filled, expected) == 1.0
