"""A task of fine classes and one of coarse classes that agree: every coarse class is the sum of its fine ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask, TaskKind


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """Two tasks of one model, one a refinement of the other.

    Attributes
    ----------
    coarse, fine
        Names of the tasks.
    belongs
        F x K: 1 where an output of the fine task belongs to one of the coarse task.
    """

    coarse: str
    fine: str
    belongs: NDArray[np.float64]

    def agreed(self, told: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        """Return probabilities by task, those of the fine one made to agree; see ``fine_within``."""
        fine = fine_within(told[self.coarse], told[self.fine], self.belongs)
        return {**told, self.fine: fine}


def hierarchy_of(tasks: Sequence[BagTask], parents: Mapping[str, str]) -> Hierarchy | None:
    """Return the two tasks of a model that a table of diseases ties together.

    Parameters
    ----------
    tasks
        What the model answers.
    parents
        Fine class to coarse class.

    Returns
    -------
    None where the model has not a task of the coarse classes and one of fine classes, some of every coarse class.
    """
    classes = [task for task in tasks if task.kind is TaskKind.CLASSES]
    for coarse in classes:
        for fine in classes:
            known = fine is not coarse and set(fine.outputs) <= set(parents)
            if known and {parents[name] for name in fine.outputs} == set(coarse.outputs):
                belongs = [[float(parents[name] == above) for above in coarse.outputs] for name in fine.outputs]
                return Hierarchy(coarse.name, fine.name, np.array(belongs))
    return None


def fine_within(
    coarse: NDArray[np.float64], fine: NDArray[np.float64], belongs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return fine probabilities that agree with the coarse ones: P(fine) = P(coarse) P(fine | coarse).

    Parameters
    ----------
    coarse, fine
        ... x K and ... x F probabilities.
    belongs
        F x K: 1 where a fine class belongs to a coarse one, once in every row.

    Returns
    -------
    ... x F. Where nothing was given to any fine class of a coarse one, they share its probability evenly.
    """
    total = (fine @ belongs) @ belongs.T
    even = (belongs / belongs.sum(axis=0)).sum(axis=1)
    share = np.divide(fine, total, out=np.broadcast_to(even, fine.shape).copy(), where=total > 0)
    return np.asarray((coarse @ belongs.T) * share)
