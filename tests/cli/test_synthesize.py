"""`hemascope synthesize cells` as a user types it, on a graph run by ONNX Runtime, without torch."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemascope.core.taxonomy import CellType
from hemascope.zoo.card import CARD_FILE, GRAPH_FILE, ModelCard, TrainingFacts

onnx = pytest.importorskip("onnx")

SIDE = 16
NAMES = [cell_type.value for cell_type in CellType]
WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from hemascope.cli.main import main; main()"


def hemascope(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1"}
    command = [sys.executable, "-c", WITHOUT_TORCH, "synthesize", "cells", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a denoiser whose classes are Gaussians about one color each: its velocity is -s mu."""
    from onnx import TensorProto, helper

    folder = tmp_path_factory.mktemp("model")
    colors = np.random.default_rng(0).uniform(-1, 1, (len(NAMES), 3)).astype(np.float32)
    means = np.repeat(colors[:, :, None], SIDE * SIDE, axis=2).reshape(len(NAMES), -1)
    constants = {
        "means": -means,
        "image": np.array([-1, 3, SIDE, SIDE], np.int64),
        "column": np.array([-1, 1, 1, 1], np.int64),
        "nothing": np.zeros(1, np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["conditions", "means"], ["flat"]),
        helper.make_node("Reshape", ["flat", "image"], ["told"]),
        helper.make_node("Reshape", ["times", "column"], ["by_row"]),
        helper.make_node("Mul", ["noised", "nothing"], ["no_noised"]),
        helper.make_node("Mul", ["by_row", "nothing"], ["no_times"]),
        helper.make_node("Add", ["no_noised", "no_times"], ["zeros"]),
        helper.make_node("Add", ["told", "zeros"], ["velocity"]),
    ]
    shapes: dict[str, list[str | int | None]] = {
        "noised": ["n", 3, SIDE, SIDE],
        "times": ["n"],
        "conditions": ["n", len(NAMES)],
    }
    graph = helper.make_graph(
        nodes,
        "colors",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("velocity", TensorProto.FLOAT, shapes["noised"])],
        [onnx.numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opset = helper.make_opsetid("", 18)
    data = helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()
    (folder / GRAPH_FILE).write_bytes(data)
    sets = {"pbc_acevedo_128": {"license": "CC-BY-4.0"}}
    facts = TrainingFacts(command="", seed=0, recipe={}, recipe_sha256="", data=sets, software={})
    spec = {
        "sample": "pixels", "prediction": "velocity", "classes": NAMES, "crop_px": SIDE, "crop_um": 24.0,
        "schedule": "cosine", "mask_um": 22.0,
    }  # fmt: skip
    card = ModelCard(
        task="denoise", name="colors", version="3", license="Apache-2.0", attribution=["Acevedo A. A dataset."],
        files={GRAPH_FILE: hashlib.sha256(data).hexdigest()}, spec=spec, validation={}, training=facts,
    )  # fmt: skip
    (folder / CARD_FILE).write_text(card.model_dump_json())
    return folder


def test_cells_are_drawn_and_say_what_they_are(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells"
    asked = ("--class", "neutrophil", "--class", "monocyte", "-n", "3", "--seed", "1", "--model", model, "--steps", "6")
    done = hemascope(*asked, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "6 synthetic cells" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["README.md", "labels.csv", "synthetic-sheet.png"]
        + [f"synthetic-{name}-s1-{number:05d}.png" for name in ("neutrophil", "monocyte") for number in range(3)]
    )
    with Image.open(out / "synthetic-monocyte-s1-00002.png") as image:
        assert (image.info["model"], image.info["model_version"]) == ("colors", "3")
        assert (image.info["class"], image.info["license"]) == ("monocyte", "CC-BY-4.0")
    again = hemascope(*asked, "--out", tmp_path / "again", "--quiet")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    for path in out.glob("synthetic-*.png"):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--class", "blast"], 2, "choose of basophil, eosinophil"),
        (["-n", "0"], 2, "-n"),
        (["--check", "nowhere"], 2, "nowhere"),
        (["--model", "nowhere"], 1, "nowhere"),
    ],
)
def test_a_wrong_command_says_why_and_leaves_nothing(
    arguments: list[str], status: int, said: str, model: Path, tmp_path: Path
) -> None:
    done = hemascope("--model", model, *arguments, "--out", tmp_path / "out")
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_occupied_folder_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    done = hemascope("--model", model, "--out", tmp_path)
    assert done.returncode == 1
    assert "not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
