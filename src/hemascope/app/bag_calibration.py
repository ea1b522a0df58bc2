"""Temperatures and thresholds of a model of patients, chosen on out-of-fold answers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.bags.abstention import confidence
from hemascope.bags.calibration import fit_task_temperature, member_probabilities
from hemascope.bags.hierarchy import hierarchy_of
from hemascope.bags.recommendation import ThresholdRule, choose_threshold
from hemascope.bags.taxonomy import malignancy
from hemascope.core.bag_task import BagTask, TaskKind, output_slices, truth_slices
from hemascope.core.disease_taxonomy import DiseaseTaxonomy
from hemascope.evaluate.patients.thresholds import youden_threshold

UNSURE_SHARE = 0.05
"""Of out-of-fold patients, so many were answered with too little confidence to be told."""

Outputs = NDArray[np.float64]
Truth = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BagCalibration:
    """How outputs become answers.

    Attributes
    ----------
    temperatures
        Task of classes or markers to the temperature of its logits.
    thresholds
        Task of markers to marker to the probability from which on the answer is yes (Youden); None where there were
        only patients of one kind to choose on.
    least_confidence
        Task of classes or markers to the confidence below which there is no answer: that of the least sure
        ``UNSURE_SHARE`` of the patients. See ``hemascope.bags.abstention.confidence``.
    malignancy
        Probability of malignancy from which on a marrow is recommended; None without a taxonomy.
    malignancy_rule
        What it was chosen for; "" without.
    """

    temperatures: Mapping[str, float]
    thresholds: Mapping[str, Mapping[str, float | None]]
    least_confidence: Mapping[str, float]
    malignancy: float | None = None
    malignancy_rule: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it in plain types."""
        return asdict(self)


def fit_calibration(
    tasks: Sequence[BagTask], outputs: Outputs, truth: Truth, taxonomy: DiseaseTaxonomy | None
) -> BagCalibration:
    """Choose temperatures, and then thresholds on the probabilities they give.

    Parameters
    ----------
    tasks
        What was asked.
    outputs
        S x P x O of patients whom the members were not trained on.
    truth
        P x C, NaN where missing.
    taxonomy
        Says what is malignant and what is acute.
    """
    places, columns = output_slices(tasks), truth_slices(tasks)
    temperatures = {
        task.name: fit_task_temperature(task, outputs[..., places[task.name]], truth[:, columns[task.name]])
        for task in tasks
        if task.kind is not TaskKind.NUMBER
    }
    told = probabilities_of(tasks, outputs, temperatures, taxonomy)
    thresholds = {
        task.name: _marker_thresholds(task, told[task.name], truth[:, columns[task.name]])
        for task in tasks
        if task.kind is TaskKind.MARKERS
    }
    least = {task.name: _least_confidence(task, told[task.name]) for task in tasks if task.name in told}
    for task in tasks:
        if taxonomy is not None and task.kind is TaskKind.CLASSES and task.outputs == taxonomy.coarse:
            value, rule = _malignancy_threshold(told[task.name], truth[:, columns[task.name]][:, 0], taxonomy)
            return BagCalibration(temperatures, thresholds, least, value, rule)
    return BagCalibration(temperatures, thresholds, least)


def probabilities_of(
    tasks: Sequence[BagTask],
    outputs: Outputs,
    temperatures: Mapping[str, float],
    taxonomy: DiseaseTaxonomy | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return task of classes or markers to P x K probabilities, the mean over members, for S x P x O outputs.

    Where a table ties a task of fine classes to one of coarse classes, they agree in every member, and so in the mean.
    """
    places = output_slices(tasks)
    members = {
        task.name: member_probabilities(task, outputs[..., places[task.name]], temperatures[task.name])
        for task in tasks
        if task.kind is not TaskKind.NUMBER
    }
    hierarchy = hierarchy_of(tasks, taxonomy.parents) if taxonomy else None
    if hierarchy is not None:
        members = hierarchy.agreed(members)
    return {name: told.mean(axis=0) for name, told in members.items()}


def numbers_of(tasks: Sequence[BagTask], outputs: Outputs) -> dict[str, NDArray[np.float64]]:
    """Return task of a number to P numbers in their unit, the mean over members, for S x P x O outputs."""
    places = output_slices(tasks)
    return {
        task.name: outputs[..., places[task.name].start].mean(axis=0) for task in tasks if task.kind is TaskKind.NUMBER
    }


def cross_fitted(
    tasks: Sequence[BagTask],
    outputs: Outputs,
    truth: Truth,
    folds: NDArray[np.intp],
    taxonomy: DiseaseTaxonomy | None,
) -> tuple[dict[str, NDArray[np.float64]], dict[int, BagCalibration]]:
    """Return out-of-fold probabilities whose temperatures were fitted on the other folds, and what each fold was given.

    So no patient's own truth takes part in the calibration that the patient is judged by. With one fold there are no
    others: its probabilities are calibrated on themselves, and are not to be judged.

    Parameters
    ----------
    tasks, outputs, truth, taxonomy
        As in ``fit_calibration``.
    folds
        P numbers of folds.
    """
    told = {task.name: np.empty((len(folds), len(task.outputs))) for task in tasks if task.kind is not TaskKind.NUMBER}
    given: dict[int, BagCalibration] = {}
    for fold in np.unique(folds):
        mine = folds == fold
        others = mine if mine.all() else ~mine
        given[int(fold)] = fit_calibration(tasks, outputs[:, others], truth[others], taxonomy)
        for name, part in probabilities_of(tasks, outputs[:, mine], given[int(fold)].temperatures, taxonomy).items():
            told[name][mine] = part
    return told, given


def _marker_thresholds(task: BagTask, told: NDArray[np.float64], truth: Truth) -> dict[str, float | None]:
    known = ~np.isnan(truth)
    return {
        output: youden_threshold(told[known[:, place], place], truth[known[:, place], place] == 1)
        for place, output in enumerate(task.outputs)
    }


def _least_confidence(task: BagTask, told: NDArray[np.float64]) -> float:
    return float(np.quantile([confidence(task.kind, row) for row in told], UNSURE_SHARE))


def _malignancy_threshold(
    told: NDArray[np.float64], truth: NDArray[np.float64], taxonomy: DiseaseTaxonomy
) -> tuple[float | None, str]:
    """Return the highest threshold that misses no acute leukemia; Youden's where there is none to miss."""
    known = ~np.isnan(truth)
    labels = truth[known].astype(np.intp)
    is_malignant, is_acute = (
        np.isin(labels, [taxonomy.coarse.index(name) for name in names])
        for names in (taxonomy.malignant, taxonomy.acute)
    )
    if not is_malignant.any() or is_malignant.all():
        return None, ""
    rule = ThresholdRule.ALL_ACUTE if is_acute.any() else ThresholdRule.YOUDEN
    probability = np.clip(malignancy(told[known], taxonomy), 0, 1)
    return choose_threshold(probability, is_malignant, is_acute, rule).threshold, rule.value
