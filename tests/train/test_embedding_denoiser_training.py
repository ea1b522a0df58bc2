"""Training the denoiser of embeddings: what it adds to the Gaussian answer, and the model folder as a judge."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from hemascope import wiring
from hemascope.app.embedding_denoiser_training import Embedded, embed_looks, joined, train_embedding_denoiser
from hemascope.app.embedding_judge import open_judge, open_second_look
from hemascope.app.target_cells import PBC, cut_cells, locate_cells
from hemascope.core.errors import RecipeError
from hemascope.core.prediction import CellPrediction
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.denoise.embedding import EmbeddingDenoiser
from hemascope.denoise.embedding_space import fit_embedding_space
from hemascope.nets.embedding_denoiser import EmbeddingResidual
from hemascope.recipes import EmbeddingDenoiserRecipe
from hemascope.train.embedding_denoiser import LabeledSamples, explained, noise_errors, train_residual
from hemascope.train.ship_embedding_denoiser import TorchResidual
from hemascope.zoo.card import read_card

IDENTITY = ModelIdentity("embedding", "1", "", "numpy", "Apache-2.0")


def ignore(step: int, steps: int, loss: float) -> None:
    """Show no progress."""


def silent(title: str, done: int, total: int) -> None:
    """Show no progress."""


def recipe(**values: object) -> EmbeddingDenoiserRecipe:
    return EmbeddingDenoiserRecipe.model_validate(
        {
            "name": "small", "version": "0", "encoders": "descriptors", "width": 16, "blocks": 1, "steps": 20,
            "batch": 32, "trials": 8, "validate_every": 10, "checkpoint_every": 10, "learning_rate": 3e-3, **values,
        }
    )  # fmt: skip


def two_humps(seed: int, count: int = 600) -> LabeledSamples:
    """Samples of two classes; the first is no Gaussian: half of it lies to either side."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    values = rng.normal(size=(count, 2))
    values[labels == 0, 0] += 4 * rng.choice([-1, 1], (labels == 0).sum())
    return LabeledSamples(values.astype(np.float32), labels.astype(np.intp))


def test_an_untrained_network_adds_nothing() -> None:
    net = EmbeddingResidual(3, 2, 8, 1, 0.0)
    assert net(torch.randn(4, 3), torch.rand(4), torch.eye(2)[[0, 1, 0, 1]]).abs().max() == 0


def test_training_and_answering_compute_the_same_noise() -> None:
    data = two_humps(0)
    space = fit_embedding_space(data.values, data.labels, 2)
    net = EmbeddingResidual(2, 2, 8, 1, 0.0).eval()
    torch.nn.init.normal_(net.exit.weight)
    denoiser = EmbeddingDenoiser("ab", space, IDENTITY, TorchResidual(net, "n", "1"))
    samples, labels = space.samples(data.values[:6]), data.labels[:6]
    noise = np.random.default_rng(1).standard_normal(samples.shape).astype(np.float32)
    steps = np.array([0, 100, 300, 600, 900, 999])
    told = denoiser.predict_noise(denoiser.schedule.noised(samples, noise, steps), steps, labels)
    tensors = (torch.from_numpy(a) for a in (space.centers, samples, labels, steps, noise))
    expected = noise_errors(net, *tensors).detach().numpy()
    np.testing.assert_allclose(np.square(noise - told).mean(axis=1), expected, rtol=1e-3, atol=1e-5)


