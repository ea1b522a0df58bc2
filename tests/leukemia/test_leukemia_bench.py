"""The whole evaluation at tiny scale: it runs, resumes, and says what it should."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")

from conftest import CELLS, CLUSTERS, FIELDS
from hemascope.app.bench import run_benchmark
from hemascope.app.bench_record import BenchmarkRun
from hemascope.app.bench_request import BenchmarkRequest
from hemascope.app.benchmark_table import benchmark_tables
from hemascope.app.leukemia_overlays import write_overlays
from hemascope.app.leukemia_trials import plan_trials
from hemascope.core.errors import InputError, MissingExtraError, RecipeError, WeightsError
from hemascope.recipes import LeukemiaTrainingRecipe, load_recipe

pytestmark = pytest.mark.slow

RECIPE = """
kind = "leukemia"
name = "tiny"
version = "1"
input_px = 64
width = 8
last_stride = 1
steps = 2
batch = 4
checkpoint_every = 1
seeds = [0, 1]
shares = [0.5]
rotations = 2
vit = [16, 1, 2, 16]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bench")
    (made / "tiny.toml").write_text(RECIPE)
    return made


def request_of(root: Path, folder: Path, **changes: object) -> BenchmarkRequest:
    given = {"recipe": folder / "tiny.toml", "runs": folder / "runs", "pictures": folder / "pictures"} | changes
    return BenchmarkRequest("leukemia", root, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(root: Path, folder: Path) -> BenchmarkRun:
    return run_benchmark(request_of(root, folder), None, lambda *_: None)  # type: ignore[arg-type]


def test_every_figure_asked_for_is_there(run: BenchmarkRun) -> None:
    metrics = run.measures.metrics
    fields = len(CELLS) * CLUSTERS * FIELDS
    for method in ("hmscam", "color_only", "background_color", "background_descriptors", "descriptors"):
        assert metrics[f"taleqani_all.rotation.{method}.subtypes.n"] == fields
        assert -1 <= metrics[f"taleqani_all.rotation.{method}.above_color"] <= 1
    assert metrics["taleqani_all.rotation.color_only.above_color"] == 0
    assert metrics["taleqani_all.split.share50.subtypes.n"] == len(CELLS) * FIELDS
    assert metrics["taleqani_all.split.hmscam.seeds.subtypes.accuracy_n"] == 2
    assert metrics["taleqani_all.full_size.hmscam.parameters"] == 41_617_583
    for network in ("hmscam", "resnet50", "alexnet", "vit"):
        assert 0 <= metrics[f"taleqani_all.robust.{network}.gaussian_blur_2.subtypes.accuracy"] <= 1
    assert metrics["taleqani_all.attention.brightness_0.8.channel.relative_difference"] >= 0
    assert 0 <= metrics["taleqani_all.attention.contrast_0.5.channel.information_share"] <= 1


def test_cells_by_their_size_and_number_are_told_from_descriptors(run: BenchmarkRun) -> None:
    assert run.measures.metrics["taleqani_all.rotation.descriptors.subtypes.accuracy"] >= 0.9
    assert run.measures.metrics["taleqani_all.rotation.background_descriptors.subtypes.accuracy"] < 0.7


def test_the_document_is_json_and_makes_tables(run: BenchmarkRun) -> None:
    document = json.loads(json.dumps(run.document(), allow_nan=False))
    assert document["provenance"]["start"] == "random weights: no ImageNet weights"
    assert document["provenance"]["curves"]["hmscam"]["malignant.Malignant"]["roc"][0] == [0.0, 0.0]
    tables = benchmark_tables(document)
    assert any("no ImageNet weights" in table.title for table in tables)
    for table in tables:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.columns)}, table.title


def test_a_second_run_trains_nothing_and_says_the_same(root: Path, folder: Path, run: BenchmarkRun) -> None:
    places = list((folder / "runs").glob("*/*/answers.npz"))
    recipe = load_recipe(folder / "tiny.toml", LeukemiaTrainingRecipe)
    assert len(places) == len(plan_trials(recipe))
    assert not list((folder / "runs").glob("*/*/checkpoints"))
    times = {place: place.stat().st_mtime_ns for place in places}
    again = run_benchmark(request_of(root, folder), None, lambda *_: None)  # type: ignore[arg-type]
    assert {place: place.stat().st_mtime_ns for place in places} == times
    for key, value in run.measures.metrics.items():
        if ".full_size." not in key:
            assert again.measures.metrics[key] == value, key


def test_pictures_are_written_for_the_test_split_and_for_any_image(
    root: Path, folder: Path, run: BenchmarkRun, tmp_path: Path
) -> None:
    assert len(list((folder / "pictures").glob("*.attention.png"))) == len(CELLS)
    [model] = (folder / "runs").glob("*/hmscam_seed0")
    image = root / "taleqani_all" / "images" / "Pre" / "0-0.png"
    [written] = write_overlays(model, [image], tmp_path)
    pixels = cv2.imread(str(written))
    assert pixels.shape == (448, 3 * 448, 3)
    assert np.ptp(pixels[:, 448:896].astype(int) - pixels[:, :448].astype(int)) > 0
    with pytest.raises(InputError, match="two images are named '0-0'"):
        write_overlays(model, [image, image], tmp_path)
    with pytest.raises(WeightsError, match="holds no HMSCAM"):
        write_overlays(tmp_path, [image], tmp_path)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"recipe": None}, InputError, "name its recipe"),
        ({"split": "val"}, InputError, "leave out --split"),
        ({"recipe": Path("absent.toml")}, RecipeError, "absent.toml"),
    ],
)
def test_what_cannot_be_run_is_said(
    root: Path, folder: Path, changes: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        run_benchmark(request_of(root, folder, **changes), None, lambda *_: None)  # type: ignore[arg-type]


def test_without_torch_the_extra_is_named(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"hemascope\[train\]"):
        run_benchmark(request_of(root, folder), None, lambda *_: None)  # type: ignore[arg-type]
