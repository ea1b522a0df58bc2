"""How well the types of red cells were told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.evaluate.classification import per_class_scores, score_classification
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.red_cell_answers import TYPES, RedCellPlace, type_numbers
from hemascope.stats.resample import Statistic

LEAST_CELLS = 20
"""Fewest cells of a type for it to count in ``macro_f1_20``: below, its F1 is chance."""

MISSED = -1
"""What was told of a cell that was not found."""

CALIBRATION = ("ece", "ece_plain", "nll", "brier")

OVERALL = ""


def score_types(places: Sequence[RedCellPlace], probabilities: NDArray[np.float64]) -> dict[str, dict[str, Estimate]]:
    """Return ``score_told`` of the most likely types, and how well the probabilities are calibrated.

    Parameters
    ----------
    places
        N labeled cells.
    probabilities
        N x types.
    """
    groups, truth = [place.group for place in places], type_numbers(places)
    names = [t.value for t in TYPES]
    calibrated = score_classification(probabilities, truth, groups, names).overall
    scores = score_told(places, probabilities.argmax(axis=1))
    return scores | {OVERALL: scores[OVERALL] | {name: calibrated[name] for name in CALIBRATION}}


def score_told(places: Sequence[RedCellPlace], told: NDArray[np.integer]) -> dict[str, dict[str, Estimate]]:
    """Return ``OVERALL`` and each type's value to its figures.

    Overall: ``labeled``, ``accuracy``, ``macro_f1`` (mean F1 of the types that occur) and ``macro_f1_20`` (of those
    with at least ``LEAST_CELLS`` cells), with bootstrap intervals over groups. Of a type: ``labeled``, ``recall`` and
    ``precision`` with exact intervals, too narrow because cells of a smear are alike; ``f1`` with a bootstrap interval
    over groups; and ``told_as_...``, its row of the confusion matrix.

    Parameters
    ----------
    places
        N labeled cells.
    told
        N type numbers, or ``MISSED``.
    """
    groups, truth = [place.group for place in places], type_numbers(places)
    counts = np.bincount(truth, minlength=len(TYPES))
    right = (truth == told).astype(np.float64)
    scores = {
        OVERALL: {
            "labeled": Estimate(len(places)),
            "accuracy": Estimate.resampled(groups, lambda weights: weights @ right / weights.sum(axis=1)),
            "macro_f1": Estimate.resampled(groups, _mean_f1(truth, told, counts > 0)),
            "macro_f1_20": Estimate.resampled(groups, _mean_f1(truth, told, counts >= LEAST_CELLS)),
        }
    }
    confusion = np.zeros((len(TYPES), len(TYPES) + 1), np.int64)
    np.add.at(confusion, (truth, told), 1)  # what was missed falls into the last column
    per_type = per_class_scores(confusion, [t.value for t in TYPES])
    for number, kind in enumerate(TYPES):
        alone = np.arange(len(TYPES)) == number
        f1 = Estimate.resampled(groups, _mean_f1(truth, told, alone)) if counts[number] else Estimate(None)
        row = {f"told_as_{t.value}": Estimate(int(n)) for t, n in zip(TYPES, confusion[number], strict=False)}
        scores[kind.value] = per_type[kind.value] | {"f1": f1} | row
    return scores


def _mean_f1(truth: NDArray[np.integer], told: NDArray[np.integer], chosen: NDArray[np.bool_]) -> Statistic:
    """Return the mean F1 of the chosen types as a statistic; a type that was not drawn is left out of the mean."""
    numbers = np.flatnonzero(chosen)
    is_true, is_told = truth[:, None] == numbers, told[:, None] == numbers
    hit, true, both = is_true & is_told, is_true.astype(np.float64), is_true.astype(np.float64) + is_told

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn, below = weights @ true > 0, weights @ both
        f1 = np.divide(2 * (weights @ hit), below, out=np.zeros_like(below), where=below > 0)
        types = drawn.sum(axis=1).astype(np.float64)
        total = (f1 * drawn).sum(axis=1)
        mean: NDArray[np.float64] = np.divide(total, types, out=np.full_like(total, np.nan), where=types > 0)
        return mean

    return statistic
