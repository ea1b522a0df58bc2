"""What must hold before a model of patients is trained or asked: each fault an error that says what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind, truth_slices
from hemascope.core.embedding import short_digest
from hemascope.core.errors import CohortError

_NAMED = 5
"""Patients that a message names before it counts the rest."""


def check_finite(bags: BagSet) -> None:
    """Raise ``CohortError`` where an embedding is NaN or infinite, naming patient and cell."""
    for place, patient in enumerate(bags.patients):
        bad = np.asarray(~np.isfinite(bags.cells(place)).all(axis=1))
        if bad.any():
            raise CohortError(
                f"patient {patient}: {bad.sum()} of {len(bad)} cells hold NaN or infinity, the first of them number "
                f"{bad.argmax() + 1}; embed them again"
            )


def check_truth(
    name: str, patients: Sequence[str], tasks: Sequence[BagTask], truth: NDArray[np.float64], folds: int
) -> None:
    """Raise ``CohortError`` where a task cannot be learned and judged in every fold.

    A class, and either side of a marker, needs as many patients as there are folds; a marker or a number must be known
    of somebody.

    Parameters
    ----------
    name
        Manifest of the cohort, for messages.
    patients
        P patients who are learned from.
    tasks
        What is asked.
    truth
        P x C, as ``bags.truth.truth_of`` gives it.
    folds
        Parts of the cross-validation, at least 1.
    """
    places = truth_slices(tasks)
    for task in tasks:
        for column, values in zip(task.columns, truth[:, places[task.name]].T, strict=True):
            known = np.isfinite(values)
            if not known.any():
                raise CohortError(
                    f"{name}: '{column}' is missing for each of the {len(patients)} patients who are learned from; "
                    "fill in that column, or leave it out of the recipe"
                )
            for value, told in _sides(task, column):
                _check_count(name, told, [p for p, v in zip(patients, values, strict=True) if v == value], folds)


def check_encoder(name: str, bags: BagSet, encoder: str, model: str) -> None:
    """Raise ``CohortError`` unless the cells were made by the encoder that a model was trained on.

    Parameters
    ----------
    name
        Manifest or file of the cells, for messages.
    bags
        Whose ``encoder`` is compared.
    encoder
        Digest or name, as the card of the model tells; "" where it tells none, which only unnamed cells match.
    model
        What to call the model in the message.
    """
    if bags.encoder != encoder:
        raise CohortError(
            f"{name}: the {len(bags)} patients are embedded by {_made_by(bags.encoder)}, and {model} was trained on "
            f"cells by {_made_by(encoder)}; embed them with the encoder of the model"
        )


def _made_by(encoder: str) -> str:
    return short_digest(encoder) or "an unnamed encoder"


def _sides(task: BagTask, column: str) -> list[tuple[float, str]]:
    """Return the values that must be seen, with what to call them."""
    if task.kind is TaskKind.CLASSES:
        return [(float(number), f"class '{output}' of '{task.name}'") for number, output in enumerate(task.outputs)]
    if task.kind is TaskKind.MARKERS:
        return [(1.0, f"marker '{column}' positive"), (0.0, f"marker '{column}' negative")]
    return []


def _check_count(name: str, told: str, patients: Sequence[str], folds: int) -> None:
    if len(patients) >= folds:
        return
    named = ", ".join(patients[:_NAMED]) + (" and others" if len(patients) > _NAMED else "")
    if not patients:
        raise CohortError(f"{name}: {told} has no patients; add some, or leave it out of the recipe")
    raise CohortError(
        f"{name}: {told} has {len(patients)} patients ({named}), fewer than the "
        f"number of folds, {folds}; take fewer folds, join classes, or leave it out of the recipe"
    )
