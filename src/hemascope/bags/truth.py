"""What is known of patients as numbers that a model can be compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask, TaskKind, truth_slices
from hemascope.core.errors import CohortError
from hemascope.core.patient import PatientFacts

MISSING = ("", "na", "n/a", "nan")
"""What a manifest writes, in lower case, where it does not know."""

_MARKERS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0, "negative": 0.0, "positive": 1.0}


class LabelTable(Protocol):
    """Leads from the label of a laboratory to a class; ``DiseaseTaxonomy`` is one."""

    @property
    def coarse_classes(self) -> tuple[str, ...]:
        """The classes, in order."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label it knows."""
        ...

    def coarse_of(self, label: str) -> str:
        """Return the class of a label; raise ``CohortError`` where it does not know the label."""
        ...


def truth_of(
    facts: Sequence[PatientFacts], tasks: Sequence[BagTask], taxonomy: LabelTable | None = None
) -> NDArray[np.float64]:
    """Return what is known of patients, for all tasks.

    Parameters
    ----------
    facts
        P patients.
    tasks
        What is asked.
    taxonomy
        Leads from labels to classes in those tasks of classes whose outputs are its coarse classes; a label may also be
        a class already.

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


def _value(fact: PatientFacts, task: BagTask, column: str, taxonomy: LabelTable | None) -> float:
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


def _class_number(fact: PatientFacts, task: BagTask, text: str, taxonomy: LabelTable | None) -> float:
    if text in task.outputs:
        return float(task.outputs.index(text))
    if taxonomy is None or set(taxonomy.coarse_classes) != set(task.outputs):
        raise CohortError(
            f"patient {fact.patient}: column '{task.name}' holds '{text}', which is no class of the task; "
            f"known are {', '.join(task.outputs)}; correct the manifest, or train with a taxonomy that has this label"
        )
    if text not in taxonomy.labels:
        raise CohortError(
            f"patient {fact.patient}: column '{task.name}' holds '{text}', which is not in the taxonomy; known are "
            f"{', '.join(taxonomy.labels)}; correct the manifest, or add a row to a copy of the taxonomy and name that"
        )
    return float(task.outputs.index(taxonomy.coarse_of(text)))


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
