"""Changed images by known answers."""

import numpy as np
import pytest

from hemascope.evaluate.robustness import PERTURBATIONS, perturbed

IMAGES = np.random.default_rng(0).integers(60, 180, (2, 40, 50, 3)).astype(np.uint8)


@pytest.mark.parametrize(("name", "strength"), [(n, s) for n, (_, steps) in PERTURBATIONS.items() for s in steps])
def test_every_change_keeps_shape_and_changes_something(name: str, strength: float) -> None:
    kept = IMAGES.copy()
    changed = perturbed(IMAGES, name, strength)
    assert (changed.shape, changed.dtype) == (IMAGES.shape, np.uint8)
    assert (changed != IMAGES).any()
    assert (kept == IMAGES).all()
    assert (perturbed(IMAGES, name, strength) == changed).all()


def test_amounts_are_what_they_say() -> None:
    assert perturbed(IMAGES, "brightness", 1.4).mean() == pytest.approx(1.4 * IMAGES.mean(), rel=0.01)
    stretched = perturbed(IMAGES, "contrast", 0.5)
    assert stretched.mean() == pytest.approx(IMAGES.mean(), abs=0.5)
    assert stretched.std() == pytest.approx(0.5 * IMAGES.std(), rel=0.02)
    noisy = perturbed(IMAGES, "salt_and_pepper", 0.1)
    hit = (noisy != IMAGES).any(axis=3)
    assert hit.mean() == pytest.approx(0.1, abs=0.02)
    assert set(np.unique(noisy[hit])) == {0, 255}
    assert perturbed(IMAGES, "gaussian_blur", 2.0).std() < 0.4 * IMAGES.std()
