"""When a class is given up before all trials are done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class EliminationRule(Protocol):
    """Errors so far to the classes still in the race."""

    def next_look(self, done: int) -> int:
        """Return after how many observations, more than ``done``, the rule can next drop a class."""
        ...

    def survivors(self, errors: NDArray[np.float64], alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return N x K, which of the classes ``alive`` stay, given their N x K x n errors at n shared observations.

        The leader, the class of least mean error, always stays. Errors of classes not alive may be NaN.
        """
        ...


@dataclass(frozen=True, slots=True)
class NoElimination:
    """Every class gets all trials: what uncertainty and anomaly are measured by."""

    def next_look(self, done: int) -> int:
        """Return a number beyond any number of observations."""
        return np.iinfo(np.intp).max

    def survivors(self, errors: NDArray[np.float64], alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return ``alive``."""
        return alive
