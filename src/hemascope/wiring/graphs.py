"""What runs a network, by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hemascope.core.errors import MissingExtraError, RecipeError
from hemascope.core.ports import (
    TensorGraph,
)
from hemascope.settings import Settings, read_settings

if TYPE_CHECKING:
    from hemascope.zoo.card import ModelCard


def onnxruntime_graph(folder: Path, card: ModelCard, precision: str, threads: int) -> TensorGraph:
    """Return a model's graph run by ONNX Runtime."""
    from hemascope.zoo.onnx_graph import OnnxGraph

    return OnnxGraph(folder, card, threads, precision)


def openvino_graph(folder: Path, card: ModelCard, precision: str, threads: int) -> TensorGraph:
    """Return a model's graph run by OpenVINO."""
    from hemascope.zoo.openvino_graph import OpenVinoGraph

    return OpenVinoGraph(folder, card, precision, threads)


def torch_graph(folder: Path, card: ModelCard, precision: str, threads: int) -> TensorGraph:
    """Return a model's network run by torch."""
    if not is_installed("torch"):
        raise MissingExtraError("the backend 'torch'", "train")
    from hemascope.train.torch_graph import load_torch_graph

    return load_torch_graph(folder, card, precision, threads)


BACKENDS: dict[str, Callable[[Path, ModelCard, str, int], TensorGraph]] = {
    "onnxruntime": onnxruntime_graph,
    "openvino": openvino_graph,
    "torch": torch_graph,
}
"""What runs a network, by name; each takes a model folder, its card, a precision and a number of threads."""


def build_graph(
    folder: Path,
    card: ModelCard,
    backend: str = "onnxruntime",
    precision: str = "fp32",
    settings: Settings | None = None,
) -> TensorGraph:
    """Return the network of a model folder; its identity names backend and precision.

    Parameters
    ----------
    folder, card
        The model's folder and its card.
    backend
        A key of ``BACKENDS``.
    precision
        ``fp32``; ``bf16`` of openvino and torch; or ``int8`` of onnxruntime and openvino, where 8-bit files lie
        beside the model.
    settings
        Threads; from the environment where None.

    Raises
    ------
    RecipeError
        If there is no such backend, or it has no such precision.
    WeightsError
        If a file is missing or damaged.
    MissingExtraError
        If the backend is not installed.
    """
    if backend not in BACKENDS:
        raise RecipeError(f"there is no backend '{backend}'; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[backend](folder, card, precision, (settings or read_settings()).threads)


def is_installed(module: str) -> bool:
    """Return whether a module of an extra can be imported; nothing is."""
    return importlib.util.find_spec(module) is not None
