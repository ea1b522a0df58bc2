"""`model.json`: what a model is, what it was trained on, and the digests its files must have."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hemascope.core.errors import WeightsError

GRAPH_FILE = "model.onnx"
GRAPH_DATA_FILE = "model.onnx.data"
"""Weights of a graph that are too large for the file of the graph itself."""
TENSORS_FILE = "model.safetensors"
CARD_FILE = "model.json"


class TrainingFacts(BaseModel):
    """How the weights came to be; of published weights, how they were converted (seed 0, no recipe, no data).

    Attributes
    ----------
    command, seed
        What was run.
    recipe
        The resolved recipe.
    recipe_sha256
        Its digest.
    data
        Data set to the sha256 over the digests of the files that were read from it, and its license.
    software
        Package to version.
    """

    model_config = ConfigDict(extra="forbid")

    command: str
    seed: int
    recipe: dict[str, Any]
    recipe_sha256: str
    data: dict[str, dict[str, str]]
    software: dict[str, str]


class Origin(BaseModel):
    """Where published weights came from.

    Attributes
    ----------
    name
        Their entry in ``zoo.registry``.
    url
        Address of the file.
    file
        Its name.
    revision
        Version of the place it lies at, or "" where it has none.
    sha256
        Of the file as it came.
    verified
        Whether its digest is one that was known before.
    terms
        What their makers ask of who uses them.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    url: str
    file: str
    revision: str
    sha256: str
    verified: bool
    terms: str


class ModelCard(BaseModel):
    """The whole of `model.json`.

    Attributes
    ----------
    task
        ``find`` (fields to cells), ``classify`` (crops to types), ``embed`` (crops to embeddings),
        ``attributes`` (embeddings to what a cell looks like), ``denoise`` (noised samples of cells to their noise) or
        ``patient`` (bags of embeddings to what a patient has).
    files
        File name to sha256.
    spec
        What the answering side must know: scale, thresholds, temperature.
    validation
        Figures on validation splits at the end of training.
    attribution
        What the licenses of the training data ask to be said.
    origin
        Of weights that others published; None for our own.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["hemascope.model"] = "hemascope.model"
    schema_version: Literal[1] = 1
    task: Literal["find", "classify", "embed", "attributes", "denoise", "patient"]
    name: str
    version: str
    license: str
    attribution: list[str]
    files: dict[str, str]
    spec: dict[str, Any]
    validation: dict[str, float]
    training: TrainingFacts
    origin: Origin | None = None


def read_card(folder: Path) -> ModelCard:
    """Return the card in a model folder.

    Raises
    ------
    WeightsError
        If it is missing or not a card.
    """
    path = folder / CARD_FILE
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); install hemascope again, or name another model folder"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WeightsError(
            f"{path}: not a model card ({where}: {first['msg']}); install hemascope again, or name another model folder"
        ) from error