def test_what_is_no_gaussian_is_explained_better_after_training(tmp_path: Path) -> None:
    train, validation = two_humps(0), two_humps(1)
    space = fit_embedding_space(train.values, train.labels, 2)
    learned, kept = (LabeledSamples(space.samples(d.values), d.labels) for d in (train, validation))
    trained = train_residual(recipe(steps=300, batch=128), space, learned, kept, tmp_path, ignore)
    fresh = EmbeddingResidual(2, 2, 16, 1, 0.0)
    asked = [torch.from_numpy(a) for a in (space.centers, kept.values, kept.labels)]
    assert explained(trained, *asked) < 0.95 * explained(fresh, *asked)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in the layout of the PBC set: disks whose size and color are those of their type."""
    root = tmp_path_factory.mktemp("crops")
    folder = root / PBC
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["path,label,patient_id,split,subtype,acq,group"]
    for number in range(12 * len(CellType)):
        kind = number % len(CellType)
        pixels = np.full((128, 128, 3), 235, np.uint8)
        center = tuple(int(v) for v in 64 + rng.integers(-3, 4, 2))
        cv2.circle(pixels, center, 12 + 4 * kind, (60 + 15 * kind, 70, 190 - 15 * kind), -1)
        cv2.circle(pixels, center, 6 + 2 * kind, (40, 20 + 10 * kind, 90), -1)
        noisy = np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"images/{number}.png"), noisy)
        split = "val" if number >= 8 * len(CellType) else "train"
        rows.append(f"images/{number}.png,{list(CellType)[kind].value},,{split},,A,{number}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="module")
def trained(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    classifier = wiring.build_classifier("even")
    return train_embedding_denoiser(
        recipe(), wiring.build_encoder, classifier, root, run, None, "train", silent, ignore
    )


def test_the_model_folder_is_a_judge_of_cells(root: Path, trained: Path) -> None:
    judge = open_judge(trained, wiring.build_encoder)
    cells = [cell for cell in locate_cells(PBC, root) if cell.split == "val"]
    crops = list(cut_cells(cells, *judge.crop_sizes[0]))
    even = np.full(len(CellType), 1 / len(CellType))
    told = judge.judge({judge.crop_sizes[0]: crops}, [CellPrediction(crop.cell_id, even, 0.0) for crop in crops])
    right = [answer.cell_type is cell.cell_type for answer, cell in zip(told, cells, strict=True)]
    assert np.mean(right) > 0.8
    assert read_card(trained).validation[f"{PBC}.accuracy"] == pytest.approx(np.mean(right), abs=0.07)
    assert all(0 <= answer.confidence <= 1 and answer.anomaly >= 0 and answer.passes == 64 for answer in told)


def test_the_model_folder_can_stand_behind_the_classifier(root: Path, trained: Path) -> None:
    second = open_second_look(trained, wiring.build_encoder)
    cells = [cell for cell in locate_cells(PBC, root) if cell.split == "val"]
    crops = list(cut_cells(cells, 128, 32.0))
    unsure = np.full((len(crops), len(CellType)), 1 / len(CellType))
    joined = second.joined(unsure, crops)
    np.testing.assert_allclose(joined.sum(axis=1), 1)
    assert (joined != unsure).any()
    sure = np.eye(len(CellType))[np.zeros(len(crops), int)]
    np.testing.assert_allclose(second.joined(sure, crops), sure, atol=1e-9)


def test_the_card_says_what_it_stands_on(trained: Path) -> None:
    card = read_card(trained)
    assert card.task == "denoise"
    assert card.spec["encoder_choice"] == "descriptors"
    assert {f"gaussian_nll.shrinkage_{s:g}" for s in recipe().shrinkages} <= card.validation.keys()
    assert PBC in card.training.data


def test_looks_stand_side_by_side_with_what_looks_once(root: Path) -> None:
    cells = [cell for cell in locate_cells(PBC, root) if cell.split == "val"][:3]
    encoders = [wiring.build_encoder(name) for name in ("hemascope_s.looks", "descriptors")]
    both = embed_looks(encoders, cells, silent)
    assert both.looks.shape == (4, 3, 256 + 173)
    np.testing.assert_array_equal(both.looks[0, :, 256:], both.looks[3, :, 256:])
    assert (both.looks[0, :, :256] != both.looks[1, :, :256]).any()
    crops = list(cut_cells(cells, 128, 32.0))
    np.testing.assert_allclose(both.mean[:, :256], encoders[0].encode(crops), rtol=1e-4, atol=1e-4)


def test_cells_of_other_sources_count_as_often_as_is_said() -> None:
    home, away = (Embedded(np.full((2, n, 3), n, np.float32), np.arange(n)) for n in (4, 2))
    every = joined([home, away.times(3)])
    assert every.looks.shape == (2, 10, 3)
    assert every.labels.tolist() == [0, 1, 2, 3, 0, 1, 0, 1, 0, 1]
    np.testing.assert_array_equal(every.looks[1, :, 0], [4] * 4 + [2] * 6)


def test_a_set_without_every_type_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="does not label every type"):
        train_embedding_denoiser(
            recipe(data_set="bccd"), wiring.build_encoder, None, root, tmp_path, None, "train", silent, ignore
        )
