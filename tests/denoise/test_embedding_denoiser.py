"""The embedding space whitens, and the denoiser in it ranks classes by their distance."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.embedding import EmbeddingDenoiser
from hemascope.denoise.embedding_space import REACH, fit_embedding_space
from hemascope.stats.shrinkage import ledoit_wolf_share

IDENTITY = ModelIdentity("embedding", "1", "", "numpy", "Apache-2.0")
RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(3), 400)
MIX = RNG.normal(size=(6, 6))
VALUES = (RNG.normal(size=(1200, 6)) @ MIX + 3 * RNG.normal(size=(3, 6))[LABELS] + 100).astype(np.float32)


def test_classes_have_unit_spread_in_the_space() -> None:
    space = fit_embedding_space(VALUES, LABELS, 3, shrinkage=1e-6)
    samples = space.samples(VALUES)
    centered = samples - space.centers[LABELS]
    np.testing.assert_allclose(np.cov(centered.T), np.eye(6), atol=0.02)
    np.testing.assert_allclose(centered.mean(axis=0), 0, atol=1e-2)


def test_what_does_not_vary_says_nothing_and_wild_numbers_are_clipped() -> None:
    values = np.concatenate([VALUES, np.full((len(VALUES), 1), 7, np.float32)], axis=1)
    space = fit_embedding_space(values, LABELS, 3)
    odd = values[:1].copy()
    odd[0, -1] = 1e6
    np.testing.assert_allclose(space.samples(odd), space.samples(values[:1]), atol=1e-5)
    odd[0, 0] = 1e9
    limit = values[:1].copy()
    limit[0, 0] = space.mean[0] + REACH * space.spread[0]
    np.testing.assert_allclose(space.samples(odd), space.samples(limit), rtol=1e-4, atol=1e-4)


def test_without_a_shrinkage_the_examples_say_how_much() -> None:
    rows = slice(0, 1200, 60)
    values, labels = VALUES[rows].astype(np.float64), LABELS[rows]
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    means = np.stack([standard[labels == k].mean(axis=0) for k in range(3)])
    share = ledoit_wolf_share(standard - means[labels])
    assert 0.02 < share < 1
    told, given = (fit_embedding_space(values, labels, 3, shrinkage=s) for s in (None, share))
    np.testing.assert_allclose(told.whitening, given.whitening, rtol=1e-4)


class _Shift:
    """A residual that adds the time in the direction of the class."""

    identity = IDENTITY

    def run(self, noised: np.ndarray, times: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        return np.asarray(times[:, None] * (conditions @ np.arange(3, dtype=np.float32))[:, None] + 0 * noised)


def test_the_residual_is_added_to_the_gaussian_answer() -> None:
    space = fit_embedding_space(VALUES, LABELS, 3)
    bare = EmbeddingDenoiser("abc", space, IDENTITY)
    more = EmbeddingDenoiser("abc", space, IDENTITY, _Shift())
    noised, steps, classes = bare.samples(VALUES[:4]), np.array([0, 250, 500, 999]), np.array([0, 1, 2, 2])
    difference = more.predict_noise(noised, steps, classes) - bare.predict_noise(noised, steps, classes)
    np.testing.assert_allclose(difference[:, 0], [0, 0.25, 1.0, 1.998], rtol=1e-5)
    assert bare.sample_shape == (6,)
    assert bare.classes == ("a", "b", "c")


@pytest.mark.parametrize("shrinkage", [0.0, 1.5])
def test_a_shrinkage_out_of_range_is_refused(shrinkage: float) -> None:
    with pytest.raises(ValueError, match="shrinkage"):
        fit_embedding_space(VALUES, LABELS, 3, shrinkage=shrinkage)


def test_a_class_without_examples_is_refused() -> None:
    with pytest.raises(ValueError, match="needs an example"):
        fit_embedding_space(VALUES, LABELS, 4)
