"""Numbers in units of their spread over training patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask, TaskKind, truth_slices


@dataclass(frozen=True, slots=True)
class NumberScale:
    """How numbers of training patients are spread.

    Attributes
    ----------
    columns
        Task of a number to its column of truth.
    means, spreads
        Task to mean and standard deviation; 0 and 1 where fewer than two patients have a number, or all have the same.
    """

    columns: dict[str, int]
    means: dict[str, float]
    spreads: dict[str, float]

    def standardized(self, truth: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P x C truth with its numbers standardized."""
        scaled = truth.copy()
        for name, column in self.columns.items():
            scaled[:, column] = (truth[:, column] - self.means[name]) / self.spreads[name]
        return scaled


def scale_of_numbers(tasks: Sequence[BagTask], truth: NDArray[np.float64]) -> NumberScale:
    """Return mean and standard deviation of each number over the patients whose truth is given."""
    columns = {task.name: truth_slices(tasks)[task.name].start for task in tasks if task.kind is TaskKind.NUMBER}
    means, spreads = {}, {}
    for name, column in columns.items():
        known = truth[~np.isnan(truth[:, column]), column]
        means[name] = float(known.mean()) if len(known) else 0.0
        spread = float(known.std(ddof=1)) if len(known) > 1 else 0.0
        spreads[name] = spread or 1.0
    return NumberScale(columns, means, spreads)
