"""What must hold before a model of patients is trained or asked: each fault an error that says what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind, truth_slices
from hemascope.core.cohort import Cohort
from hemascope.core.errors import CohortError

_NAMED = 5
"""Patients that a message names before it counts the rest."""


def check_trainable(cohort: Cohort, tasks: Sequence[BagTask], truth: NDArray[np.float64], folds: int) -> None:
    """Raise ``CohortError`` for the first thing that keeps a cohort from training: embeddings, then truth.

    Parameters
    ----------
    cohort
        P patients.
    tasks
        What is asked.
    truth
        P x C, as ``bags.truth.truth_of`` gives it.
    folds
        Parts of the cross-validation, at least 1.
    """
    check_finite(cohort.bags)
    check_truth(cohort.name, cohort.patients, tasks, truth, folds)


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
        Of the cohort.
    patients, tasks, truth, folds
        As for ``check_trainable``.
    """
    places = truth_slices(tasks)
    for task in tasks:
        for column, values in zip(task.columns, truth[:, places[task.name]].T, strict=True):
            known = np.isfinite(values)
            if not known.any():
                raise CohortError(
                    f"cohort {name}: '{column}' is missing for each of the {len(patients)} patients; fill in that "
                    "column of the manifest, or leave it out of the recipe"
                )
            for value, told in _sides(task, column):
                _check_count(name, told, [p for p, v in zip(patients, values, strict=True) if v == value], folds)


def check_encoder(bags: BagSet, encoder: str, model: str) -> None:
    """Raise ``CohortError`` unless the cells were made by the encoder that a model was trained on.

    Parameters
    ----------
    bags
        Whose ``encoder`` is compared.
    encoder
        Digest or name, as the card of the model tells; "" where it tells none, which only unnamed cells match.
    model
        What to call the model in the message.
    """
    if bags.encoder != encoder:
        raise CohortError(
            f"{model} was trained on cells by {encoder or 'an unnamed encoder'}, these patients are embedded by "
            f"{bags.encoder or 'an unnamed encoder'}; embed them with the encoder of the model"
        )


def check_disjoint(parts: Mapping[str, Sequence[str]]) -> None:
    """Raise ``CohortError`` where a patient is in two parts of a split, or twice in one.

    Parameters
    ----------
    parts
        Name of a split or fold to its patients.
    """
    homes: dict[str, str] = {}
    for part, patients in parts.items():
        twice = [patient for patient, count in Counter(patients).items() if count > 1]
        if twice:
            raise CohortError(f"patient {twice[0]} is twice in '{part}'; a patient counts once: remove one")
        for patient in patients:
            if patient in homes:
                raise CohortError(
                    f"patient {patient} is in '{homes[patient]}' and in '{part}'; split by patient, and give people at "
                    "different sites ids that differ"
                )
            homes[patient] = part


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
    raise CohortError(
        f"cohort {name}: {told} has {len(patients)} patients{f' ({named})' if patients else ''}, fewer than the "
        f"number of folds, {folds}; take fewer folds, join classes, or leave it out of the recipe"
    )
