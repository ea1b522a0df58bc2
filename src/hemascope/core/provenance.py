"""What made a result, so that it can be made again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """One model as it answered.

    Attributes
    ----------
    name
        Name in the zoo, such as ``finder``.
    version
        Version of the weights.
    sha256
        Digest of the weights file, or "" for a method without weights.
    backend
        What ran it, with precision: ``onnxruntime-cpu-fp32``.
    license
        SPDX identifier of the weights.
    """

    name: str
    version: str
    sha256: str
    backend: str
    license: str


@dataclass(frozen=True, slots=True)
class TableIdentity:
    """A table of limits that answers rest on.

    Attributes
    ----------
    name, version
        As the table states them.
    sha256
        Digest of its canonical JSON.
    """

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that a result rests on but its inputs, which carry their own digests.

    Attributes
    ----------
    software
        Package or interpreter name to version; ``hemascope`` first.
    models
        The models that answered.
    recipe
        The resolved recipe, as plain JSON types.
    recipe_sha256
        Digest of that recipe's canonical JSON.
    command
        What was asked, as the user would type it.
    started
        ISO 8601 time in UTC.
    tables
        Tables of limits in force, such as the grading of red cells.
    """

    software: dict[str, str]
    models: tuple[ModelIdentity, ...]
    recipe: dict[str, object]
    recipe_sha256: str
    command: str
    started: str
    tables: tuple[TableIdentity, ...] = ()
