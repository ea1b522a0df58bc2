"""Quantized graphs beside a model: a folder for each backend, with a card that says how they came to be."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hemascope.core.errors import WeightsError
from hemascope.zoo.card import GRAPH_FILE, ModelCard

QUANTIZED_CARD = "quantized.json"


class QuantizedCard(BaseModel):
    """The whole of `quantized.json`.

    Attributes
    ----------
    backend
        What runs the files: ``onnxruntime`` or ``openvino``.
    source_sha256
        Digest of the graph that was quantized.
    method
        How, in words.
    files
        File name to sha256.
    calibration
        The crops that ranges were taken from: data set, split, number, and a sha256 over their pixels as the network
        sees them.
    agreement
        Cosines of embeddings with those of the unquantized graph, on crops that ranges were not taken from: mean, 1st
        percentile, minimum, number of crops; and accuracy before and after where types were given.
    software
        Package to version.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["hemascope.quantized"] = "hemascope.quantized"
    schema_version: Literal[1] = 1
    backend: Literal["onnxruntime", "openvino"]
    source_sha256: str
    method: str
    files: dict[str, str]
    calibration: dict[str, str]
    agreement: dict[str, float]
    software: dict[str, str]


def quantized_folder(folder: Path, backend: str) -> Path:
    """Return where the 8-bit files of a model lie for a backend, whether or not they are there."""
    return folder / f"int8-{backend}"


def read_quantized(folder: Path, card: ModelCard, backend: str) -> QuantizedCard:
    """Return the card of a model's 8-bit files.

    Raises
    ------
    WeightsError
        If there are none, their card is malformed, or they were made from another graph than the model's.
    """
    path = quantized_folder(folder, backend) / QUANTIZED_CARD
    advice = f"make 8-bit files with hemascope.train.quantize for '{backend}', or choose another precision"
    try:
        found = QuantizedCard.model_validate_json(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); {advice}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WeightsError(f"{path}: no card of 8-bit files ({where}: {first['msg']}); {advice}") from error
    if found.source_sha256 != card.files.get(GRAPH_FILE) or found.backend != backend:
        raise WeightsError(f"{path}: made from another graph than {folder / GRAPH_FILE}; {advice}")
    return found
