"""Benchmark ``generative``: classifiers that explain cells beside those that tell them apart, protocol by protocol."""

from __future__ import annotations

from hemascope.app import (
    bench_generative_few,
    bench_generative_in_domain,
    bench_generative_left_out,
    bench_generative_pixels,
    bench_generative_shift,
)
from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, describe_set, needed_root
from hemascope.app.generative_plots import write_plots
from hemascope.app.generative_task import DESCRIPTORS, GenerativeTask, without_labels, without_targets
from hemascope.app.target_cells import PBC, TARGETS
from hemascope.core.errors import InputError
from hemascope.core.provenance import ModelIdentity

PROTOCOLS = ("in-domain", "pixels", "low-data", "left-out", "shift")
"""Parts of the benchmark, in the order of its tables."""


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return the figures of the protocol asked for, or of all.

    Raises
    ------
    InputError
        If there is no such protocol.
    OutputError
        If the plots cannot be written.
    """
    if request.protocol not in (*PROTOCOLS, "all"):
        raise InputError(f"there is no protocol '{request.protocol}'; choose one of {', '.join(PROTOCOLS)}, or all")
    wanted = PROTOCOLS if request.protocol == "all" else (request.protocol,)
    names = dict.fromkeys((DESCRIPTORS, *request.encoders))
    task = GenerativeTask(
        root=needed_root(request),
        parts=parts,
        progress=progress,
        encoders=tuple(parts.protocol_encoder(name) for name in names),
        limit=request.limit,
        denoiser=request.denoiser,
        pictures=request.pictures,
    )
    measures, notes = Measures(), dict[str, object]()
    models: list[ModelIdentity] = []
    if "in-domain" in wanted:
        found = bench_generative_in_domain.measure(task, measures)
        notes["in-domain"] = {"chosen": found.chosen}
        if request.pictures is not None:
            write_plots(found.answers, request.pictures)
    if "pixels" in wanted:
        notes["pixels"], identity = bench_generative_pixels.measure(task, measures)
        models.append(identity)
    if "low-data" in wanted:
        notes["low-data"] = bench_generative_few.measure(task, measures)
    if "left-out" in wanted:
        notes["left-out"] = bench_generative_left_out.measure(task, measures)
    if "shift" in wanted:
        notes["shift"] = bench_generative_shift.measure(task, measures)
    sets = (PBC, *(name.split("/")[0] for name in TARGETS)) if "shift" in wanted else (PBC,)
    return Outcome(
        data={name: describe_set(name, task.root, "") for name in dict.fromkeys(sets)},
        n=task.counts(),
        measures=measures,
        baselines={},
        models=(*(encoder.identity for encoder in task.used()), *models),
        notes={"protocols": notes, "encoders": describe_encoders(task)},
    )


def describe_encoders(task: GenerativeTask) -> dict[str, dict[str, bool]]:
    """Return encoder to the protocols it may take part in."""
    return {
        encoder.name: {"low-data": without_labels(encoder), "shift": without_targets(encoder)}
        for encoder in task.used()
    }
