"""Speeds of networks on a noisy machine: each in turn, round after round, so that a slow spell hits all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.core.ports import TensorGraph
from hemascope.evaluate.estimate import Estimate
from hemascope.stats.resample import Statistic

BATCHES = (4, 8, 16, 32)
ROUNDS = 7
MIN_SECONDS = 0.3
"""Least time on the clock in a round: shorter runs are repeated within it."""

_PAUSE = 0.1
"""Seconds between two networks: threads of the one before stop waiting for work."""

_GIVE_UP = 0.85
"""Larger batches are not tried once one is this much slower than the best so far."""


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """What the clock is held against.

    Attributes
    ----------
    graph
        The network.
    inputs
        A batch, the fastest of ``BATCHES``.
    repeats
        Batches a round.
    """

    graph: TensorGraph
    inputs: NDArray[np.float32]
    repeats: int

    @property
    def batch(self) -> int:
        """Crops in a batch."""
        return len(self.inputs)

    def rate(self) -> float:
        """Return crops a second, now."""
        started = time.perf_counter()
        for _ in range(self.repeats):
            self.graph.run(self.inputs)
        return self.batch * self.repeats / (time.perf_counter() - started)


def best_batch(graph: TensorGraph, inputs: NDArray[np.float32]) -> Timed:
    """Return the network with the batch at which it is fastest, each size tried twice after a first run."""
    best, fastest = Timed(graph, inputs[:1], 1), 0.0
    for size in BATCHES:
        trial = Timed(graph, np.ascontiguousarray(np.resize(inputs, (size, *inputs.shape[1:]))), 1)
        graph.run(trial.inputs)
        rate = max(trial.rate(), trial.rate())
        if rate > fastest:
            best, fastest = trial, rate
        elif rate < _GIVE_UP * fastest:
            break
    return Timed(graph, best.inputs, max(1, math.ceil(MIN_SECONDS * fastest / best.batch)))


def interleave(networks: Sequence[Timed], progress: Progress, rounds: int = ROUNDS) -> list[NDArray[np.float64]]:
    """Return crops a second of every network in every round; each round begins with another one."""
    rates = [np.zeros(rounds) for _ in networks]
    for number in range(rounds):
        progress("timing", number, rounds)
        for step in range(len(networks)):
            place = (step + number) % len(networks)
            time.sleep(_PAUSE)
            rates[place][number] = networks[place].rate()
    return rates


def median_rate(rates: NDArray[np.float64]) -> Estimate:
    """Return the median over rounds."""
    return Estimate.resampled(np.arange(len(rates)), _median(rates))


def median_ratio(rates: NDArray[np.float64], reference: NDArray[np.float64]) -> Estimate:
    """Return the median over rounds of the ratio to a reference of the same round."""
    return median_rate(rates / reference)


def _median(values: NDArray[np.float64]) -> Statistic:
    order = np.argsort(values)
    ranked = values[order]

    def median(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        reached = np.cumsum(weights[:, order], axis=1)
        half = reached[:, -1:] / 2
        lower, upper = (reached >= half).argmax(axis=1), (reached > half).argmax(axis=1)
        middle: NDArray[np.float64] = (ranked[lower] + ranked[upper]) / 2
        return middle

    return median
