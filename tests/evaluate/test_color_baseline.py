"""Color alone: nine numbers that know no shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.evaluate.color_baseline import color_features, nearest_neighbor


def test_thirds_of_a_flag() -> None:
    pixels = np.zeros((3, 4, 3), np.uint8)
    pixels[0], pixels[1], pixels[2] = (250, 240, 230), (100, 0, 0), (0, 0, 150)
    assert color_features(pixels).tolist() == [100, 0, 0, 0, 0, 150, 250, 240, 230]


@given(st.integers(0, 2**32 - 1))
def test_where_pixels_lie_does_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rows = np.unique(generator.integers(0, 256, (60, 3), np.uint8).sum(axis=1))[:, None].repeat(3, axis=1) // 3
    pixels = rows.astype(np.uint8).reshape(-1, 1, 3)
    assert color_features(generator.permutation(pixels)).tolist() == color_features(pixels).tolist()


def test_an_image_needs_three_pixels() -> None:
    with pytest.raises(ValueError, match="no thirds"):
        color_features(np.zeros((1, 2, 3), np.uint8))


def test_features_are_scaled_before_neighbors_are_sought() -> None:
    # Unscaled, the second feature (spread 1000) would decide; scaled, both count alike.
    known = [[0.0, 0.0], [1.0, 500.0], [0.0, 1000.0], [1.0, 1000.0]]
    assert nearest_neighbor(known, [0, 1, 2, 3], [[0.0, 400.0]]).tolist() == [0]


def test_as_many_labels_as_rows_are_needed() -> None:
    with pytest.raises(ValueError, match="as many labels"):
        nearest_neighbor([[0.0]], [], [[0.0]])
