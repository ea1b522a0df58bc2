"""What is known of patients as numbers that a model can be compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask, TaskKind, truth_slices
from hemascope.core.cohort import MISSING
from hemascope.core.disease_taxonomy import DiseaseRow, DiseaseTaxonomy
from hemascope.core.errors import CohortError
from hemascope.core.patient import PatientFacts

_MARKERS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0, "negative": 0.0, "positive": 1.0}


def truth_of(
    facts: Sequence[PatientFacts], tasks: Sequence[BagTask], taxonomy: DiseaseTaxonomy | None = None
) -> NDArray[np.float64]:
    """Return what is known of patients, for all tasks.

    Parameters
    ----------
    facts
        P patients.
    tasks
        What is asked.
    taxonomy
        Leads from labels to classes in those tasks of classes whose outputs are all its coarse classes, or all its fine
        ones; a label that names a coarse class alone is missing among fine ones.

    Returns
    -------
    numpy.ndarray
        P x C float64, columns as ``truth_slices`` says: the number of the class, 0 or 1 of a marker, the number itself;
        NaN where it is missing (empty or ``NA`` in the manifest).

    Raises
    ------
    CohortError
        If a label is not among the classes or in the taxonomy, a marker is neither there nor not, or a number is none.
    """
    places = truth_slices(tasks)
    width = max((place.stop for place in places.values()), default=0)
    truth = np.full((len(facts), width), np.nan)
    for task in tasks:
        for column, place in zip(task.columns, range(width)[places[task.name]], strict=True):
            truth[:, place] = [_value(fact, task, column, taxonomy) for fact in facts]
    return truth


def _value(fact: PatientFacts, task: BagTask, column: str, taxonomy: DiseaseTaxonomy | None) -> float:
    text = label_of(fact, column)
    if not text:
        return math.nan
    if task.kind is TaskKind.CLASSES:
        return _class_number(fact, task, text, taxonomy)
    if task.kind is TaskKind.MARKERS:
        return _marker(fact, column, text)
    return _number(fact, column, text)


def label_of(fact: PatientFacts, column: str) -> str:
    """Return what a column says of a patient; "" where it says nothing."""
    told = fact.labels.get(column, fact.covariates.get(column, ""))
    text = f"{told:.17g}" if isinstance(told, float) else str(told).strip()
    return "" if text.casefold() in MISSING else text


def _class_number(fact: PatientFacts, task: BagTask, text: str, taxonomy: DiseaseTaxonomy | None) -> float:
    meant: str | None = text
    if taxonomy is not None and set(task.outputs) <= set(taxonomy.coarse):
        meant = _looked_up(fact, task, text, taxonomy).coarse
    elif taxonomy is not None and set(task.outputs) <= set(taxonomy.fine):
        meant = _looked_up(fact, task, text, taxonomy).fine
    if meant is None:
        return math.nan
    if meant not in task.outputs:
        told = f"'{text}'" if meant == text else f"'{text}', which is '{meant}',"
        raise CohortError(
            f"patient {fact.patient}: column '{task.name}' holds {told} and that is no class of the task; known are "
            f"{', '.join(task.outputs)}; correct the manifest, exclude the patient, or train with a taxonomy that has "
            "this label"
        )
    return float(task.outputs.index(meant))


def _looked_up(fact: PatientFacts, task: BagTask, text: str, taxonomy: DiseaseTaxonomy) -> DiseaseRow:
    try:
        return taxonomy.row_of(text)
    except CohortError as error:
        raise CohortError(f"patient {fact.patient}: column '{task.name}': {error}") from error


def _marker(fact: PatientFacts, column: str, text: str) -> float:
    told = _MARKERS.get(text.casefold().removesuffix(".0"))
    if told is None:
        raise CohortError(
            f"patient {fact.patient}: marker '{column}' holds '{text}'; write 1, true or positive, 0, false or "
            "negative, or leave it empty where it was not tested"
        )
    return told


def _number(fact: PatientFacts, column: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise CohortError(
            f"patient {fact.patient}: column '{column}' holds '{text}', not a number; correct it, or leave it empty"
        )
    return number
