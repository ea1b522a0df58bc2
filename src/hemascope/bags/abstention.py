"""When an ensemble has no answer: too few cells, too little confidence, or members that differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemascope.bags.model_spec import CellsSeen, TaskSpec
from hemascope.core.bag_task import TaskKind


def confidence(kind: TaskKind, probabilities: NDArray[np.float64]) -> float:
    """Return how sure an answer is.

    Parameters
    ----------
    kind
        Of the task.
    probabilities
        K.

    Returns
    -------
    Of classes the greatest probability. Of markers that of the least sure one, the greater of p and 1 - p. Of a number,
    for which there is none, 1.
    """
    if kind is TaskKind.CLASSES:
        return float(probabilities.max())
    if kind is TaskKind.MARKERS:
        return float(np.maximum(probabilities, 1 - probabilities).min())
    return 1.0


def disagreement(members: NDArray[np.float64]) -> float:
    """Return how far members differ: the standard deviation over them of the output in which it is greatest.

    Parameters
    ----------
    members
        M x K probabilities, or M numbers in their unit.
    """
    return float(members.std(axis=0).max())


def reason_to_abstain(
    task: TaskSpec, cells: int, seen: CellsSeen, probabilities: NDArray[np.float64], members: NDArray[np.float64]
) -> str:
    """Return why a task has no answer, in words; "" where it has one.

    Parameters
    ----------
    task
        Its limits.
    cells
        Of the bag.
    seen
        Cells of the patients in training.
    probabilities
        K, the mean over the members; empty for a number.
    members
        As in ``disagreement``.
    """
    if cells < seen.first_percentile:
        usual = f"{seen.first_percentile:g} or more"
        return f"{cells} cells are too few: 99 of 100 patients in training had {usual}"
    sure = confidence(task.kind, probabilities)
    if task.least_confidence is not None and sure < task.least_confidence:
        return f"the confidence is {sure:.2f}, below {task.least_confidence:.2f}"
    apart = disagreement(members)
    if task.greatest_disagreement is not None and apart > task.greatest_disagreement:
        unit = f" {task.unit}" if task.unit else ""
        return f"members differ by {apart:.2g}{unit}, more than {task.greatest_disagreement:.2g}{unit}"
    return ""
