"""The same network through every backend."""

import hashlib
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import SIDE, tiny_network, write_tiny_encoder

from hemascope import wiring
from hemascope.core.embedding import encoder_digest
from hemascope.core.errors import MissingExtraError, RecipeError, WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.embed.graph_encoder import read_encoder_spec
from hemascope.settings import Settings
from hemascope.zoo.card import CARD_FILE, GRAPH_FILE, ModelCard, read_card
from hemascope.zoo.quantized import QUANTIZED_CARD, quantized_folder, read_quantized

pytest.importorskip("torch", reason="needs the extra train")
HAS_OPENVINO = importlib.util.find_spec("openvino") is not None
needs_openvino = pytest.mark.skipif(not HAS_OPENVINO, reason="needs the extra openvino")
ONE_THREAD = Settings(threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_encoder(place)
    return place


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, 3, SIDE, SIDE)).astype(np.float32)


def embed(folder: Path, images: np.ndarray, backend: str, precision: str = "fp32") -> np.ndarray:
    return wiring.build_graph(folder, read_card(folder), backend, precision, ONE_THREAD).run(images)[0]


def by_torch(images: np.ndarray, precision: str = "fp32") -> np.ndarray:
    from hemascope.train.torch_graph import TorchGraph

    identity = ModelIdentity("tiny", "1", "", f"torch-cpu-{precision}", "none")
    return TorchGraph(tiny_network(), identity, precision, threads=1).run(images)[0]


def test_torch_equals_onnxruntime(folder: Path, images: np.ndarray) -> None:
    np.testing.assert_allclose(by_torch(images), embed(folder, images, "onnxruntime"), atol=1e-4)


@needs_openvino
@pytest.mark.parametrize("count", [1, 2, 5])
def test_openvino_equals_onnxruntime_at_every_batch(folder: Path, images: np.ndarray, count: int) -> None:
    batch = images[:count]
    np.testing.assert_allclose(embed(folder, batch, "openvino"), embed(folder, batch, "onnxruntime"), atol=1e-4)


def test_torch_in_half_precision_is_near_and_not_equal(images: np.ndarray) -> None:
    whole, half = by_torch(images), by_torch(images, "bf16")
    assert half.dtype == np.float32
    assert 0 < np.abs(whole - half).max() < 0.5


@needs_openvino
def test_backend_and_precision_name_another_digest(folder: Path) -> None:
    card, digests = read_card(folder), set()
    for backend in ("onnxruntime", "openvino"):
        identity = wiring.build_graph(folder, card, backend, "fp32", ONE_THREAD).identity
        assert identity.backend == f"{backend}-cpu-fp32"
        spec = read_encoder_spec(card.spec, identity.backend)
        assert spec.precision == "fp32"
        digests |= {encoder_digest(identity, spec), encoder_digest(replace(identity, backend="x-cpu-int8"), spec)}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("backend", "precision", "words"),
    [
        ("tensorrt", "fp32", "choose one of onnxruntime, openvino, torch"),
        ("onnxruntime", "bf16", "choose fp32 or int8"),
    ],
)
def test_refuses_what_it_has_not(folder: Path, backend: str, precision: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        wiring.build_graph(folder, read_card(folder), backend, precision, ONE_THREAD)


def test_says_that_there_are_no_8_bit_files(folder: Path) -> None:
    with pytest.raises(WeightsError, match="choose another precision"):
        wiring.build_graph(folder, read_card(folder), "onnxruntime", "int8", ONE_THREAD)


def test_torch_refuses_8_bit() -> None:
    with pytest.raises(RecipeError, match="choose one of fp32, bf16"):
        by_torch(np.zeros((1, 3, SIDE, SIDE), np.float32), "int8")


@pytest.mark.skipif(HAS_OPENVINO, reason="OpenVINO is installed")
def test_names_the_extra_where_openvino_is_absent(folder: Path) -> None:
    with pytest.raises(MissingExtraError, match="openvino"):
        wiring.build_graph(folder, read_card(folder), "openvino", "fp32", ONE_THREAD)


def quantize(folder: Path, images: np.ndarray) -> ModelCard:
    from hemascope.train.quantize import Calibration, quantize_model

    card = read_card(folder)
    quantize_model(folder, card, "onnxruntime", Calibration("noise", "train", images[:3], images[3:]))
    return card


def test_8_bit_files_answer_nearly_alike(tmp_path: Path, images: np.ndarray) -> None:
    card = write_tiny_encoder(tmp_path / "tiny")
    before = (tmp_path / "tiny" / CARD_FILE).read_bytes()
    quantize(tmp_path / "tiny", images)
    graph = wiring.build_graph(tmp_path / "tiny", card, "onnxruntime", "int8", ONE_THREAD)
    found = read_quantized(tmp_path / "tiny", card, "onnxruntime")
    assert graph.identity.backend == "onnxruntime-cpu-int8"
    assert graph.identity.sha256 == found.files[GRAPH_FILE] != card.files[GRAPH_FILE]
    assert found.calibration["sha256"] == hashlib.sha256(images[:3].tobytes()).hexdigest()
    assert found.agreement["crops"] == 2
    answer, truth = graph.run(images)[0], embed(tmp_path / "tiny", images, "onnxruntime")
    assert 0 < np.abs(answer - truth).max() < 1
    assert (tmp_path / "tiny" / CARD_FILE).read_bytes() == before
    assert not list((tmp_path / "tiny").glob(".*"))


def test_damaged_8_bit_files_are_refused(tmp_path: Path, images: np.ndarray) -> None:
    write_tiny_encoder(tmp_path / "tiny")
    card = quantize(tmp_path / "tiny", images)
    place = quantized_folder(tmp_path / "tiny", "onnxruntime")
    (place / GRAPH_FILE).write_bytes(b"changed")
    with pytest.raises(WeightsError, match="sha256"):
        wiring.build_graph(tmp_path / "tiny", card, "onnxruntime", "int8", ONE_THREAD)
    facts = json.loads((place / QUANTIZED_CARD).read_text()) | {"source_sha256": "0" * 64}
    (place / QUANTIZED_CARD).write_text(json.dumps(facts))
    with pytest.raises(WeightsError, match="another graph"):
        wiring.build_graph(tmp_path / "tiny", card, "onnxruntime", "int8", ONE_THREAD)


def test_torch_refuses_tensors_of_another_network(tmp_path: Path) -> None:
    from hemascope.train.torch_graph import module_of

    card = write_tiny_encoder(tmp_path / "tiny").model_copy(update={"origin": None})
    with pytest.raises(WeightsError, match="choose another backend"):
        module_of(card, {}, "model.safetensors")
