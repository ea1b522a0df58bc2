"""Torch modules to ONNX graphs: weights stored in half precision, computed in single, and proven equal."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from hemascope.core.errors import WeightsError

MIN_HALF_SIZE = 256
"""Tensors with fewer values stay in single precision: they cost nothing and hold biases and scales."""


def export_graph(
    module: nn.Module,
    example: Tensor | tuple[Tensor, ...],
    path: Path,
    names: tuple[str, ...],
    dynamic: dict[int, object],
    tolerance: float,
) -> float:
    """Write a module as an ONNX graph and return the greatest difference found between the two.

    Parameters
    ----------
    module
        In evaluation mode, weights rounded by ``round_weights`` so that both sides hold the same numbers.
    example
        An input N x 3 x H x W, or several inputs, each with N first.
    names
        Of the outputs.
    dynamic
        Axis to ``torch.export.Dim`` expression, for those that may vary in every input.
    tolerance
        Greatest relative difference allowed, of the outputs' largest magnitude.

    Raises
    ------
    WeightsError
        If graph and module disagree by more.
    """
    inputs = (example,) if isinstance(example, Tensor) else example
    shapes = tuple(dynamic for _ in inputs)
    with quiet_exporter():
        program = torch.onnx.export(
            module, inputs, None, output_names=list(names), dynamo=True, dynamic_shapes=shapes, verbose=False
        )
    model = _halve(strip_traces(program.model_proto))  # type: ignore[union-attr]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    difference = _difference(module, inputs, path)
    if difference > tolerance:
        raise WeightsError(f"{path}: the graph differs from the network by {difference:.2g}, more than {tolerance:g}")
    return difference


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep what torch's exporter says about itself off the terminal: absent torchvision, its own old calls."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(before)


def round_weights(module: nn.Module) -> nn.Module:
    """Round the large tensors of a module to half precision, in place, and return it."""
    for tensor in module.state_dict().values():
        if tensor.is_floating_point() and tensor.numel() >= MIN_HALF_SIZE:
            tensor.copy_(tensor.half().float())
    return module


def strip_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what the exporter notes beside the graph, and return it: stack traces with paths of the machine."""
    graph = model.graph
    for holder in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        holder.ClearField("metadata_props")
        holder.ClearField("doc_string")
    return model


def _halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large weights in half precision and cast them when the graph is loaded."""
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < MIN_HALF_SIZE:
            continue
        stored = f"{tensor.name}.half"
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    for info in [v for v in graph.value_info if any(v.name == c.output[0] for c in casts)]:
        graph.value_info.remove(info)
    return model


def _difference(module: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    named = zip(session.get_inputs(), inputs, strict=True)
    answers = session.run(None, {place.name: values.numpy() for place, values in named})
    with torch.no_grad():
        told = module(*inputs)
    truth = [t.numpy() for t in ((told,) if isinstance(told, Tensor) else told)]
    return max(float(np.abs(a - t).max() / max(np.abs(t).max(), 1e-6)) for a, t in zip(answers, truth, strict=True))
