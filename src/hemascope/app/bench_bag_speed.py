"""Benchmark ``bag-speed``: how fast models of patients are trained, beside others' code, and how fast they answer.

Bags are simulated: sizes as in ``myeloma-720``, 768 numbers a cell. All trainings take turns, epoch by epoch, in one
run on the same cores, each round begun by another, so that a slow spell of the machine hits all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.backend_clock import median_rate
from hemascope.app.bag_clock import time_ensemble
from hemascope.app.bag_speed_peer import EpochTime, Peer, load_peer
from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures, measure_gflops, usable_cores
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome
from hemascope.app.plain_table import Document, Figures, PlainTable
from hemascope.app.training import need_torch
from hemascope.core.bag import BagSet
from hemascope.core.errors import InputError
from hemascope.evaluate.estimate import Estimate
from hemascope.synth.cohort.draw import TRAIN, draw_patients, truth_table
from hemascope.synth.cohort.presets import MARKERS, MYELOMA_SPLIT, myeloma_720

DIMENSION = 768
CLASSES = 2
THREADS = 2
ROUNDS = 3
CELLS = 500
_VALIDATE = 2

Epoch = Callable[[], EpochTime]
"""Trains for an epoch."""


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return patients a second in training, ours and others', their ratios, and milliseconds of an answer."""
    need_torch("timing the training of models of patients")
    threads = min(THREADS, usable_cores())
    bags, truth = simulated_bags((request.limit or MYELOMA_SPLIT[0]) + _VALIDATE)
    answers = answer_times(parts, threads, progress)  # before code of others changes anything in this process
    own = _own_epochs(bags, truth, threads)
    peers = _load_peers(request.beside)
    others = {peer.name: _peer_epoch(peer, bags, truth, threads) for peer in peers}
    gflops = [measure_gflops()]
    patients = len(bags) - _VALIDATE
    times = take_turns({**own, **others}, ROUNDS, progress)
    gflops.append(measure_gflops())
    measures = Measures()
    for name, (wall, processor) in times.items():
        rates = {"patients_per_second": patients / wall, "patients_per_processor_second": patients / processor}
        for other in () if name in others else others:
            rates[f"over_{other}"] = times[other][0] / wall
            rates[f"processor_over_{other}"] = times[other][1] / processor
        measures.add(f"train.{name}", {key: median_rate(found) for key, found in rates.items()})
    for name, milliseconds in answers.items():
        measures.add(f"answer.{name}", {"milliseconds": Estimate(milliseconds)})
    measures.add("calibration", {f"gflops_{place}": Estimate(value) for place, value in enumerate(gflops, 1)})
    return Outcome(
        data={
            "myeloma-720-medium": {"version": "simulated, 768 numbers", "license": "Apache-2.0", "tables_sha256": ""}
        },
        n={"patients": patients, "cells": len(bags.values), "rounds": ROUNDS, "threads": threads},
        measures=measures,
        baselines={},
        models=(),
        notes={
            "own": list(own),
            "peers": {peer.name: {"version": peer.version, "commit": peer.commit} for peer in peers},
        },
    )


def _load_peers(files: Sequence[str]) -> list[Peer]:
    peers = [load_peer(Path(name)) for name in files]
    if len({peer.name for peer in peers}) != len(peers):
        raise InputError("two files given with --beside have the same NAME; give each its own")
    return peers


def simulated_bags(patients: int) -> tuple[BagSet, NDArray[np.float64]]:
    """Return training patients of ``myeloma-720`` with 768 numbers a cell, turned in from 64, and P x 4 markers."""
    law = myeloma_720("medium")
    drawn = draw_patients(law, patients, TRAIN)
    lift = np.random.default_rng(0).normal(size=(law.view.dimension, DIMENSION)) / np.sqrt(law.view.dimension)
    return replace(drawn.bags, values=drawn.bags.values @ lift.astype(np.float32)), truth_table(law, drawn)


def take_turns(epochs: dict[str, Epoch], rounds: int, progress: Progress) -> dict[str, NDArray[np.float64]]:
    """Return for everybody 2 x rounds seconds, on the clock and on processors, after one round to warm up.

    Each round is begun by another.
    """
    names = list(epochs)
    times: dict[str, list[EpochTime]] = {name: [] for name in names}
    for number in range(-1, rounds):
        for step in range(len(names)):
            name = names[(step + number) % len(names)]
            progress(f"training: {name}", number + 1, rounds + 1)
            times[name].append(epochs[name]())
    return {name: np.array(found[1:]).T for name, found in times.items()}


def answer_times(parts: BenchmarkParts, threads: int, progress: Progress) -> dict[str, float]:
    """Return for each aggregator the milliseconds in which an ensemble of five answers for 500 cells."""
    from hemascope.app.bag_speed_own import ENSEMBLES, ship_untrained

    found = {}
    with tempfile.TemporaryDirectory() as made:
        for number, (name, kind) in enumerate(ENSEMBLES.items()):
            progress(f"answering: {name}", number, len(ENSEMBLES))
            folder = Path(made) / name
            ship_untrained(kind, DIMENSION, folder)
            found[name] = time_ensemble(parts.bag_model(folder, threads), DIMENSION, CELLS)
    return found


def _own_epochs(bags: BagSet, truth: NDArray[np.float64], threads: int) -> dict[str, Epoch]:
    from hemascope.app.bag_speed_own import time_epoch, training_recipes

    def epoch(name: str) -> Epoch:
        recipe = training_recipes()[name]
        markers = recipe.tasks[0].outputs == MARKERS
        own = truth if markers else truth[:, -1:]
        return lambda: time_epoch(recipe, bags, own, threads)

    return {name: epoch(name) for name in training_recipes()}


def _peer_epoch(peer: Peer, bags: BagSet, truth: NDArray[np.float64], threads: int) -> Epoch:
    peer.prepare(DIMENSION, CLASSES, threads)
    patients = len(bags) - _VALIDATE
    listed = [np.ascontiguousarray(bags.cells(place)) for place in range(patients)]
    labels = truth[:patients, -1].astype(np.intp)

    return lambda: peer.train_epoch(listed, labels)


def bag_speed_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return speeds of training with ratios, and times of answers."""
    own, about = Figures(document["metrics"], document["intervals"]), document["provenance"]
    peers = about["peers"]
    rows = []
    for name in (*about["own"], *peers):
        told = f"{name} ({peers[name]['version']}, {peers[name]['commit'][:10]})" if name in peers else name
        keys = ("patients_per_second", *(f"over_{other}" for other in peers), "patients_per_processor_second")
        rows.append((told, *(own.text(f"train.{name}.{key}", 1) for key in keys)))
    counts = document["n"]
    title = (
        f"Training on {counts['patients']} patients, {counts['threads']} threads, medians of {counts['rounds']} epochs"
    )
    answers = tuple(
        (key.split(".")[1], own.text(key, 1)) for key in document["metrics"] if key.endswith(".milliseconds")
    )
    return (
        PlainTable(
            title,
            ("Training", "Patients a second", *(f"Times {name}" for name in peers), "A processor second"),
            tuple(rows),
        ),
        PlainTable(f"One patient of {CELLS} embedded cells, five models", ("Aggregator", "Milliseconds"), answers),
    )
