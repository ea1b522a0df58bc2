"""Numbers of dark spots: what a parasite, a stain and a turn do to them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope.embed.dark_spots import dark_spot_numbers, standardized_gray


def cell(spot: int = 0, gray: int = 150, side: int = 50) -> NDArray[np.uint8]:
    """Return a disk on black with some texture, and a dark spot of 3 x 3 pixels by so many gray levels."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    values = gray + np.random.default_rng(0).normal(0, 2, (side, side))
    values[20:23, 28:31] -= spot
    return np.where(np.hypot(x, y) < 0.46 * side, values, 0).astype(np.uint8)


def test_there_are_116_finite_numbers() -> None:
    numbers = dark_spot_numbers(cell(40))
    assert numbers.shape == (116,)
    assert numbers.dtype == np.float32
    assert np.isfinite(numbers).all()


def test_a_dark_spot_raises_the_strongest_response_of_every_fine_scale() -> None:
    plain, spotted = dark_spot_numbers(cell()), dark_spot_numbers(cell(60))
    assert all(spotted[first] > plain[first] + 0.5 for first in (0, 14, 28))


def test_stain_that_shifts_all_gray_levels_changes_nothing() -> None:
    np.testing.assert_allclose(dark_spot_numbers(cell(40, gray=150)), dark_spot_numbers(cell(40, gray=170)), atol=1e-4)
    np.testing.assert_allclose(standardized_gray(cell(40, gray=150)), standardized_gray(cell(40, gray=170)), atol=1e-6)


def test_standardized_gray_is_zero_outside_and_in_the_median() -> None:
    image = cell(40)
    told = standardized_gray(image)
    assert (told[image == 0] == 0).all()
    assert abs(np.median(told[told != 0])) < 0.1
    assert told.min() < -1


@pytest.mark.parametrize("side", [1, 3, 6])
def test_tiny_cells_have_numbers_too(side: int) -> None:
    image = np.zeros((50, 50), np.uint8)
    image[20 : 20 + side, 20 : 20 + side] = 120
    assert np.isfinite(dark_spot_numbers(image)).all()
    assert not standardized_gray(image).any()


def test_a_picture_without_a_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="without a cell"):
        dark_spot_numbers(np.zeros((50, 50), np.uint8))
