"""Training the latent diffusion: a tiny one of the layout, on painted cells of two types, shipped and asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from latent_nets import NETWORK, crops
from safetensors.torch import load_file

from hemascope.app.training import train_latent_denoiser
from hemascope.core.errors import RecipeError, WeightsError
from hemascope.core.noise_schedule import scaled_linear_schedule
from hemascope.core.taxonomy import CellType
from hemascope.recipes import LatentTrainingRecipe, load_recipe
from hemascope.train.latent_files import WEIGHTS_FILE, read_unet
from hemascope.train.latent_model import load_latent
from hemascope.train.latent_training import snr_weights, start_networks, train_latent
from hemascope.zoo.card import read_card


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


def recipe(steps: int = 4, **values: object) -> LatentTrainingRecipe:
    return LatentTrainingRecipe.model_validate(
        {
            "name": "small", "version": "0", "sources": ({"data_set": "pbc_acevedo_128"},), "crop_px": 20,
            "network": NETWORK, "steps": steps, "batch": 8, "validate_every": 2, "checkpoint_every": 2, **values,
        }
    )  # fmt: skip


MOMENT = recipe(40, learning_rate=5e-3, ema=0.9, validate_every=5, checkpoint_every=40)


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a latent diffusion that learned for a moment."""
    run = tmp_path_factory.mktemp("run")
    train_latent_denoiser(MOMENT, root, run, None, "hemascope train latent", ignore)
    return run


def test_the_shipped_recipe_is_the_published_training() -> None:
    shipped = load_recipe(Path(__file__).parents[2] / "recipes" / "latent_denoiser.toml", LatentTrainingRecipe)
    assert (shipped.crop_px, shipped.batch, shipped.steps) == (360, 64, 72_000)
    assert (shipped.gamma, shipped.noise_offset, shipped.mixup) == (5, 0.1, 0.3)
    assert (shipped.learning_rate, shipped.weight_decay, shipped.ema) == (1e-5, 0.01, 0.9999)


def test_errors_are_weighted_by_the_published_share_of_the_snr() -> None:
    schedule = scaled_linear_schedule()
    weights = snr_weights(schedule, torch.tensor([0, 500, 999]), 5.0)
    assert weights[0] == pytest.approx(5 / schedule.snr[0], rel=1e-4)
    assert schedule.snr[500] < 5
    assert weights[1:].tolist() == [1, 1]


def test_the_error_of_the_noise_falls(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    errors = [row["validation"]["pbc_acevedo_128.noise_error"] for row in rows if "validation" in row]
    assert len(errors) == 8
    assert errors[-1] < 0.8 * errors[0]
    assert errors[-1] < 0.9  # less than the noise itself, whose variance is 1


class KilledError(Exception):
    """Stands for the end of a process."""


def kill_after_two(step: int, steps: int, loss: float) -> None:
    if step == 3:
        raise KilledError


def test_a_killed_run_goes_on_to_the_same_numbers(root: Path, tmp_path: Path) -> None:
    whole = train_latent(recipe(), root, tmp_path / "whole", ignore).unet.state_dict()
    with pytest.raises(KilledError):
        train_latent(recipe(), root, tmp_path / "killed", kill_after_two)
    assert [path.name for path in (tmp_path / "killed" / "checkpoints").iterdir()] == ["step-0000002"]
    again = train_latent(recipe(), root, tmp_path / "killed", ignore).unet.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in whole.items())


def test_the_rate_does_not_depend_on_the_length_of_the_training(root: Path, tmp_path: Path) -> None:
    short = train_latent(recipe(2, learning_rate=1e-2), root, tmp_path / "short", ignore).unet.state_dict()
    with pytest.raises(KilledError):
        train_latent(recipe(4, learning_rate=1e-2), root, tmp_path / "long", kill_after_two)
    saved = load_file(tmp_path / "long" / "checkpoints" / "step-0000002" / "tensors.safetensors")
    assert all(torch.equal(value, saved[f"average/{name}"]) for name, value in short.items())


def test_the_autoencoder_stays_as_it_is(run: Path) -> None:
    start = start_networks(recipe(), "cpu").autoencoder.state_dict()
    written = load_file(run / "model" / "vae" / WEIGHTS_FILE)
    assert all(torch.equal(start[name].half(), value) for name, value in written.items())


def test_a_model_folder_answers_as_the_network_that_was_trained(root: Path, run: Path) -> None:
    denoiser = load_latent(run / "model")
    card = read_card(run / "model")
    assert denoiser.classes == tuple(cell_type.value for cell_type in CellType)
    assert denoiser.crop_size == (20, 36.0)
    assert (denoiser.identity.name, denoiser.identity.license) == ("small", "Apache-2.0")
    assert card.task == "denoise"
    assert set(card.files) >= {f"unet/{WEIGHTS_FILE}", "vae/config.json", "scheduler/scheduler_config.json"}
    assert card.validation.keys() == {"pbc_acevedo_128.noise_error", "pbc_acevedo_128.class_gain"}

    trained = train_latent(MOMENT, root, run, ignore).unet  # from its last checkpoint
    samples = denoiser.samples(crops(2), 0)
    steps, classes = np.array([100, 700]), np.array([2, 3])
    told = denoiser.predict_noise(samples, steps, classes)
    rows = torch.zeros(2, 77, 16)
    rows[[0, 1], :, [2, 3]] = 1
    with torch.no_grad():
        expected = trained(torch.from_numpy(samples), torch.from_numpy(steps), rows).numpy()
    np.testing.assert_allclose(told, expected, rtol=2e-2, atol=5e-3)  # the files hold half precision
    np.testing.assert_array_equal(told, load_latent(run / "model").predict_noise(samples, steps, classes))


def test_training_starts_from_a_folder_of_weights(root: Path, run: Path, tmp_path: Path) -> None:
    further = recipe(2, start=str(run / "model"), learning_rate=1e-9, name="further")
    model = train_latent_denoiser(further, root, tmp_path / "run", None, "hemascope train latent", ignore)
    before, after = read_unet(run / "model").state_dict(), read_unet(model).state_dict()
    assert max(float((after[name] - value).abs().max()) for name, value in before.items()) < 1e-4
    assert read_card(model).license == "LicenseRef-weights-started-from"
    assert "whose terms hold" in (model / "README.md").read_text()


def test_a_changed_file_is_not_the_cards(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(run / "model", copy)
    (copy / "unet" / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"config\.json: missing, or not the file its card names"):
        load_latent(copy)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    from hemascope.zoo.shipped import CELL_CLASSIFIER, shipped_folder

    with pytest.raises(WeightsError, match="holds no latent denoiser"):
        load_latent(shipped_folder(CELL_CLASSIFIER))


def test_crops_that_do_not_fit_are_refused(run: Path) -> None:
    with pytest.raises(RecipeError, match="multiple of the reduction"):
        start_networks(recipe(start=str(run / "model"), crop_px=22), "cpu")
    with pytest.raises(ValueError, match="no multiple of the autoencoder's reduction of 4"):
        recipe(crop_px=22)
    narrow = {"context_width": 4, "heads": 2}
    with pytest.raises(RecipeError, match="8 types in a row of 4"):
        start_networks(recipe(network=NETWORK | narrow), "cpu")


def test_a_device_that_is_not_there_is_refused_before_anything_is_written(root: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no device 'cuda:77'"):
        train_latent_denoiser(recipe(), root, tmp_path / "run", None, "", ignore, device="cuda:77")
    assert not (tmp_path / "run").exists()
