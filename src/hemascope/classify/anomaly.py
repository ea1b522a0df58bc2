"""Where a measure of how unusual a cell is becomes an alarm."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.stats.conformal import conformal_quantile


class AnomalyScore(Protocol):
    """How unlike everything known an embedding is."""

    def scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N numbers for N x D embeddings; the greater, the more unusual."""
        ...


def alarm_threshold(scores: ArrayLike, false_alarm_rate: float, groups: ArrayLike | None = None) -> float:
    """Return the score above which a cell is anomalous.

    It is the conformal quantile, so a cell like those of validation is called anomalous with at most the stated
    probability, for any number of cells.

    Parameters
    ----------
    scores
        N scores of ordinary validation cells, not of those the score was fitted on: these lie closer.
    false_alarm_rate
        Strictly between 0 and 1.
    groups
        N labels of what is alike; None for cells that are all their own.

    Raises
    ------
    ValueError
        If there are too few cells for the rate, which would need a threshold of infinity.
    """
    threshold = conformal_quantile(scores, false_alarm_rate, groups)
    if math.isinf(threshold):
        least = math.ceil(1 / false_alarm_rate) - 1
        raise ValueError(
            f"a false alarm rate of {false_alarm_rate:g} needs at least {least} validation cells or groups, not "
            f"{len(np.asarray(scores))} cells"
        )
    return threshold
