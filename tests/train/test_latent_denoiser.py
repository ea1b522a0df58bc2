"""The latent denoiser as it answers: crops to latents, classes to conditions, rows apart, the disk that counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from latent_nets import AUTOENCODER, SPEC, UNET, crops

from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.trials import draw_trials
from hemascope.core.cell import CellCrop
from hemascope.core.optics import transmittance
from hemascope.core.ports import CellDenoiser
from hemascope.core.provenance import ModelIdentity
from hemascope.train.latent_denoiser import ROWS, LatentDenoiser, LatentSpec, condition_rows, disk
from hemascope.train.latent_seeded import seeded_denoiser, seeded_networks


@pytest.fixture(scope="module")
def denoiser() -> CellDenoiser:
    return seeded_denoiser(SPEC, UNET, AUTOENCODER, precision="fp32")


def built(spec: LatentSpec = SPEC, batch: int = 8) -> LatentDenoiser:
    identity = ModelIdentity("tiny", "0", "", "torch-cpu-fp32", "Apache-2.0")
    return LatentDenoiser(identity, spec, *seeded_networks(UNET, AUTOENCODER), batch=batch)


def noised(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(5).standard_normal((count, 4, 5, 5), np.float32)


def test_it_says_what_it_takes(denoiser: CellDenoiser) -> None:
    assert denoiser.classes == SPEC.classes
    assert denoiser.crop_size == (20, 36.0)
    assert denoiser.sample_shape == denoiser.mask.shape == (4, 5, 5)
    assert denoiser.schedule.name == "scaled_linear"
    assert denoiser.identity.backend == "torch-cpu-fp32"


def test_the_condition_is_a_padded_one_hot_row_repeated() -> None:
    rows = condition_rows(torch.tensor([[0.0, 1.0, 0.0], [0.3, 0.0, 0.7]]), 768)
    assert rows.shape == (2, ROWS, 768) == (2, 77, 768)
    assert (rows == rows[:, :1]).all()
    assert rows[0, 0, :4].tolist() == [0, 1, 0, 0]
    assert rows[0, 0].sum() == 1
    assert rows[1, 76, 2] == pytest.approx(0.7)
    with pytest.raises(ValueError, match="do not fit"):
        condition_rows(torch.eye(3), 2)


@pytest.mark.parametrize(("side", "radius"), [(45, 20), (28, 8), (90, 40)])
def test_the_disk_has_the_published_radius(side: int, radius: int) -> None:
    mask = disk(side)
    assert (mask == mask[::-1]).all()
    assert (mask == mask.T).all()
    assert abs(float(mask.sum()) / (np.pi * radius**2) - 1) < 0.05
    middle = mask[side // 2]
    assert abs(int(middle.sum()) - 2 * radius) <= 1


def test_latents_are_the_means_of_the_autoencoder_times_its_factor() -> None:
    denoiser, (crop,) = built(), crops(1)
    light = torch.from_numpy(transmittance(crop.pixels)).permute(2, 0, 1)[None]
    _, autoencoder = seeded_networks(UNET, AUTOENCODER)
    with torch.no_grad():
        expected = autoencoder.encode(2 * light - 1)[0] * 0.18215
    np.testing.assert_allclose(denoiser.samples([crop], 0), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_raw_light_is_the_gray_value() -> None:
    spec = LatentSpec(SPEC.classes, 20, 36.0, light="raw")
    dark, light = (CellCrop("c", np.full((20, 20, 3), value, np.uint8), crops(1)[0].width) for value in (100, 200))
    raw = built(spec).samples([dark, light], 0)
    assert np.abs(raw[0] - raw[1]).max() > 1e-3
    normalized = built().samples([dark, light], 0)
    np.testing.assert_allclose(normalized[0], normalized[1], atol=1e-6)


def test_a_view_is_the_same_look_at_all_crops_each_time(denoiser: CellDenoiser) -> None:
    first, again, other = (denoiser.samples(crops(3), view) for view in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    np.testing.assert_allclose(denoiser.samples(crops(3)[1:2], 4), first[1:2], rtol=1e-4, atol=1e-5)
    assert denoiser.samples([], 4).shape == (0, 4, 5, 5)


def test_a_row_is_answered_whatever_the_others_are() -> None:
    steps, classes = np.array([1, 999, 500, 2, 30]), np.array([0, 1, 2, 2, 0])
    together = built(batch=5).predict_noise(noised(5), steps, classes)
    apart = built(batch=2).predict_noise(noised(5), steps, classes)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, apart, rtol=1e-4, atol=1e-5)
    other = built().predict_noise(noised(5), steps, (classes + 1) % 3)
    assert np.abs(other - together).reshape(5, -1).max(1).min() > 1e-4


def test_half_the_precision_says_nearly_the_same() -> None:
    whole = built()
    half = LatentDenoiser(whole.identity, SPEC, *(net.bfloat16() for net in seeded_networks(UNET, AUTOENCODER)))
    asked = (noised(2), np.array([10, 900]), np.array([0, 1]))
    one, two = whole.predict_noise(*asked), half.predict_noise(*asked)
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.99
    assert np.corrcoef(whole.samples(crops(), 0).ravel(), half.samples(crops(), 0).ravel())[0, 1] > 0.99


def test_latents_are_decoded_to_images_of_the_size_of_crops() -> None:
    denoiser = built()
    images = denoiser.images(denoiser.samples(crops(2), 0))
    assert images.shape == (2, 20, 20, 3)
    assert 0 <= images.min() < images.max() <= 1


def test_it_is_a_denoiser_that_the_classifier_asks(denoiser: CellDenoiser) -> None:
    trials = draw_trials(denoiser, 4, antithetic=False, views=range(1, 5))
    answers = DiffusionClassifier(denoiser, trials).answer(lambda view: denoiser.samples(crops(2), view))
    assert answers.errors.shape == (2, 3)
    assert np.isfinite(answers.errors).all()
    assert answers.passes.tolist() == [12, 12]


def test_a_crop_of_another_size_is_refused(denoiser: CellDenoiser) -> None:
    with pytest.raises(ValueError, match="came to a denoiser of 20 x 20 px"):
        denoiser.samples(crops(1, side=24), 0)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (LatentSpec(SPEC.classes, 21), "no multiple of 4"),
        (LatentSpec(tuple(map(str, range(17))), 20), "17 classes do not fit"),
    ],
)
def test_what_does_not_fit_its_networks_is_refused(spec: LatentSpec, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        built(spec)


@pytest.mark.parametrize("values", [{"classes": ()}, {"classes": ("a", "a")}, {"classes": ("a",), "light": "dim"}])
def test_a_spec_without_sense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"named once|background or raw"):
        LatentSpec(**values)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_full_size_answers() -> None:
    denoiser = seeded_denoiser(LatentSpec(SPEC.classes, crop_px=64))
    samples = denoiser.samples(crops(1, side=64), 0)
    told = denoiser.predict_noise(np.repeat(samples, 2, axis=0), np.array([500, 500]), np.array([0, 1]))
    assert told.shape == (2, 4, 8, 8)
    assert np.isfinite(told).all()
    assert np.abs(told[0] - told[1]).max() > 0
