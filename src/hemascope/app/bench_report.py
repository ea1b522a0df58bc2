"""Benchmark ``report``: the whole of `hemascope analyze`, artefacts and all, over many fields."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_speed import peak_mib, resident_mib
from hemascope.core.report import FailedInput, FieldResult, SmearReport
from hemascope.evaluate.estimate import Estimate
from hemascope.sources.discover import Source

WholeRun = Callable[[Sequence[Source], Path, Callable[[FieldResult | FailedInput], None]], SmearReport]
"""Analyzes images into a folder, as `hemascope analyze` does, and tells of every field."""

SETTLED = 200
"""Fields after which every part is loaded and every buffer has been filled once; growth counts from there."""

_MIB = 2**20


def measure_whole_run(run: WholeRun, name: str, sources: Sequence[Source], progress: Progress) -> Measures:
    """Return the figures of one run.

    ``<name>.report.fields``, ``.failed``, ``.cells``; ``.seconds_per_field``, from the first to the last file written,
    over the number of fields; ``.html_mib``, the size of report.html; ``<name>.memory.settled_mib`` and ``.end_mib``,
    what the process held after 200 fields and after the last, ``.growth_mib``, their difference (undefined for 200
    fields or fewer), and ``.peak_mib``, the most it ever held, while the artefacts are written included.
    """
    held: list[float | None] = []

    def take(result: FieldResult | FailedInput) -> None:
        held.append(resident_mib())
        progress(f"{name}: analyzing", len(held), len(sources))

    with tempfile.TemporaryDirectory(prefix="hemascope-bench-") as made:
        out = Path(made) / "out"
        started = time.perf_counter()
        report = run(sources, out, take)
        seconds = time.perf_counter() - started
        size = (out / "report.html").stat().st_size / _MIB
    settled = held[SETTLED - 1] if len(held) > SETTLED else None
    end = held[-1]
    growth = end - settled if end is not None and settled is not None else None
    measures = Measures()
    measures.add(
        f"{name}.report",
        {
            "fields": Estimate(len(report.fields)),
            "failed": Estimate(len(report.failed)),
            "cells": Estimate(sum(sum(field.counts.values()) for field in report.fields)),
            "seconds_per_field": Estimate(seconds / len(sources)),
            "html_mib": Estimate(size),
        },
    )
    memory = {"settled_mib": settled, "end_mib": end, "growth_mib": growth, "peak_mib": peak_mib()}
    measures.add(f"{name}.memory", {key: Estimate(value) for key, value in memory.items()})
    return measures
