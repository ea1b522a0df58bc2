"""One class left out of all that was learned: how well its cells are told from the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.anomaly import alarm_threshold
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.core.errors import DataSetError
from hemascope.evaluate.estimate import Estimate
from hemascope.stats.ranking import auroc_statistic
from hemascope.stats.resample import ratio_of_sums

FALSE_ALARM_RATE = 0.04
"""Of the threshold: sensitivity is told at a specificity of 96%, as CytoDiffusion tells it."""


@dataclass(frozen=True, slots=True, eq=False)
class NovelCells:
    """Cells that are asked about, of known classes and of the one left out.

    Attributes
    ----------
    new
        N truth values: whether the cell is of the class left out.
    groups
        N labels of what is resampled together.
    known_groups
        M labels of the validation cells that set the threshold, all of known classes.
    """

    new: NDArray[np.bool_]
    groups: NDArray[np.str_]
    known_groups: NDArray[np.str_]


def score_novelty(
    scores: NDArray[np.float64],
    known_scores: NDArray[np.float64],
    cells: NovelCells,
    false_alarm_rate: float = FALSE_ALARM_RATE,
) -> dict[str, Estimate]:
    """Return how well a score tells new cells, with bootstrap intervals over groups.

    ``auroc``; and, above the threshold that the known validation cells set for the false alarm rate (conformal, each
    group counted once), ``sensitivity`` and the ``specificity`` that is reached on the cells asked about.

    Parameters
    ----------
    scores
        N numbers, higher for what seems new.
    known_scores
        M numbers of the validation cells of known classes.
    cells
        What they are of.
    false_alarm_rate
        Above 0 and below 1.

    Raises
    ------
    ValueError
        If numbers of scores and cells disagree, or there are too few validation cells for the rate.
    """
    if scores.shape != cells.new.shape or known_scores.shape != cells.known_groups.shape:
        raise ValueError(
            f"{len(cells.new)} cells and {len(cells.known_groups)} validation cells need a score each, not "
            f"{scores.shape} and {known_scores.shape}"
        )
    alarms = (scores > alarm_threshold(known_scores, false_alarm_rate, cells.known_groups)).astype(np.float64)
    new = cells.new.astype(np.float64)
    return {
        "auroc": Estimate.resampled(cells.groups, auroc_statistic(scores, cells.new)),
        "sensitivity": Estimate.resampled(cells.groups, ratio_of_sums(alarms * new, new)),
        "specificity": Estimate.resampled(cells.groups, ratio_of_sums((1 - alarms) * (1 - new), 1 - new)),
    }


def without_class(cells: LabeledEmbeddings, left_out: int) -> LabeledEmbeddings:
    """Return the cells of all classes but one, the classes numbered anew without a gap.

    Raises
    ------
    DataSetError
        If no cell is left.
    """
    kept = cells.labels != left_out
    if not kept.any():
        raise DataSetError(f"all cells are of class {left_out}; nothing is left to learn from without it")
    labels = cells.labels[kept]
    return LabeledEmbeddings(cells.values[kept], labels - (labels > left_out), cells.groups[kept])
