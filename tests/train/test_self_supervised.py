"""Learning without labels, and starting from what was learned: small networks on painted crops."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from hemascope.app.training import train_cell_encoder
from hemascope.core.errors import WeightsError
from hemascope.core.optics import absorption
from hemascope.nets.cell_encoder import CellEncoder, EncoderShape, StandardDensity, mix_styles, paint_surroundings
from hemascope.recipes import CellTrainingRecipe, CropAugmentation, EncoderTrainingRecipe
from hemascope.train.augment import drop_color
from hemascope.train.cell_look import augment_by, build_encoder_net, start_from
from hemascope.train.self_supervised import contrastive_loss, train_encoder, two_looks
from hemascope.zoo.card import read_card
from hemascope.zoo.onnx_graph import OnnxGraph

NETWORK = {"widths": (8, 16), "blocks": (1, 1), "margin_px": 4, "standard_radius_px": 9.0}
SHAPE = EncoderShape((8, 16), (1, 1), margin_px=4, standard_radius_px=9.0)


def ignore(step: int, steps: int, loss: float) -> None:
    """Show no progress."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in the layout of the PBC set: disks of two sizes and colors."""
    root = tmp_path_factory.mktemp("crops")
    folder = root / "pbc_acevedo_128"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["path,label,patient_id,split,subtype,acq,group"]
    for number in range(24):
        pixels = np.full((128, 128, 3), 235, np.uint8)
        cv2.circle(pixels, (64, 64), 16 + 14 * (number % 2), (90, 60 + 60 * (number % 2), 160), -1)
        noisy = np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"images/{number}.png"), noisy)
        label = ("lymphocyte", "monocyte")[number % 2]
        rows.append(f"images/{number}.png,{label},,{'val' if number < 8 else 'train'},,A,{number}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


def recipe(steps: int = 4, **values: object) -> EncoderTrainingRecipe:
    return EncoderTrainingRecipe.model_validate(
        {
            "name": "small", "version": "0", "sources": ({"data_set": "pbc_acevedo_128"},), "crop_px": 32,
            "network": NETWORK, "steps": steps, "batch": 8, "validate_every": 2, "checkpoint_every": 2, **values,
        }
    )  # fmt: skip


def test_the_loss_knows_which_looks_belong_together() -> None:
    looks = torch.eye(6)
    together = contrastive_loss(torch.cat([looks, looks]), 0.1)
    apart = contrastive_loss(torch.cat([looks, looks.roll(1, 0)]), 0.1)
    assert together < 0.01 < apart
    assert contrastive_loss(torch.cat([looks, 3 * looks]), 0.1) == pytest.approx(together.item(), abs=1e-5)


def test_all_looks_alike_cost_the_logarithm_of_the_others() -> None:
    assert contrastive_loss(torch.ones(10, 4), 0.2).item() == pytest.approx(np.log(9), abs=1e-5)


def test_two_looks_differ_and_depend_on_the_seed_alone() -> None:
    images = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), np.uint8)
    augment = augment_by(CropAugmentation(surroundings=0.5, gray=0.5), 1.0)
    first = two_looks(images, augment, 1)
    assert first.shape == (6, 3, 32, 32)
    assert not torch.equal(first[:3], first[3:])
    assert torch.equal(first, two_looks(images, augment, 1))


def test_standard_density_forgets_the_strength_of_a_stain() -> None:
    rng = np.random.default_rng(0)
    density = cv2.GaussianBlur(rng.random((32, 32, 3)).astype(np.float32), (5, 5), 0)
    look = StandardDensity(12.0)

    def seen(strength: tuple[float, float, float]) -> torch.Tensor:
        passed = np.exp(-density * np.array(strength, np.float32))
        return look(torch.from_numpy(absorption(passed)).permute(2, 0, 1)[None])

    weak, strong = seen((1.5, 1.5, 1.5)), seen((3.0, 2.2, 3.8))
    correlation = np.corrcoef(weak.flatten(), strong.flatten())[0, 1]
    assert correlation > 0.999
    assert abs(weak[..., 10:22, 10:22].mean()) < 0.5


