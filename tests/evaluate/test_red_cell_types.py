"""Figures of red cell types with known answers, and the numbers of the baseline."""

import cv2
import numpy as np
import pytest

from hemascope.core.taxonomy import RedCellType
from hemascope.evaluate.red_cell_answers import TYPES, RedCellPlace
from hemascope.evaluate.red_cell_baseline import red_cell_features
from hemascope.evaluate.red_cell_types import MISSED, OVERALL, score_told, score_types

NORMAL, BURR = TYPES.index(RedCellType.NORMAL), TYPES.index(RedCellType.BURR_CELL)


def places(*kinds: RedCellType) -> list[RedCellPlace]:
    return [RedCellPlace("f", f"block_{n % 4}", 0.0, 0.0, kind) for n, kind in enumerate(kinds)]


def test_accuracy_and_f1_are_what_the_counts_say() -> None:
    asked = places(*[RedCellType.NORMAL] * 24, *[RedCellType.BURR_CELL] * 8)
    told = np.array([NORMAL] * 20 + [BURR] * 4 + [BURR] * 6 + [NORMAL] * 2)
    scores = score_told(asked, told)
    normal, burr = 2 * 20 / (24 + 22), 2 * 6 / (8 + 10)
    assert scores[OVERALL]["accuracy"].value == pytest.approx(26 / 32)
    assert scores[OVERALL]["macro_f1"].value == pytest.approx((normal + burr) / 2)
    assert scores[OVERALL]["macro_f1_20"].value == pytest.approx(normal)
    assert scores["burr_cell"]["f1"].value == pytest.approx(burr)
    assert scores["burr_cell"]["recall"].value == pytest.approx(6 / 8)
    assert scores["burr_cell"]["precision"].value == pytest.approx(6 / 10)
    assert scores["burr_cell"]["told_as_normal"].value == 2
    assert scores["macrocyte"]["f1"].value is None


def test_a_cell_that_was_missed_is_told_wrong() -> None:
    scores = score_told(places(*[RedCellType.NORMAL] * 4), np.array([NORMAL, MISSED, MISSED, NORMAL]))
    assert scores[OVERALL]["accuracy"].value == pytest.approx(0.5)
    assert scores["normal"]["recall"].value == pytest.approx(0.5)
    assert scores["normal"]["precision"].value == pytest.approx(1.0)
    assert scores["elliptocyte"]["precision"].value is None


def test_sure_and_right_is_calibrated() -> None:
    scores = score_types(places(*[RedCellType.NORMAL] * 8), np.eye(len(TYPES))[[NORMAL] * 8])
    assert scores[OVERALL]["accuracy"].value == 1
    assert scores[OVERALL]["nll"].value == pytest.approx(0)
    assert scores[OVERALL]["ece_plain"].value == pytest.approx(0)


def painted(axes: tuple[int, int]) -> np.ndarray:
    pixels = np.full((64, 64, 3), 230, np.uint8)
    cv2.ellipse(pixels, (32, 32), axes, 20, 0, 360, (160, 90, 110), -1)
    cv2.circle(pixels, (4, 4), 3, (10, 10, 10), -1)
    return pixels


def test_the_baseline_measures_the_cell_in_the_center() -> None:
    area, ratio, solidity, *colors = red_cell_features(painted((20, 10)))
    assert area == pytest.approx(np.pi * 20.5 * 10.5, rel=0.03)
    assert ratio == pytest.approx(0.5, abs=0.04)
    assert solidity > 0.95
    assert colors == pytest.approx([160, 90, 110] * 3)
    assert red_cell_features(painted((15, 15)))[1] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("level", [0, 255])
def test_a_view_without_a_cell_is_described_whole(level: int) -> None:
    area, ratio, *_ = red_cell_features(np.full((32, 32, 3), level, np.uint8))
    assert area == 32 * 32
    assert ratio == pytest.approx(1)
