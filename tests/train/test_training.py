"""Training from recipe to model folder, on generated smears: small, but every part is the real one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from hemascope.app.training import train_cell_classifier, train_finder
from hemascope.core.errors import DataSetError, RecipeError
from hemascope.core.optics import absorption
from hemascope.core.taxonomy import CellKind, CellType
from hemascope.nets.anomaly_head import MahalanobisHead, ShippedCellNet
from hemascope.nets.cell_encoder import CellEncoder, EncoderShape, paint_surroundings
from hemascope.nets.star_net import StarNet
from hemascope.recipes import CellTrainingRecipe, CropSource, FieldSource, SegmenterTrainingRecipe
from hemascope.synth.write import write_smear
from hemascope.train.augment import ColorJitter, affine_matrices, blur, degrade_optics, jitter_color, resample
from hemascope.train.cells import train_cells
from hemascope.train.crop_batches import LabeledCrops, draw_batch, load_crops
from hemascope.train.images import shift_range, to_input
from hemascope.train.loop import SCORE, train_by_steps
from hemascope.train.optimize import RunLog, cosine_rate
from hemascope.train.package import MAX_DIFFERENCE, load_tensors
from hemascope.train.segmenter import train_segmenter
from hemascope.zoo.card import read_card
from hemascope.zoo.onnx_graph import OnnxGraph


def ignore(step: int, steps: int, loss: float) -> None:
    """Show no progress."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one generated set, in which every type is in every split."""
    folder = tmp_path_factory.mktemp("data")
    everyone = {cell_type: 2 for cell_type in CellType if cell_type is not CellType.PLATELET}
    write_smear(folder / "synthetic", 8, seed=1, width=1200, height=900, mpp=0.2, white_cells=everyone)
    return folder


def cell_recipe(steps: int, **values: object) -> CellTrainingRecipe:
    return CellTrainingRecipe.model_validate(
        {
            "name": "small",
            "version": "0",
            "sources": (CropSource(data_set="synthetic", mpp=0.2),),
            "crop_px": 32,
            "network": {"widths": (8, 16), "blocks": (1, 1), "margin_px": 4, "standard_radius_px": 9.0},
            "steps": steps,
            "batch": 8,
            "validate_every": 100,
            "checkpoint_every": 2,
            **values,
        }
    )


