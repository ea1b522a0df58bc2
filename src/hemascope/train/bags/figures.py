"""The figure by which a network of patients is chosen: the area under the curve, averaged over what is asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask, TaskKind, output_slices, truth_slices
from hemascope.stats.ranking import auroc


def figures_of(tasks: Sequence[BagTask], logits: NDArray[np.float32], truth: NDArray[np.floating]) -> dict[str, float]:
    """Return ``auc`` of validation patients; empty where no area is defined.

    Parameters
    ----------
    tasks
        What is asked.
    logits
        P x O, laid out as ``output_slices`` says.
    truth
        P x C, as ``truth_slices`` says, NaN where missing.

    Returns
    -------
    dict
        ``auc``, the mean over tasks: of markers the mean over those that some have and some have not; of classes the
        mean over the classes somebody has, each against the rest, by its probability.
    """
    outputs, columns = output_slices(tasks), truth_slices(tasks)
    areas = [
        _area(task, logits[:, outputs[task.name]], truth[:, columns[task.name]])
        for task in tasks
        if task.kind is not TaskKind.NUMBER
    ]
    defined = [area for area in areas if not np.isnan(area)]
    return {"auc": round(float(np.mean(defined)), 6)} if defined else {}


def _area(task: BagTask, logits: NDArray[np.float32], truth: NDArray[np.floating]) -> float:
    if task.kind is TaskKind.CLASSES:
        known = ~np.isnan(truth[:, 0])
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = shifted / shifted.sum(axis=1, keepdims=True)
        pairs = [(scores[known, number], truth[known, 0] == number) for number in range(len(task.outputs))]
    else:
        pairs = [
            (logits[~np.isnan(column), number], column[~np.isnan(column)] == 1) for number, column in enumerate(truth.T)
        ]
    areas = [auroc(scores, positive) for scores, positive in pairs if len(positive)]
    defined = [area for area in areas if not np.isnan(area)]
    return float(np.mean(defined)) if defined else float("nan")
