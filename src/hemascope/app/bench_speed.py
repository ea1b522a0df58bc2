"""Benchmark ``speed``: seconds and memory of every stage, on the machine at hand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import FieldAnalyzer, FieldAnswer, Progress, analyze_sources
from hemascope.app.bench_record import Measures
from hemascope.evaluate.estimate import Estimate
from hemascope.sources.discover import Source
from hemascope.stats.resample import ratio_of_sums

_MIB = 2**20
_CHUNK = 20


def time_analysis(
    analyzer: FieldAnalyzer, sources: Sequence[Source], progress: Progress, title: str
) -> tuple[list[FieldAnswer], list[float]]:
    """Return one answer a field, and the memory in use after every 20 fields and after the last, in MiB.

    The first field is analyzed once more before the clock starts, so that loading does not count.
    """
    next(analyzer.results(sources))
    memory: list[float] = []

    def sample(shown: str, done: int, total: int) -> None:
        progress(shown, done, total)
        if done and (done % _CHUNK == 0 or done == total):
            memory.append(resident_mib() or float("nan"))

    answers = analyze_sources(analyzer, sources, sample, title)
    return list(answers.values()), memory


def measure_speed(data_set: str, answers: Sequence[FieldAnswer], memory: Sequence[float]) -> Measures:
    """Return the figures of one method.

    ``<data set>.<stage>.fields_per_second`` and ``.cells_per_second`` for every stage (its own seconds only) and for
    ``total`` (start to finish); ``.seconds_per_field`` is the median over fields. Intervals are from the bootstrap over
    fields. ``<data set>.memory.peak_mib`` is the most this process ever held, whatever ran before
    in it, and ``.growth_mib`` what it held more after the last fields than after the first 20 (undefined for fewer).
    """
    measures = Measures()
    done = [answer for answer in answers if not answer.failure]
    cells = np.array([len(answer.found) for answer in done], np.float64)
    stages = list(dict.fromkeys(stage for answer in done for stage in answer.stages))
    for stage in stages:
        seconds = np.array([answer.stages.get(stage, 0.0) for answer in done])
        measures.add(f"{data_set}.{stage}", _rates(seconds, cells) | {"seconds_per_field": _median(seconds)})
    total = np.array([answer.seconds for answer in done])
    measures.add(f"{data_set}.total", _rates(total, cells) | {"seconds_per_field": _median(total)})
    growth = memory[-1] - memory[0] if len(memory) > 1 and np.isfinite(memory).all() else None
    peak = peak_mib()
    measures.add(f"{data_set}.memory", {"peak_mib": Estimate(peak), "growth_mib": Estimate(growth)})
    return measures


def peak_mib() -> float | None:
    """Return the most memory this process has held in MiB, or None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024


def peak_mib_of_children() -> float | None:
    """Return the most memory that any finished child process held in MiB, or None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024


def resident_mib() -> float | None:
    """Return the memory this process holds now in MiB, or None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    import resource

    return pages * resource.getpagesize() / _MIB


def _rates(seconds: NDArray[np.float64], cells: NDArray[np.float64]) -> dict[str, Estimate]:
    groups = np.arange(len(seconds))
    ones = np.ones(len(seconds))
    return {
        "fields_per_second": Estimate.resampled(groups, ratio_of_sums(ones, seconds)),
        "cells_per_second": Estimate.resampled(groups, ratio_of_sums(cells, seconds)),
    }


def _median(seconds: NDArray[np.float64]) -> Estimate:
    order = np.argsort(seconds)
    ranked = seconds[order]

    def median(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        reached = np.cumsum(weights[:, order], axis=1)
        half = reached[:, -1:] / 2
        lower, upper = (reached >= half).argmax(axis=1), (reached > half).argmax(axis=1)
        middle: NDArray[np.float64] = (ranked[lower] + ranked[upper]) / 2
        return middle

    return Estimate.resampled(np.arange(len(seconds)), median)