def finder_recipe(steps: int, **values: object) -> SegmenterTrainingRecipe:
    return SegmenterTrainingRecipe.model_validate(
        {
            "name": "small",
            "version": "0",
            "sources": (FieldSource(data_set="synthetic"),),
            "widths": (8, 8, 8, 8, 8),
            "rays": 16,
            "crop_px": 64,
            "synthetic_fields": 6,
            "steps": steps,
            "batch": 4,
            "checkpoint_every": 20,
            **values,
        }
    )


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(root: Path, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def kill_at_three(step: int, steps: int, loss: float) -> None:
        if step == 3:
            raise KilledError

    whole = train_cells(cell_recipe(6), root, tmp_path / "whole", ignore)
    with pytest.raises(KilledError):
        train_cells(cell_recipe(6), root, tmp_path / "resumed", kill_at_three)
    resumed = train_cells(cell_recipe(6), root, tmp_path / "resumed", ignore)
    for name, value in whole.state_dict().items():
        assert torch.allclose(value.float(), resumed.state_dict()[name].float(), atol=1e-5), name


def test_the_finder_learns_from_generated_smears(root: Path, tmp_path: Path) -> None:
    train_segmenter(finder_recipe(60, validate_every=10), root, tmp_path, ignore)
    scores = [row["validation"][SCORE] for row in RunLog(tmp_path).rows() if "validation" in row]
    assert scores[-1] < 0.9 * scores[0]


def test_training_stops_when_validation_gets_no_better_and_keeps_the_best(tmp_path: Path) -> None:
    scores = iter([3.0, 1.0, 2.0, 2.5, 0.1, 0.1])
    recipe = finder_recipe(100, validate_every=1, checkpoint_every=1, patience=2)
    net = torch.nn.Linear(1, 1)
    seen: list[float] = []

    def loss_of(step: int, seed: int) -> dict[str, torch.Tensor]:
        return {"loss": net(torch.ones(1)).square().sum()}

    def validate(average: torch.nn.Linear) -> dict[str, float]:
        seen.append(average.weight.item())
        return {SCORE: next(scores)}

    best = train_by_steps(recipe, tmp_path, net, loss_of, validate, ignore, max_gradient=1.0)
    assert len(seen) == 4
    assert best.weight.item() == pytest.approx(seen[1])
    again = train_by_steps(recipe, tmp_path, torch.nn.Linear(1, 1), loss_of, validate, ignore, max_gradient=1.0)
    assert len(seen) == 4
    assert again.weight.item() == pytest.approx(seen[1])


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in the layout of the PBC set, its cells painted disks of a color for each type."""
    root = tmp_path_factory.mktemp("crops")
    folder = root / "pbc_acevedo_128"
    rng = np.random.default_rng(0)
    rows = ["path,label,patient_id,split,subtype,acq,group"]
    for index, cell_type in enumerate(CellType):
        label = "ig" if cell_type is CellType.IMMATURE_GRANULOCYTE else cell_type.value
        for number in range(10):
            pixels = np.full((128, 128, 3), 235, np.uint8)
            color = (60 + 20 * index, 200 - 20 * index, 90 + 15 * (index % 3))
            cv2.circle(pixels, (64, 64), 20 + 3 * index, color, -1)
            noisy = np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
            name = f"images/{label}/{label}_{number}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name), noisy[..., ::-1])
            rows.append(f"{name},{label},,{'val' if number < 3 else 'train'},,A,{label}_{number}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.mark.slow
def test_a_cell_model_goes_from_recipe_to_graph(crops: Path, tmp_path: Path) -> None:
    recipe = cell_recipe(30, sources=({"data_set": "pbc_acevedo_128"},), encoder="bare")
    command = "hemascope train cells small.toml"
    folder = train_cell_classifier(recipe, crops, tmp_path / "run", tmp_path / "model", command, ignore)
    card = read_card(folder)
    assert card.task == "classify"
    assert card.spec["temperature"] > 0
    assert sum(card.spec["training_shares"].values()) == pytest.approx(1)
    assert card.validation["graph_difference"] < 1e-3
    assert card.validation["nll_after_calibration"] <= card.validation["nll_before_calibration"] + 1e-6
    assert card.training.data["pbc_acevedo_128"]["images"] == "80"
    assert "10.1016/j.dib.2020.105474" in (folder / "README.md").read_text()
    logits, embedding, distance = OnnxGraph(folder, card).run(np.zeros((5, 3, 32, 32), np.float32))
    assert (logits.shape, embedding.shape, distance.shape) == ((5, 8), (5, 16), (5,))
    assert card.spec["conformal"]["cells"] == 24
    bare = read_card(tmp_path / "bare")
    assert (bare.task, bare.name, bare.spec["labels_seen"]) == ("embed", "bare", ["pbc_acevedo_128"])
    (alone,) = OnnxGraph(tmp_path / "bare", bare).run(np.zeros((5, 3, 32, 32), np.float32))
    assert alone == pytest.approx(embedding, abs=5e-3)


@pytest.mark.slow
def test_a_type_without_examples_is_said(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="hold no platelet"):
        train_cell_classifier(cell_recipe(2), root, tmp_path / "run", None, "hemascope train cells x.toml", ignore)


@pytest.mark.slow
def test_a_finder_goes_from_recipe_to_graph(root: Path, tmp_path: Path) -> None:
    command = "hemascope train segmenter small.toml"
    folder = train_finder(finder_recipe(4), root, tmp_path / "run", tmp_path / "model", command, ignore)
    card = read_card(folder)
    assert card.training.command == command
    assert set(card.spec["thresholds"]) == {kind.value for kind in CellKind}
    assert card.validation["graph_difference"] < MAX_DIFFERENCE
    heat, radii, tissue = OnnxGraph(folder, card).run(np.zeros((1, 3, 64, 96), np.float32))
    assert heat.shape == (1, 3, 32, 48)
    assert radii.shape == (1, 16, 32, 48)
    assert tissue.shape == (1, 2, 32, 48)
    assert 0 <= tissue.min() <= tissue.max() <= 1
    assert (tmp_path / "run" / "curves.png").is_file()
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["name"] == "small"
    net = StarNet(rays=16, widths=(8, 8, 8, 8, 8))
    state = {name.removeprefix("net."): t for name, t in load_file(str(folder / "model.safetensors")).items()}
    load_tensors(net, state)
    with torch.no_grad():
        again = torch.sigmoid(net.eval()(torch.zeros(1, 3, 64, 96))[0]).numpy()
    assert again == pytest.approx(heat, abs=1e-3)
    stored = {t.data_type for t in onnx.load(str(folder / "model.onnx")).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in stored


def test_a_type_left_out_is_never_loaded(crops: Path) -> None:
    source = CropSource.model_validate({"data_set": "pbc_acevedo_128", "left_out": ["basophil"]})
    basophil = list(CellType).index(CellType.BASOPHIL)
    for split in ("train", "val"):
        every = load_crops(CropSource(data_set="pbc_acevedo_128"), crops, split, cell_recipe(1)).labels
        few = load_crops(source, crops, split, cell_recipe(1)).labels
        assert (every == basophil).any()
        assert np.array_equal(few, every[every != basophil])


def test_a_type_left_out_of_fields_is_never_loaded(root: Path) -> None:
    source = CropSource.model_validate({"data_set": "synthetic", "mpp": 0.2, "left_out": ["basophil"]})
    every = load_crops(CropSource(data_set="synthetic", mpp=0.2), root, "train", cell_recipe(1)).labels
    basophil = list(CellType).index(CellType.BASOPHIL)
    assert (every == basophil).any()
    assert np.array_equal(load_crops(source, root, "train", cell_recipe(1)).labels, every[every != basophil])


@pytest.mark.slow
def test_a_model_says_what_was_left_out(crops: Path, tmp_path: Path) -> None:
    recipe = cell_recipe(2, sources=({"data_set": "pbc_acevedo_128", "left_out": ["basophil"]},))
    model = train_cell_classifier(recipe, crops, tmp_path / "run", None, "a test", ignore)
    card = read_card(model)
    assert card.spec["left_out"] == ["basophil"]
    assert card.training.recipe["sources"][0]["left_out"] == ["basophil"]
    facts = card.training.data["pbc_acevedo_128"]
    assert (facts["images"], facts["left_out"]) == ("70", "basophil")
    assert "smudge cells, basophils (none were seen" in (model / "README.md").read_text("utf-8")
    assert load_file(model / "model.safetensors")["anomaly.centers"].shape[0] == 7


def test_a_set_without_typed_cells_is_said(root: Path, tmp_path: Path) -> None:
    recipe = cell_recipe(1, sources=({"data_set": "synthetic"},))
    with pytest.raises(DataSetError, match="mpp"):
        train_cells(recipe, root, tmp_path, ignore)


def test_batches_depend_on_seed_and_step_alone() -> None:
    rng = np.random.default_rng(0)
    crops = LabeledCrops("x", rng.integers(0, 255, (50, 4, 4, 3)).astype(np.uint8), rng.integers(0, 8, 50))
    batches = [draw_batch([crops], [1.0], 6, seed=3, step=step)[0] for step in (4, 5, 4)]
    assert np.array_equal(batches[0], batches[2])
    assert not np.array_equal(batches[0], batches[1])


def test_the_rate_rises_and_falls() -> None:
    rates = [cosine_rate(step, 1000, 0.1) for step in range(1000)]
    assert max(rates) == pytest.approx(0.1, rel=0.02)
    assert rates[0] < 0.01
    assert rates[-1] < 0.001


def test_a_log_cut_short_is_still_read(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.write(1, loss=0.5)
    with log.path.open("a") as file:
        file.write('{"step": 2, "lo')
    assert [row["step"] for row in log.rows()] == [1]


def test_training_sees_what_answering_sees() -> None:
    rng = np.random.default_rng(1)
    crop = rng.integers(0, 255, (2, 16, 16, 3)).astype(np.uint8)
    ours = shift_range(to_input(crop)).numpy()
    theirs = absorption(crop.astype(np.float32) / 255).transpose(0, 3, 1, 2)
    assert ours == pytest.approx(theirs, abs=1e-6)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_augmentations_keep_shape_and_range() -> None:
    images = torch.rand(5, 3, 24, 24, generator=generator())
    for changed in (
        jitter_color(images, generator(), ColorJitter()),
        degrade_optics(images, generator(), share=1.0),
        resample(images, affine_matrices(5, generator(), log_scale=0.2, shift=0.1)),
        blur(images, 1.5),
    ):
        assert changed.shape == images.shape
        assert float(changed.min()) >= -1e-6
        assert float(changed.max()) <= 1 + 1e-6


def test_background_stays_background_under_another_stain() -> None:
    white = torch.ones(4, 3, 8, 8)
    changed = jitter_color(white, generator(), ColorJitter(light=0.0))
    assert changed == pytest.approx(white.numpy())


def test_no_change_is_no_change() -> None:
    images = torch.rand(2, 3, 9, 9, generator=generator())
    still = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]).expand(2, 2, 3)
    assert torch.allclose(resample(images, still), images, atol=1e-5)
    quiet = ColorJitter(0.0, 0.0, 0.0, 0.0)
    assert torch.allclose(jitter_color(images.clamp(min=0.01), generator(), quiet), images.clamp(min=0.01), atol=1e-5)


def test_distance_is_zero_at_a_center_and_grows_away_from_it() -> None:
    centers = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    head = MahalanobisHead(torch.eye(2), centers)
    distances = head(torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 2.0], [5.0, 0.0]]))
    assert distances.tolist() == pytest.approx([0, 0, 2 / np.sqrt(2), 5 / np.sqrt(2)])


def test_the_shipped_net_gives_logits_embedding_and_distance() -> None:
    net = CellEncoder(8, EncoderShape((8, 16), (1, 1), margin_px=0, standard_radius_px=0)).eval()
    shipped = ShippedCellNet(net, MahalanobisHead(torch.eye(16), torch.zeros(8, 16)), 10.0, 0.5)
    crops = torch.rand(3, 3, 32, 32)
    logits, embedding, distance = shipped(crops)
    assert (logits.shape, embedding.shape, distance.shape) == ((3, 8), (3, 16), (3,))
    assert torch.equal(embedding, net(crops)[1])


def test_the_shipped_net_hears_the_cell_alone_as_much_as_the_whole_crop() -> None:
    torch.manual_seed(0)
    net = CellEncoder(8, EncoderShape((8, 16), (1, 1), margin_px=0, standard_radius_px=0)).eval()
    shipped = ShippedCellNet(net, MahalanobisHead(torch.eye(16), torch.zeros(8, 16)), 10.0, 0.5)
    crops = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        alone = shipped(paint_surroundings(crops, torch.tensor(10.0), 0.5))[0]
        whole = sum(net(x)[0] for x in (crops, crops.flip(3), crops.flip(2), crops.transpose(2, 3))) / 4
        assert not torch.allclose(alone, whole, atol=1e-3)
        cell = paint_surroundings(crops, torch.tensor(10.0), 0.5)
        expected = whole / 2 + (net(cell)[0] + net(cell.transpose(2, 3))[0]) / 4
        assert torch.allclose(shipped(crops)[0], expected, atol=1e-5)


@pytest.mark.parametrize("changed", [{"seed": 9}, {"steps": 3}])
def test_a_run_of_another_recipe_is_not_gone_on_with(
    root: Path, crops: Path, tmp_path: Path, changed: dict[str, int]
) -> None:
    first = cell_recipe(2, sources=({"data_set": "pbc_acevedo_128"},))

    class KilledError(Exception):
        pass

    def kill(step: int, steps: int, loss: float) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        train_cell_classifier(first, crops, tmp_path / "run", None, "hemascope train cells x.toml", kill)
    other = first.model_copy(update=changed)
    with pytest.raises(RecipeError, match="another recipe; name another folder with --run"):
        train_cell_classifier(other, crops, tmp_path / "run", None, "hemascope train cells x.toml", ignore)


def test_a_split_that_leaks_is_not_trained_on(crops: Path, tmp_path: Path) -> None:
    leaking = Path(shutil.copytree(crops, tmp_path / "leaking"))
    table = leaking / "pbc_acevedo_128" / "labels.csv"
    table.write_text(table.read_text().replace("basophil_9\n", "basophil_0\n"))
    with pytest.raises(DataSetError, match=r"basophil_0.*two splits"):
        train_cells(cell_recipe(1, sources=({"data_set": "pbc_acevedo_128"},)), leaking, tmp_path / "run", ignore)
