"""What was told of labeled red cells: kept by a training run, read by the benchmark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import DataSetError
from hemascope.core.taxonomy import RedCellType
from hemascope.data.records import FieldRecord

ANSWERS_FILE = "answers.json"
"""Name of the file in a run folder."""

KIND = "hemascope.red_cell_answers"

TYPES: tuple[RedCellType, ...] = tuple(RedCellType)


@dataclass(frozen=True, slots=True)
class RedCellPlace:
    """A labeled red cell of known type.

    Attributes
    ----------
    field, group
        Name of its field, and what must not be spread over splits.
    x, y
        Its point, in pixels of the field.
    type
        Its morphology.
    """

    field: str
    group: str
    x: float
    y: float
    type: RedCellType


def typed_places(record: FieldRecord) -> tuple[RedCellPlace, ...]:
    """Return the points of a field that have a type."""
    return tuple(
        RedCellPlace(record.name, record.group, point.x, point.y, point.red_cell_type)
        for point in record.points
        if point.red_cell_type is not None
    )


def type_numbers(places: Sequence[RedCellPlace]) -> NDArray[np.int64]:
    """Return the place of each type in ``RedCellType``."""
    return np.array([TYPES.index(place.type) for place in places], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class RedCellAnswers:
    """What one model told of the red cells of the fields it never saw.

    Attributes
    ----------
    recipe_sha256
        Digest of the recipe it was trained by.
    fold
        The fold left out, such as ``2/5``.
    places
        N labeled cells.
    probabilities
        N x types float64, every row sums to 1.
    """

    recipe_sha256: str
    fold: str
    places: tuple[RedCellPlace, ...]
    probabilities: NDArray[np.float64]

    def text(self) -> str:
        """Return the JSON document of it."""
        cells = [
            {"field": p.field, "group": p.group, "x": p.x, "y": p.y, "type": p.type.value, "told": _rounded(row)}
            for p, row in zip(self.places, self.probabilities, strict=True)
        ]
        head = {"kind": KIND, "recipe_sha256": self.recipe_sha256, "fold": self.fold, "types": [t.value for t in TYPES]}
        return json.dumps(head | {"cells": cells}, indent=None, separators=(",", ":")) + "\n"


def read_answers(path: Path) -> RedCellAnswers:
    """Return what ``RedCellAnswers.text`` wrote.

    Raises
    ------
    DataSetError
        If the file is missing or is no such document.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataSetError(f"{path}: cannot be read ({error}); run hemascope train red-cells with --fold") from error
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError) as error:
        raise DataSetError(
            f"{path}: no answers of red cells ({error!r}); remove its run folder and train the fold again"
        ) from error


def _parse(document: dict[str, Any]) -> RedCellAnswers:
    if document["kind"] != KIND or document["types"] != [t.value for t in TYPES]:
        raise ValueError("another kind of document, or other types")
    cells = document["cells"]
    places = tuple(
        RedCellPlace(str(c["field"]), str(c["group"]), float(c["x"]), float(c["y"]), RedCellType(c["type"]))
        for c in cells
    )
    told = np.array([c["told"] for c in cells], np.float64).reshape(-1, len(TYPES))
    if not len(told) or len(told) != len(places) or not np.allclose(told.sum(axis=1), 1, atol=1e-3):
        raise ValueError("a row of probabilities does not sum to 1")
    return RedCellAnswers(
        str(document["recipe_sha256"]), str(document["fold"]), places, told / told.sum(axis=1, keepdims=True)
    )


def _rounded(row: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") for value in row]
