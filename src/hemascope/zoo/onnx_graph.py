"""Graphs run by ONNX Runtime; the digest of the file is checked before it runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import RecipeError, WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.zoo.card import GRAPH_DATA_FILE, GRAPH_FILE, ModelCard
from hemascope.zoo.quantized import quantized_folder, read_quantized

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxGraph:
    """A network run by ONNX Runtime on the processor; a ``TensorGraph``.

    Parameters
    ----------
    folder
        The model's folder.
    card
        Its card.
    threads
        Threads an answer may use; 0 lets the runtime decide.
    precision
        ``fp32``, or ``int8`` where 8-bit files lie beside the model.

    Raises
    ------
    RecipeError
        If there is no such precision.
    WeightsError
        If the graph is missing, has another digest than the card says, or cannot be loaded.
    """

    def __init__(self, folder: Path, card: ModelCard, threads: int = 0, precision: str = "fp32") -> None:
        self._session, sha256 = _open_session(folder, card, threads, precision)
        self._input = self._session.get_inputs()[0].name
        self._identity = ModelIdentity(card.name, card.version, sha256, f"onnxruntime-cpu-{precision}", card.license)

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._identity

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return the outputs for a batch N x 3 x H x W."""
        return tuple(self._session.run(None, {self._input: batch}))


class OnnxDenoiserGraph:
    """A conditional network run by ONNX Runtime on the processor; a ``DenoiserGraph``.

    Parameters
    ----------
    folder
        The model's folder.
    card
        Its card.
    threads
        Threads an answer may use; 0 lets the runtime decide.

    Raises
    ------
    WeightsError
        If the graph is missing, has another digest than the card says, cannot be loaded, or takes other inputs.
    """

    def __init__(self, folder: Path, card: ModelCard, threads: int = 0) -> None:
        self._session, sha256 = _open_session(folder, card, threads, "fp32")
        self._names = [place.name for place in self._session.get_inputs()]
        if len(self._names) != 3:
            raise WeightsError(
                f"{folder / GRAPH_FILE}: a denoiser takes samples, times and classes, this graph takes "
                f"{', '.join(self._names)}; name the folder of a denoiser"
            )
        self._identity = ModelIdentity(card.name, card.version, sha256, "onnxruntime-cpu-fp32", card.license)

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._identity

    def run(
        self, noised: NDArray[np.float32], times: NDArray[np.float32], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return N outputs for N noised samples, N times and N x K rows of class shares."""
        answers = self._session.run(None, dict(zip(self._names, (noised, times, conditions), strict=True)))
        return np.asarray(answers[0], np.float32)


def _open_session(folder: Path, card: ModelCard, threads: int, precision: str) -> tuple[InferenceSession, str]:
    """Return the session of a graph whose digest was checked, and that digest."""
    path, sha256 = _graph_file(folder, card, precision)
    source: bytes | str = verified_bytes(path, sha256)
    if precision == "fp32" and GRAPH_DATA_FILE in card.files:  # too large for memory twice: read by its path
        verify_file(folder / GRAPH_DATA_FILE, card.files[GRAPH_DATA_FILE])
        source = str(path)
    import onnxruntime  # imported here: it takes longer than printing --help may

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"]), sha256
    except Exception as error:
        raise WeightsError(
            f"{path}: ONNX Runtime cannot load it ({error}); install hemascope again, or name another model folder"
        ) from error


def _graph_file(folder: Path, card: ModelCard, precision: str) -> tuple[Path, str]:
    """Return the file to load and its digest."""
    if precision == "fp32":
        return folder / GRAPH_FILE, card.files.get(GRAPH_FILE, "")
    if precision != "int8":
        raise RecipeError(f"ONNX Runtime has no precision '{precision}' on a processor; choose fp32 or int8")
    files = read_quantized(folder, card, "onnxruntime").files
    return quantized_folder(folder, "onnxruntime") / GRAPH_FILE, files.get(GRAPH_FILE, "")


def verified_bytes(path: Path, sha256: str) -> bytes:
    """Return a file's bytes if they have the digest expected of them.

    Raises
    ------
    WeightsError
        If the file is missing or has another digest.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); install hemascope again, or name another model folder"
        ) from error
    _compare(path, hashlib.sha256(data).hexdigest(), sha256)
    return data


def verify_file(path: Path, sha256: str) -> None:
    """Make sure that a file of any size has the digest expected of it, without holding it.

    Raises
    ------
    WeightsError
        If the file is missing or has another digest.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); install hemascope again, or name another model folder"
        ) from error
    _compare(path, found, sha256)


def _compare(path: Path, found: str, sha256: str) -> None:
    if found != sha256:
        raise WeightsError(
            f"{path}: its sha256 is {found}, its card says {sha256 or 'nothing'}; "
            "install hemascope again, or name another model folder"
        )
