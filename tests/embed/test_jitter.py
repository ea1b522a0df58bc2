"""Looks that another laboratory could have given: seeded, of the same cell, background white."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hemascope.embed.jitter import Jitter, jittered

CALM = Jitter(density=0, channel=0, mix=0, light=0, blurred=0, alone=0)


@pytest.fixture
def crop() -> np.ndarray:
    pixels = np.full((64, 64, 3), 225, np.uint8)
    cv2.circle(pixels, (32, 32), 10, (120, 80, 160), -1)
    cv2.circle(pixels, (58, 6), 5, (120, 80, 160), -1)
    return pixels


def test_the_same_seed_gives_the_same_look_and_another_another(crop: np.ndarray) -> None:
    np.testing.assert_array_equal(jittered(crop, 32.0, 3), jittered(crop, 32.0, 3))
    assert (jittered(crop, 32.0, 3) != jittered(crop, 32.0, 4)).any()


def test_without_strength_only_the_background_changes_and_the_way_it_lies(crop: np.ndarray) -> None:
    calm = jittered(crop, 32.0, 0, CALM)
    white = np.round(np.minimum(crop / 225, 1) * 255).astype(np.uint8)
    assert any((np.abs(calm.astype(int) - np.rot90(white, k)) <= 1).all() for k in range(4))


def test_a_stronger_stain_is_darker_in_every_channel(crop: np.ndarray) -> None:
    looks = [jittered(crop, 32.0, seed, Jitter(1.0, 0, 0, 0, 0, 0)) for seed in range(20)]
    middles = np.array([look[32, 32].astype(float) for look in looks])
    order = middles[:, 0].argsort()
    assert (np.diff(middles[order], axis=0) >= 0).all()
    assert np.ptp(middles[:, 0]) > 30
    assert all(look[2, 32].min() == 255 for look in looks)


def test_a_cell_alone_has_lost_its_neighbors_and_kept_itself(crop: np.ndarray) -> None:
    alone = jittered(crop, 32.0, 1, Jitter(0, 0, 0, 0, 0, 1.0))
    corners = [alone[:12, :12], alone[:12, -12:], alone[-12:, :12], alone[-12:, -12:]]
    assert min(corner.min() for corner in corners) >= 254
    assert alone[32, 32].max() < 200
