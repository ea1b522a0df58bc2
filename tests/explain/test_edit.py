"""Edited samples against the closed form of Gaussian classes."""

import numpy as np
import pytest
from known_denoisers import region_denoiser

from hemascope.explain.edit import edit_toward
from hemascope.explain.evidence import class_errors, leaning
from hemascope.explain.paired_noise import draw_pairs

SAMPLE = np.random.default_rng(7).normal(size=(3, 16, 16)).astype(np.float32)


@pytest.mark.parametrize(("reach", "passes", "guidance"), [(0.6, 20, 1.0), (0.3, 5, 1.0), (0.9, 40, 1.0)])
def test_gaussian_classes_are_edited_as_their_formula_says(reach: float, passes: int, guidance: float) -> None:
    denoiser, region = region_denoiser(0.5)
    signal = denoiser.schedule.signal
    steps = np.unique(np.rint(np.linspace(1, passes, passes) / passes * round(reach * 999)).astype(int))
    angles = np.arccos(np.concatenate([[1.0], signal[steps]]))
    # Each step of DDIM turns by an angle; what is not the mean shrinks by its cosine.
    kept = np.prod(np.cos(np.diff(angles)))
    expected = 1 - kept * signal[steps[-1]]
    change = edit_toward(denoiser, SAMPLE, 0, 1, reach=reach, passes=passes, guidance=guidance) - SAMPLE
    assert change[:2, region] == pytest.approx(-0.5 * expected, rel=1e-3)
    assert np.abs(change[:, ~region]).max() < 1e-5


def test_a_longer_reach_changes_more_and_guidance_exaggerates() -> None:
    denoiser, region = region_denoiser(0.5)

    def size(**how: float) -> float:
        return float((SAMPLE - edit_toward(denoiser, SAMPLE, 0, 1, **how))[0, region].mean())

    assert 0 < size(reach=0.2) < size(reach=0.5) < size(reach=0.8)
    assert size(guidance=2.0) > 1.3 * size(guidance=1.0)


def test_toward_its_own_class_a_sample_stays_as_it_is() -> None:
    denoiser, _ = region_denoiser()
    assert (edit_toward(denoiser, SAMPLE, 1, 1) == SAMPLE).all()


def test_an_edited_sample_is_explained_by_the_other_class() -> None:
    denoiser, _ = region_denoiser(0.5)
    sample = np.asarray(denoiser._centers[0], np.float32)
    edited = edit_toward(denoiser, sample, 0, 1, reach=0.9)
    noise = draw_pairs(denoiser, 32, 5)
    still = type(noise)(noise.steps, noise.noise, np.zeros_like(noise.views))
    leans = leaning(class_errors(denoiser, np.stack([sample, edited]), (0, 1), still))
    assert leans[0] < 0 < leans[1]


def test_errors_of_gaussian_classes_are_their_distances() -> None:
    denoiser, _ = region_denoiser(0.5)
    noise = draw_pairs(denoiser, 16, 5)
    samples = np.stack([SAMPLE, SAMPLE + 1])
    still = type(noise)(noise.steps, noise.noise, np.zeros_like(noise.views))
    errors = class_errors(denoiser, samples, (1, 0), still)
    # The noise is shared and antithetic: the difference of two errors is exact.
    squared = ((samples[:, None] - denoiser._centers[[1, 0]]) ** 2).mean(axis=(2, 3, 4))
    amount = np.mean((denoiser.schedule.noise * denoiser.schedule.signal)[still.steps] ** 2)
    assert errors[:, 0] - errors[:, 1] == pytest.approx(amount * (squared[:, 0] - squared[:, 1]), rel=1e-3)


@pytest.mark.parametrize(("reach", "passes"), [(0.0, 5), (1.2, 5), (0.5, 0)])
def test_an_edit_that_goes_nowhere_is_an_error(reach: float, passes: int) -> None:
    with pytest.raises(ValueError, match="reach"):
        edit_toward(region_denoiser()[0], SAMPLE, 0, 1, reach=reach, passes=passes)


def test_a_sample_of_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match="known is"):
        edit_toward(region_denoiser()[0], SAMPLE[:, 1:], 0, 1)
