"""What size, color and outline of a painted cell come to."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope.evaluate.painted_cells import area_and_color, cell_mask, on_white, outline_features


def painted(half_width: int = 30, half_height: int = 30, debris: bool = False) -> NDArray[np.uint8]:
    y, x = np.mgrid[:128, :128] - 64
    image = np.zeros((128, 128, 3), np.uint8)
    image[(x / half_width) ** 2 + (y / half_height) ** 2 <= 1] = (80, 40, 120)
    if debris:
        image[2:8, 2:60] = (200, 200, 200)
    return image


def test_area_and_mean_color_of_what_is_not_black() -> None:
    image = painted()
    assert area_and_color(image).tolist() == [image.any(axis=2).sum(), 80, 40, 120]


def test_an_image_without_a_cell_is_refused() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="holds no cell"):
        area_and_color(black)
    with pytest.raises(ValueError, match="no outline"):
        outline_features(cell_mask(black))


def test_thin_remains_of_neighbors_and_holes_are_no_matter() -> None:
    clean, dirty = painted(), painted(debris=True)
    dirty[60:68, 60:68] = 0
    assert (cell_mask(clean) == cell_mask(dirty)).mean() > 0.999


def test_a_disk_is_round_and_an_ellipse_has_its_axes() -> None:
    log_area, circularity, solidity, ratio = outline_features(cell_mask(painted()))
    assert log_area == pytest.approx(np.log(np.pi * 30**2), abs=0.01)
    assert circularity > 0.85
    assert solidity > 0.95
    assert ratio == pytest.approx(1.0, abs=0.01)
    assert outline_features(cell_mask(painted(40, 20)))[3] == pytest.approx(0.5, abs=0.02)


def test_all_but_the_cell_turns_white() -> None:
    image = painted(debris=True)
    white = on_white(image, cell_mask(image))
    assert (white[0, 0] == 255).all()
    assert (white[4, 30] == 255).all()
    assert white[64, 64].tolist() == [80, 40, 120]
