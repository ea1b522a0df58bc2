"""Directions of clusters are found in louder noise, and none in noise alone."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.stats.non_gaussian import chance_departure, departure, non_gaussian_directions


def whitened(points: np.ndarray) -> np.ndarray:
    points = points - points.mean(axis=0)
    values, vectors = np.linalg.eigh(points.T @ points / len(points))
    return (points @ vectors / np.sqrt(values)).astype(np.float32)


def test_finds_the_plane_of_three_clusters() -> None:
    generator = np.random.default_rng(0)
    points = generator.normal(size=(6000, 12)) * 5
    centers = np.array([[0, 0], [6, 0], [0, 6]])
    points[:, :2] = centers[generator.integers(3, size=6000)] + generator.normal(size=(6000, 2))
    found = non_gaussian_directions(whitened(points), 6, seed=1, starts=24, steps=25)
    assert len(found) == 2
    assert found @ found.T == pytest.approx(np.eye(2), abs=1e-4)
    seen = whitened(points) @ found.T
    assert np.abs(np.corrcoef(np.hstack([seen, points]).T)[:2, 4:]).max() < 0.1
    told = np.linalg.lstsq(seen, points[:, :2] - points[:, :2].mean(axis=0), rcond=None)[1]
    assert (told / (points[:, :2].var(axis=0) * 6000)).max() < 0.05


def test_finds_nothing_in_noise() -> None:
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(size=(4000, 10))
        assert non_gaussian_directions(whitened(noise), 5, seed, starts=24, steps=20).shape == (0, 10)


def test_departure_is_standard_normal_for_normal_points() -> None:
    told = departure(np.random.default_rng(0).normal(size=(4000, 400)))
    assert abs(told.mean()) < 0.3
    assert 0.8 < told.std() < 1.2
    assert np.abs(told).max() < chance_departure(20)


def test_asks_for_no_more_than_wanted() -> None:
    generator = np.random.default_rng(2)
    points = generator.choice([-1.0, 1.0], size=(3000, 5)) + 0.2 * generator.normal(size=(3000, 5))
    assert non_gaussian_directions(whitened(points), 2, seed=0, starts=16, steps=20).shape == (2, 5)
