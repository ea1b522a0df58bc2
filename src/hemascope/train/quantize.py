"""Graphs to 8 bit: ranges are taken from real crops, and what it costs is measured on others."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from hemascope.core.errors import MissingExtraError, OutputError, RecipeError
from hemascope.core.ports import TensorGraph
from hemascope.zoo.card import GRAPH_FILE, ModelCard
from hemascope.zoo.onnx_graph import OnnxGraph, verified_bytes
from hemascope.zoo.openvino_graph import QUANTIZED_GRAPH, QUANTIZED_TENSORS, OpenVinoGraph
from hemascope.zoo.quantized import QUANTIZED_CARD, QuantizedCard, quantized_folder

BATCH = 8

ENOUGH = 0.999
"""Mean cosine with the unquantized graph, on crops of the calibration, at which no more products are left out."""

KEPT_SHARES = (0.0, 1 / 6, 1 / 3)
"""Shares of the products, from the input on, that are left out in turn: what is rounded first is magnified most."""

PROBES = 16

_PRODUCTS = ("MatMul", "Convolution", "GroupConvolution")


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Crops as the network sees them.

    Attributes
    ----------
    data_set, split
        Where the crops of ``inputs`` are from.
    inputs
        N x 3 x S x S float32: ranges are taken from these.
    held_out
        M x 3 x S x S float32 of other cells: what 8 bit cost is measured on these.
    """

    data_set: str
    split: str
    inputs: NDArray[np.float32]
    held_out: NDArray[np.float32]

    def describe(self) -> dict[str, str]:
        """Return the part of a card that names the crops."""
        digest = hashlib.sha256(np.ascontiguousarray(self.inputs).tobytes()).hexdigest()
        return {"data_set": self.data_set, "split": self.split, "crops": str(len(self.inputs)), "sha256": digest}


