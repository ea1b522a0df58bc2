"""Graphs run by OpenVINO (extra ``openvino``); the digests of the files are checked before they run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import MissingExtraError, RecipeError, WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.zoo.card import GRAPH_FILE, ModelCard
from hemascope.zoo.onnx_graph import verified_bytes
from hemascope.zoo.quantized import quantized_folder, read_quantized

if TYPE_CHECKING:
    import openvino

QUANTIZED_GRAPH, QUANTIZED_TENSORS = "model.xml", "model.bin"

_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoGraph:
    """A network run by OpenVINO on the processor; a ``TensorGraph``.

    Parameters
    ----------
    folder
        The model's folder.
    card
        Its card.
    precision
        ``fp32``; ``bf16``, where the processor computes with it; or ``int8``, where 8-bit files lie beside the model.
        What is not quantized is then in bf16 where the processor has it, and the identity says which.
    threads
        Threads an answer may use; 0 lets the runtime decide.
    whole
        Whether an input must not be divided: the cells of a bag know of each other, crops do not. All threads then
        work on one answer.

    Raises
    ------
    MissingExtraError
        If OpenVINO is not installed.
    RecipeError
        If there is no such precision, or the processor does not compute with it.
    WeightsError
        If a file is missing, has another digest than its card says, or cannot be loaded.
    """

    def __init__(
        self, folder: Path, card: ModelCard, precision: str = "fp32", threads: int = 0, *, whole: bool = False
    ) -> None:
        if precision not in (*_HINTS, "int8"):
            raise RecipeError(f"OpenVINO has no precision '{precision}'; choose one of {', '.join((*_HINTS, 'int8'))}")
        core = _openvino().Core()
        native = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and not native:
            raise RecipeError("this processor does not compute in bf16; choose the precision fp32 or int8")
        rest = precision if precision in _HINTS else ("bf16" if native else "fp32")
        try:
            model, sha256 = _read(core, folder, card, quantized=precision == "int8")
            compiled = core.compile_model(model, "CPU", _options(_HINTS[rest], threads, whole))
        except RuntimeError as error:
            raise WeightsError(
                f"{folder}: OpenVINO cannot load it ({error}); choose another backend, or name another model folder"
            ) from error
        count = 1 if whole else int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._requests = [compiled.create_infer_request() for _ in range(max(count, 1))]
        shown = precision if precision == rest else f"{rest}-{precision}"
        self._identity = ModelIdentity(card.name, card.version, sha256, f"openvino-cpu-{shown}", card.license)

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._identity

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return the outputs for a batch N x 3 x H x W; its parts are computed side by side, a thread each.

        Where it is ``whole``, for one bag N x D.
        """
        parts = np.array_split(batch, min(len(self._requests), max(len(batch), 1)))
        busy = self._requests[: len(parts)]
        for request, part in zip(busy, parts, strict=True):
            request.start_async({0: part})
        for request in busy:
            request.wait()
        columns = zip(*([tensor.data for tensor in request.output_tensors] for request in busy), strict=True)
        return tuple(np.concatenate(column).astype(np.float32, copy=False) for column in columns)


def _options(hint: str, threads: int, whole: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint}
    options["PERFORMANCE_HINT"] = "LATENCY" if whole else "THROUGHPUT"
    if threads:
        options |= {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1 if whole else threads}
    return options


def _openvino() -> Any:  # its modules are not typed
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError("the backend 'openvino'", "openvino") from error
    return openvino


def _read(core: openvino.Core, folder: Path, card: ModelCard, *, quantized: bool) -> tuple[openvino.Model, str]:
    """Return the graph and the digest of its weights."""
    if not quantized:
        sha256 = card.files.get(GRAPH_FILE, "")
        return core.read_model(verified_bytes(folder / GRAPH_FILE, sha256)), sha256
    files, place = read_quantized(folder, card, "openvino").files, quantized_folder(folder, "openvino")
    graph, tensors = (verified_bytes(place / n, files.get(n, "")) for n in (QUANTIZED_GRAPH, QUANTIZED_TENSORS))
    return core.read_model(graph, tensors), files[QUANTIZED_TENSORS]
