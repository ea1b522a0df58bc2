"""Training the denoiser of images: small networks on painted crops, shipped and asked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hemascope.app.training import train_image_denoiser
from hemascope.core.cell import CellCrop
from hemascope.core.errors import RecipeError, WeightsError
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.denoise.pixel import PixelDenoiser
from hemascope.nets.image_denoiser import DenoiserShape, ImageDenoiser
from hemascope.recipes import DenoiserTrainingRecipe, load_recipe
from hemascope.train.image_denoiser import central, mix_pairs, sample_looks, train_denoiser
from hemascope.zoo.card import read_card
from hemascope.zoo.onnx_graph import OnnxDenoiserGraph

NETWORK = {"patch": 2, "widths": (8, 16), "blocks": 1, "condition": 16}


def ignore(step: int, steps: int, loss: float) -> None:
    """Show no progress."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in the layout of the PBC set: small and large disks."""
    root = tmp_path_factory.mktemp("crops")
    folder = root / "pbc_acevedo_128"
    (folder / "images").mkdir(parents=True)
    rows = ["path,label,patient_id,split,subtype,acq,group"]
    for number in range(24):
        pixels = np.full((128, 128, 3), 235, np.uint8)
        cv2.circle(pixels, (64, 64), 16 + 14 * (number % 2), (90, 60, 160), -1)
        cv2.imwrite(str(folder / f"images/{number}.png"), pixels)
        label = ("lymphocyte", "monocyte")[number % 2]
        rows.append(f"images/{number}.png,{label},,{'val' if number < 8 else 'train'},,A,{number}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


def recipe(steps: int = 4, **values: object) -> DenoiserTrainingRecipe:
    return DenoiserTrainingRecipe.model_validate(
        {
            "name": "small", "version": "0", "sources": ({"data_set": "pbc_acevedo_128"},), "crop_px": 16,
            "network": NETWORK, "steps": steps, "batch": 8, "validate_every": 2, "checkpoint_every": 2, **values,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of a denoiser that learned for a moment."""
    run = tmp_path_factory.mktemp("run")
    many = recipe(60, learning_rate=1e-2, ema=0.8, batch=16, nameless=0.0)
    return train_image_denoiser(many, root, run, None, "hemascope train denoiser", ignore)


def crops(count: int = 2) -> list[CellCrop]:
    rng = np.random.default_rng(1)
    images = rng.integers(100, 250, (count, 16, 16, 3)).astype(np.uint8)
    return [CellCrop(f"f#{number}", image, Microns(24.0)) for number, image in enumerate(images)]


def shipped(folder: Path) -> PixelDenoiser:
    card = read_card(folder)
    return PixelDenoiser(OnnxDenoiserGraph(folder, card, threads=1), card.spec)


def test_what_ships_tells_noise_better_than_nothing(trained: Path) -> None:
    net = shipped(trained)
    disk = np.full((16, 16, 3), 235, np.uint8)
    cv2.circle(disk, (8, 8), 5, (160, 60, 90), -1)
    sample = net.samples([CellCrop("f#1", disk, Microns(24.0))], 0).repeat(8, axis=0)
    noise = np.random.default_rng(0).standard_normal(sample.shape).astype(np.float32)
    steps = np.full(8, 700)
    noised = net.schedule.noised(sample, noise, steps)
    told = net.predict_noise(noised, steps, np.full(8, list(CellType).index(CellType.MONOCYTE)))
    plain = net.schedule.noise[700] * noised  # the best guess of one who knows nothing but the strength of the noise
    assert np.square(noise - told).mean() < 0.8 * np.square(noise - plain).mean()


def test_an_answer_depends_on_its_row_alone(trained: Path) -> None:
    net = shipped(trained)
    noised = np.random.default_rng(3).standard_normal((70, 3, 16, 16)).astype(np.float32)
    steps, classes = np.arange(70) * 10, np.arange(70) % 8
    together = net.predict_noise(noised, steps, classes)
    np.testing.assert_allclose(
        together[66:67], net.predict_noise(noised[66:67], steps[66:67], classes[66:67]), atol=1e-4
    )


def test_the_card_says_what_the_denoiser_takes(trained: Path) -> None:
    card, net = read_card(trained), shipped(trained)
    assert card.task == "denoise"
    assert net.classes == tuple(cell_type.value for cell_type in CellType)
    assert net.sample_shape == (3, 16, 16) == net.mask.shape
    assert net.crop_size == (16, 24.0)
    assert net.mask[0, 0, 0] == 0
    assert net.mask[0, 8, 8] == 1
    assert 0 <= card.validation["pbc_acevedo_128.accuracy"] <= 1
    assert "synthetic cells" in (trained / "README.md").read_text()


def test_looks_are_all_ways_a_square_can_lie(trained: Path) -> None:
    net = shipped(trained)
    looks = [net.samples(crops(1), view)[0] for view in range(9)]
    assert len({look.tobytes() for look in looks[:8]}) == 8
    np.testing.assert_array_equal(looks[8], looks[0])
    assert looks[0].max() == 1
    assert looks[0].min() >= -1


def test_no_crops_give_no_samples_and_wrong_ones_are_refused(trained: Path) -> None:
    net = shipped(trained)
    assert net.samples([], 0).shape == (0, 3, 16, 16)
    with pytest.raises(ValueError, match="not \\(16, 16, 3\\)"):
        net.samples([CellCrop("f#1", np.zeros((8, 8, 3), np.uint8), Microns(24.0))], 0)


def test_a_card_of_something_else_is_refused(trained: Path) -> None:
    graph = OnnxDenoiserGraph(trained, read_card(trained))
    with pytest.raises(WeightsError, match="no denoiser of images"):
        PixelDenoiser(graph, {"crop_px": 16})
    with pytest.raises(WeightsError, match="no denoiser of images"):
        PixelDenoiser(graph, read_card(trained).spec | {"sample": "embedding"})


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(root: Path, tmp_path: Path) -> None:
    whole = train_denoiser(recipe(4), root, tmp_path / "whole", ignore)

    def stop(step: int, steps: int, loss: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_denoiser(recipe(4), root, tmp_path / "parts", stop)
    resumed = train_denoiser(recipe(4), root, tmp_path / "parts", ignore)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, msg=name)


def test_samples_have_a_white_background_and_the_sample_size() -> None:
    images: NDArray[np.uint8] = np.full((2, 24, 24, 3), 255, np.uint8)
    calm = recipe(augmentation={"density": 0, "channel": 0, "mix": 0, "light": 0, "degraded": 0})
    samples = sample_looks(calm)(images, torch.Generator().manual_seed(0))
    torch.testing.assert_close(samples, torch.ones(2, 3, 16, 16))


def test_mixup_mixes_samples_and_classes_by_one_weight() -> None:
    samples, conditions = torch.arange(4.0).reshape(4, 1, 1, 1), torch.eye(4)
    mixed, shares = mix_pairs(samples, conditions, 0.3, seed=2)
    torch.testing.assert_close((shares * torch.arange(4.0)).sum(1), mixed.flatten())
    torch.testing.assert_close(shares.sum(1), torch.ones(4))
    same, hard = mix_pairs(samples, conditions, 0.0, seed=2)
    torch.testing.assert_close(same, samples)
    torch.testing.assert_close(hard, conditions)


def test_the_center_is_cut_and_the_network_keeps_the_size() -> None:
    images = torch.arange(36.0).reshape(1, 1, 6, 6)
    assert central(images, 2).flatten().tolist() == [14, 15, 20, 21]
    net = ImageDenoiser(8, DenoiserShape(**NETWORK)).eval()  # type: ignore[arg-type]
    assert net(torch.randn(2, 3, 16, 16), torch.rand(2), torch.zeros(2, 8)).shape == (2, 3, 16, 16)


def test_a_sample_that_does_not_fold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('name = "n"\nversion = "1"\nsources = [{data_set = "pbc_acevedo_128"}]\ncrop_px = 30\n')
    with pytest.raises(RecipeError, match="twice the patch"):
        load_recipe(path, DenoiserTrainingRecipe)


def test_a_graph_of_one_input_is_no_denoiser() -> None:
    from hemascope.zoo.shipped import shipped_folder

    folder = shipped_folder("hemascope_s")
    with pytest.raises(WeightsError, match="takes samples, times and classes"):
        OnnxDenoiserGraph(folder, read_card(folder))
