"""Folders in the layout of diffusers: read strictly and without running code, written so that diffusers reads them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from latent_nets import AUTOENCODER, SPEC, UNET, crops
from safetensors.torch import load_file, save_file

from hemascope.core.errors import RecipeError, WeightsError
from hemascope.core.noise_schedule import scaled_linear_schedule
from hemascope.train.latent_denoiser import LatentSpec
from hemascope.train.latent_files import WEIGHTS_FILE, read_autoencoder, read_schedule, read_unet, write_latent_folder
from hemascope.train.latent_model import load_latent
from hemascope.train.latent_seeded import seeded_networks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder: networks, no card."""
    write_latent_folder(tmp_path, *seeded_networks(UNET, AUTOENCODER), dtype=torch.float32)
    return tmp_path


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_what_was_written_is_read_again(folder: Path) -> None:
    ours = seeded_networks(UNET, AUTOENCODER)
    for net, again in zip(ours, (read_unet(folder), read_autoencoder(folder)), strict=True):
        assert again.size == net.size
        for name, value in net.state_dict().items():
            assert torch.equal(value, again.state_dict()[name]), name
    np.testing.assert_array_equal(read_schedule(folder).signal, scaled_linear_schedule().signal)


def test_values_arrive_in_the_precision_asked_for(folder: Path) -> None:
    assert {value.dtype for value in read_unet(folder, torch.bfloat16).parameters()} == {torch.bfloat16}


def test_the_half_precision_file_is_found(folder: Path) -> None:
    path = folder / "unet" / WEIGHTS_FILE
    path.rename(path.with_name("diffusion_pytorch_model.fp16.safetensors"))
    assert read_unet(folder).size == UNET


def test_old_names_of_attention_are_understood(folder: Path) -> None:
    path = folder / "vae" / WEIGHTS_FILE
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    old = {}
    for name, value in load_file(path).items():
        for new, former in names.items():
            if f".attentions.0.{new}." in name:
                name = name.replace(f".{new}.", f".{former}.")
                value = value[:, :, None, None] if value.ndim == 2 and "decoder" in name else value
        old[name] = value.contiguous()
    expected = read_autoencoder(folder).state_dict()
    save_file(old, path)
    found = read_autoencoder(folder).state_dict()
    assert sum("query" in name for name in old) == 4
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_pickled_file_is_never_opened(folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    (folder / "unet" / WEIGHTS_FILE).unlink()
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(WeightsError, match=r"diffusion_pytorch_model\.bin alone.*safe_serialization=True"):
        read_unet(folder)
    assert not (tmp_path / "sprung").exists()


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "vae" / WEIGHTS_FILE).unlink()
    with pytest.raises(WeightsError, match=r"holds no diffusion_pytorch_model\.safetensors; name a folder"):
        read_autoencoder(folder)


def test_a_folder_without_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"unet.config\.json: cannot be read.*layout of diffusers"):
        read_unet(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"block_out_channels": 3}'])
def test_a_malformed_configuration_is_refused(folder: Path, text: str) -> None:
    (folder / "unet" / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=r"unet.config\.json"):
        read_unet(folder)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("unet", {"use_linear_projection": True}),
        ("unet", {"flip_sin_to_cos": False}),
        ("unet", {"norm_eps": 1e-6}),
        ("unet", {"attention_head_dim": [5, 10]}),
        ("unet", {"down_block_types": ["DownBlock2D", "DownBlock2D"]}),
        ("unet", {"in_channels": 9}),
        ("unet", {"norm_num_groups": 5}),
        ("vae", {"shift_factor": 0.1}),
        ("vae", {"latent_channels": "many"}),
        ("scheduler", {"prediction_type": "v_prediction"}),
        ("scheduler", {"beta_schedule": "linear"}),
        ("scheduler", {"beta_end": "late"}),
    ],
)
def test_another_architecture_is_refused(folder: Path, name: str, values: dict[str, object]) -> None:
    file = "scheduler_config.json" if name == "scheduler" else "config.json"
    change(folder / name / file, **values)
    with pytest.raises(WeightsError, match=r"Stable Diffusion\s1\.5"):
        load_latent(folder, SPEC)


def test_weights_of_another_size_than_their_configuration_are_refused(folder: Path) -> None:
    change(folder / "unet" / "config.json", layers_per_block=2)
    with pytest.raises(WeightsError, match="another layout than this network's"):
        read_unet(folder)


def test_a_model_without_a_schedule_has_that_of_stable_diffusion(folder: Path) -> None:
    change(folder / "scheduler" / "scheduler_config.json", beta_end=0.02)
    assert read_schedule(folder).signal[-1] < scaled_linear_schedule().signal[-1]
    (folder / "scheduler" / "scheduler_config.json").unlink()
    np.testing.assert_array_equal(read_schedule(folder).signal, scaled_linear_schedule().signal)


def test_a_users_folder_answers_once_its_classes_are_named(folder: Path) -> None:
    with pytest.raises(WeightsError, match="which classes its weights know"):
        load_latent(folder)
    denoiser = load_latent(folder, SPEC)
    assert denoiser.classes == SPEC.classes
    assert denoiser.identity.name == folder.name
    assert len(denoiser.identity.sha256) == 64
    assert denoiser.samples(crops(1), 0).shape == (1, 4, 5, 5)
    with pytest.raises(WeightsError, match="correct its spec"):
        load_latent(folder, LatentSpec(("a",), crop_px=21))


@pytest.mark.parametrize(("key", "value"), [("precision", "int8"), ("device", "abacus"), ("device", "cuda:77")])
def test_what_torch_has_not_is_refused(folder: Path, key: str, value: str) -> None:
    with pytest.raises(RecipeError, match=f"torch has no {key} '{value}' here"):
        load_latent(folder, SPEC, **{key: value})  # type: ignore[arg-type]


def test_diffusers_reads_what_was_written(folder: Path) -> None:
    diffusers = pytest.importorskip("diffusers", reason="needs the extra 'reference'")
    theirs = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", use_safetensors=True).eval()
    their_autoencoder = diffusers.AutoencoderKL.from_pretrained(folder / "vae", use_safetensors=True).eval()
    schedule = diffusers.DDPMScheduler.from_pretrained(folder / "scheduler")
    x, rows = torch.randn(1, 4, 5, 5), torch.randn(1, 3, 16)
    with torch.no_grad():
        step = torch.tensor([250])
        torch.testing.assert_close(read_unet(folder)(x, step, rows), theirs(x, step, rows).sample, rtol=1e-4, atol=1e-5)
        images = torch.randn(1, 3, 20, 20)
        expected = their_autoencoder.encode(images).latent_dist.mean
        torch.testing.assert_close(read_autoencoder(folder).encode(images)[0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(schedule.alphas_cumprod.sqrt(), read_schedule(folder).signal, rtol=1e-5)