def quantize_model(folder: Path, card: ModelCard, backend: str, calibration: Calibration) -> QuantizedCard:
    """Write the 8-bit files of a model beside it, whole or not at all, and return their card.

    Parameters
    ----------
    folder, card
        The model's folder and card.
    backend
        ``onnxruntime`` or ``openvino``.
    calibration
        Crops.

    Raises
    ------
    RecipeError
        If the backend has no 8-bit files.
    MissingExtraError
        If it is not installed.
    WeightsError
        If the model is damaged.
    OutputError
        If the files cannot be written.
    """
    if backend not in _METHODS:
        raise RecipeError(f"there is no way to 8 bit for the backend '{backend}'; choose one of {', '.join(_METHODS)}")
    data = verified_bytes(folder / GRAPH_FILE, card.files.get(GRAPH_FILE, ""))
    place = quantized_folder(folder, backend)
    staging = folder / f".{place.name}.partial"  # a model folder of its own, so that the files are measured as they lie
    made = quantized_folder(staging, backend)
    try:
        shutil.rmtree(staging, ignore_errors=True)
        made.mkdir(parents=True)
        (staging / GRAPH_FILE).write_bytes(data)
        method = _METHODS[backend](data, made, calibration)
        found = QuantizedCard(
            backend=backend,
            source_sha256=card.files[GRAPH_FILE],
            method=method,
            files={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(made.iterdir())},
            calibration=calibration.describe(),
            agreement={},
            software={name: importlib.metadata.version(name) for name in _SOFTWARE[backend]},
        )
        _write_card(found, made)
        found = found.model_copy(update={"agreement": _agreement(staging, card, backend, calibration.held_out)})
        _write_card(found, made)
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)
    except OSError as error:
        raise OutputError.at(place, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return found


def embeddings(graph: TensorGraph, card: ModelCard, inputs: NDArray[np.float32], batch: int) -> NDArray[np.float32]:
    """Return N x D embeddings of network input: a classifier's second output, an encoder's first."""
    place = 1 if card.task == "classify" else 0
    return np.concatenate([graph.run(inputs[i : i + batch])[place] for i in range(0, len(inputs), batch)])


def cosines(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return N cosines of the angles between the rows of two N x D arrays."""
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    product = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(product, 1e-30), np.float64)


def _agreement(folder: Path, card: ModelCard, backend: str, held_out: NDArray[np.float32]) -> dict[str, float]:
    if not len(held_out):
        return {}
    quantized: TensorGraph = (
        OpenVinoGraph(folder, card, "int8") if backend == "openvino" else OnnxGraph(folder, card, precision="int8")
    )
    found = cosines(
        embeddings(quantized, card, held_out, BATCH), embeddings(OnnxGraph(folder, card), card, held_out, BATCH)
    )
    values = {"mean": found.mean(), "percentile_1": np.percentile(found, 1), "min": found.min(), "crops": len(found)}
    return {name: round(float(value), 6) for name, value in values.items()}


def _write_card(card: QuantizedCard, folder: Path) -> None:
    (folder / QUANTIZED_CARD).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")


def _by_openvino(data: bytes, folder: Path, calibration: Calibration) -> str:
    """Write the graph with 8-bit products; attention is smoothed first (SmoothQuant: Xiao et al., ICML 2023)."""
    try:
        import nncf
        import openvino
    except ImportError as error:
        raise MissingExtraError("8-bit files for 'openvino'", "openvino") from error
    nncf.set_log_level(logging.ERROR)  # its progress is no answer of ours
    core = openvino.Core()
    model = core.read_model(data)
    kinds = [op.get_type_name() for op in model.get_ops()]
    attends = "Softmax" in kinds or "ScaledDotProductAttention" in kinds
    products = [op.get_friendly_name() for op in model.get_ordered_ops() if op.get_type_name() in _PRODUCTS]
    probes = calibration.inputs[:PROBES]
    truth = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(probes)
    for kept in KEPT_SHARES:  # until the answers agree
        names = products[: math.ceil(kept * len(products))]
        made = nncf.quantize(
            core.read_model(data),
            nncf.Dataset([crop[None] for crop in calibration.inputs]),
            preset=nncf.QuantizationPreset.MIXED,
            model_type=nncf.ModelType.TRANSFORMER if attends else None,
            subset_size=len(calibration.inputs),
            ignored_scope=nncf.IgnoredScope(names=names) if names else None,
        )
        answer = core.compile_model(made, "CPU")(probes)
        rows = range(len(answer))
        least = min(cosines(*(a[i].reshape(len(probes), -1) for a in (answer, truth))).mean() for i in rows)
        if least >= ENOUGH:
            break
    openvino.save_model(made, folder / QUANTIZED_GRAPH, compress_to_fp16=False)
    if not (folder / QUANTIZED_TENSORS).is_file():
        raise OSError(f"OpenVINO wrote no {QUANTIZED_TENSORS}")
    transformer = ", transformer" if attends else ""
    return f"static, nncf mixed preset{transformer}; the first {len(names)} of {len(products)} products not quantized"


def _by_onnxruntime(data: bytes, folder: Path, calibration: Calibration) -> str:
    """Write the graph: products of tokens by ranges found as it runs, convolutions by ranges of the crops."""
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    plain = folder / "plain.onnx"
    plain.write_bytes(data)
    quant_pre_process(str(plain), str(plain), skip_symbolic_shape=True)
    loaded = onnx.load(plain)
    attends = any(node.op_type == "Softmax" for node in loaded.graph.node)
    if attends:
        quantize_dynamic(plain, folder / GRAPH_FILE, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True)
    else:
        reader = _CropReader(loaded.graph.input[0].name, calibration.inputs)
        quantize_static(
            plain, folder / GRAPH_FILE, reader, per_channel=True, activation_type=QuantType.QUInt8,
            op_types_to_quantize=["Conv", "Gemm", "MatMul", "Add", "Relu"],
        )  # fmt: skip
    plain.unlink()
    return "dynamic, ONNX Runtime, a range a channel" if attends else "static QDQ, ONNX Runtime, a range a channel"


class _CropReader:
    """Hands out crops one by one, as ONNX Runtime asks for them."""

    def __init__(self, name: str, inputs: NDArray[np.float32]) -> None:
        self._items: Iterator[dict[str, Any]] = iter([{name: crop[None]} for crop in inputs])

    def get_next(self) -> dict[str, Any] | None:
        """Return the next crop, or None at the end."""
        return next(self._items, None)


_METHODS: dict[str, Callable[[bytes, Path, Calibration], str]] = {
    "onnxruntime": _by_onnxruntime,
    "openvino": _by_openvino,
}

_SOFTWARE = {"onnxruntime": ("onnxruntime", "onnx"), "openvino": ("openvino", "nncf")}
