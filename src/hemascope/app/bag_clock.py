"""How long a model of patients takes for one patient."""

from __future__ import annotations

import statistics
import time

import numpy as np

from hemascope.core.bag import Bag
from hemascope.core.ports import BagModel

WARM_UP = 3
"""Answers before the clock runs: the runtime chooses its ways in the first ones."""


def time_ensemble(model: BagModel, dimension: int, cells: int = 500, repeats: int = 30) -> float:
    """Return the median time of an answer in milliseconds, on the threads that the model was built with.

    Embeddings are given: neither images nor files are read. The median is not moved by a few answers in which the
    machine was busy with something else; on a machine that is busy all the time it is too long all the same.

    Parameters
    ----------
    model
        What answers.
    dimension
        D of a cell.
    cells
        Of the patient; drawn from a standard normal distribution, which costs what real ones cost.
    repeats
        Answers that are timed.
    """
    values = np.random.default_rng(0).standard_normal((cells, dimension)).astype(np.float32)
    bag = Bag("timed", tuple(map(str, range(cells))), values, model.encoder)
    for _ in range(WARM_UP):
        model.predict(bag)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        model.predict(bag)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)