def test_an_empty_crop_is_not_blown_up() -> None:
    assert torch.equal(StandardDensity(12.0)(torch.zeros(1, 3, 32, 32)), torch.zeros(1, 3, 32, 32))


def test_surroundings_become_background_and_the_center_stays() -> None:
    painted = paint_surroundings(torch.ones(1, 3, 41, 41), torch.tensor(10.0), 0.5)
    assert painted[0, :, 20, 20].tolist() == pytest.approx([1.0] * 3, abs=1e-6)
    assert painted[0, 0, 20, 36:].max() < 1e-4
    assert painted[0, 0, 20, 30].item() == pytest.approx(0.5, abs=1e-5)


def test_styles_are_mixed_for_the_share_asked_for() -> None:
    torch.manual_seed(0)
    maps = torch.randn(6, 4, 8, 8)
    assert torch.allclose(mix_styles(maps, 0.0), maps, atol=1e-5)
    assert not torch.allclose(mix_styles(maps, 1.0), maps, atol=1e-2)


def test_gray_images_have_equal_channels() -> None:
    images = torch.rand(4, 3, 8, 8)
    gray = drop_color(images, torch.Generator().manual_seed(0), share=1.0)
    assert torch.allclose(gray[:, 0], gray[:, 2])
    assert torch.equal(drop_color(images, torch.Generator().manual_seed(0), share=0.0), images)


def test_an_embedding_depends_on_its_crop_alone() -> None:
    torch.manual_seed(0)
    net = CellEncoder(2, SHAPE).eval()
    crops = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(net.embed(crops)[2:3], net.embed(crops[2:3]), atol=1e-5)


def test_the_loss_falls_and_a_resumed_run_ends_alike(root: Path, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def kill_at_three(step: int, steps: int, loss: float) -> None:
        if step == 3:
            raise KilledError

    whole = train_encoder(recipe(), root, tmp_path / "whole", ignore)
    with pytest.raises(KilledError):
        train_encoder(recipe(), root, tmp_path / "resumed", kill_at_three)
    resumed = train_encoder(recipe(), root, tmp_path / "resumed", ignore)
    for name, value in whole.state_dict().items():
        assert torch.allclose(value.float(), resumed.state_dict()[name].float(), atol=1e-5), name


@pytest.mark.slow
def test_an_encoder_goes_from_recipe_to_graph_and_a_classifier_starts_from_it(root: Path, tmp_path: Path) -> None:
    folder = train_cell_encoder(recipe(), root, tmp_path / "run", None, "hemascope train encoder small.toml", ignore)
    card = read_card(folder)
    assert (card.task, card.spec["dimension"], card.spec["labels_seen"]) == ("embed", 16, [])
    (embedding,) = OnnxGraph(folder, card).run(np.zeros((5, 3, 32, 32), np.float32))
    assert embedding.shape == (5, 16)
    values = {"name": "next", "version": "0", "sources": ({"data_set": "pbc_acevedo_128"},), "crop_px": 32}
    cells = CellTrainingRecipe.model_validate(values | {"network": NETWORK})
    net = build_encoder_net(cells, 8, 0.0)
    before = net.head.weight.clone()
    start_from(net, folder)
    with torch.no_grad():
        again = net.eval().embed(torch.zeros(1, 3, 32, 32)).numpy()
    assert again[0] == pytest.approx(embedding[0], abs=5e-3)
    assert torch.equal(net.head.weight, before)
    other = CellTrainingRecipe.model_validate(values | {"network": NETWORK | {"widths": (8, 24)}})
    with pytest.raises(WeightsError, match="another size"):
        start_from(build_encoder_net(other, 8, 0.0), folder)
