"""Benchmark ``shortcuts``: whether checks catch planted shortcuts and leave clean cohorts alone.

Cohorts are those of ``myeloma-720``, medium, with 720 patients; the label that a shortcut goes with changes from seed
to seed. Beside that, what a naive model gains by a shortcut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome
from hemascope.app.plain_table import Document, Figures, PlainTable
from hemascope.classify.linear_probe import fit_linear_probe
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.shortcut_results import Check, CheckResult
from hemascope.evaluate.shortcuts import ALPHA, check_shortcuts
from hemascope.stats.ranking import auroc_statistic
from hemascope.synth.cohort.confound import REEMBEDDED, carriers_of, plant, plant_duplicates
from hemascope.synth.cohort.presets import MARKERS, myeloma_720
from hemascope.synth.cohort.simulated import Planted, Shortcut, SimulatedCohort, simulate_cohort

SEEDS = 20
"""Cohorts a shortcut."""

CLEAN = 5
"""Clean cohorts for each of those."""

PATIENTS = {"train": 432, "val": 144, "test": 144}

CAUGHT_BY = {Shortcut.SITE: Check.SITE, Shortcut.STAIN: Check.BACKGROUND, Shortcut.CELLS: Check.CELL_NUMBER}
"""Shortcut to the check that must be raised, for the very label."""

RELIABLE = 0.95
"""Share of the cohorts in which a shortcut must be caught to count as caught."""

NAIVE_LABEL = "gain1q"
NAIVE_PATIENTS = {"train": 432, "test": 600}
_NAIVE_SEED = 900
_PENALTY = 0.1


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return shares of cohorts in which what was planted was caught, shares of clean ones raised, and what it pays."""
    del parts  # nothing is analyzed
    seeds = request.limit or SEEDS
    law = myeloma_720("medium")
    caught: dict[str, list[bool]] = {}
    others: list[bool] = []
    clean: list[bool] = []
    for seed in range(CLEAN * seeds):
        progress("cohorts", seed, CLEAN * seeds)
        simulated = simulate_cohort(law, PATIENTS, seed)
        clean.append(any(result.raised for result in checks_of(simulated)))
        if seed >= seeds:
            continue
        for name, planted in planted_cohorts(simulated, MARKERS[seed % len(MARKERS)], seed).items():
            results = checks_of(planted)
            caught.setdefault(name, []).append(is_caught(planted, results))
            others.append(any(result.raised and not is_of(planted.planted, result) for result in results))
    measures = Measures()
    for name, found in caught.items():
        measures.add(f"planted.{name}", {"caught": _share(found)})
    measures.add("planted", {"kinds_caught": Estimate(_kinds(caught)), "others_raised": _share(others)})
    measures.add("clean", {"raised": _share(clean)})
    for shortcut in CAUGHT_BY:
        progress(f"what the shortcut pays: {shortcut}", 0, 1)
        measures.add(f"naive.{shortcut}", naive_gain(shortcut))
    return Outcome(
        data={law.name: {"version": "simulated", "license": "Apache-2.0", "tables_sha256": ""}},
        n={"planted_each": seeds, "clean": len(clean), "patients": sum(PATIENTS.values())},
        measures=measures,
        baselines={},
        models=(),
        notes={"alpha": ALPHA, "law": law.name, "naive_label": NAIVE_LABEL},
    )


def planted_cohorts(simulated: SimulatedCohort, label: str, seed: int) -> dict[str, SimulatedCohort]:
    """Return a clean cohort with each shortcut in turn; duplicates exact and embedded again."""
    cohorts = {shortcut.value: plant(simulated, shortcut, label, seed) for shortcut in CAUGHT_BY}
    cohorts["duplicates_exact"] = plant_duplicates(simulated, seed=seed)
    cohorts["duplicates_near"] = plant_duplicates(simulated, noise=REEMBEDDED, seed=seed)
    return cohorts


def checks_of(simulated: SimulatedCohort) -> list[CheckResult]:
    """Return the checks of a simulated cohort."""
    return check_shortcuts(simulated.cohort, simulated.table, simulated.truth.tasks)


def is_of(planted: Planted | None, result: CheckResult) -> bool:
    """Return whether a check is the one that a planted shortcut must raise."""
    if planted is None:
        return False
    if planted.shortcut is Shortcut.DUPLICATES:
        pairs = {frozenset(pair) for pair in planted.copies.items()}
        return result.check is Check.DUPLICATES and frozenset(result.against.split(", ")) in pairs
    return result.check is CAUGHT_BY[planted.shortcut] and result.label == planted.label


def is_caught(simulated: SimulatedCohort, results: Sequence[CheckResult]) -> bool:
    """Return whether the right check was raised, of duplicates for every pair."""
    planted = simulated.planted
    hits = sum(result.raised and is_of(planted, result) for result in results)
    return planted is not None and hits >= max(len(planted.copies), 1)


def naive_gain(shortcut: Shortcut) -> dict[str, Estimate]:
    """Return what a model gains that learned from a cohort with a shortcut.

    The model is a logistic regression on the mean cell and the number of cells. ``with_shortcut`` is its area under the
    ROC curve on test patients into whom the shortcut was planted too, ``without`` on the same patients before that,
    ``learned_clean`` what it reaches there when it learned from the clean cohort.
    """
    clean = simulate_cohort(myeloma_720("medium"), NAIVE_PATIENTS, _NAIVE_SEED)
    planted = plant(clean, shortcut, NAIVE_LABEL, _NAIVE_SEED)
    has = carriers_of(clean, NAIVE_LABEL)
    train = np.array([fact.split == "train" for fact in clean.facts])
    before, after = patient_features(clean), patient_features(planted)
    spoiled, sound = _scores(after[train], has[train]), _scores(before[train], has[train])

    def area(scores: NDArray[np.float64]) -> Estimate:
        return Estimate.resampled(np.arange(len(scores)), auroc_statistic(scores, has[~train]))

    return {
        "with_shortcut": area(spoiled(after[~train])),
        "without": area(spoiled(before[~train])),
        "learned_clean": area(sound(before[~train])),
    }


def patient_features(simulated: SimulatedCohort) -> NDArray[np.float32]:
    """Return P x (D + 1): the mean cell of each patient, and the logarithm of the number of cells."""
    bags = simulated.drawn.bags
    means = np.add.reduceat(bags.values, bags.starts[:-1]) / bags.sizes[:, None]
    return np.column_stack([means, np.log(bags.sizes)]).astype(np.float32)


def _scores(
    features: NDArray[np.float32], has: NDArray[np.bool_]
) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """Return a model that learned from patients: features to scores."""
    probe = fit_linear_probe(features, has.astype(np.intp), ("without", "with"), c=_PENALTY)
    return lambda asked: np.asarray(np.diff(probe.logits(asked), axis=1)[:, 0], np.float64)


def _share(flags: Sequence[bool]) -> Estimate:
    return Estimate.share(sum(flags), len(flags))


def _kinds(caught: Mapping[str, Sequence[bool]]) -> int:
    """Return how many of the four shortcuts were caught in ``RELIABLE`` of the cohorts or more, however planted."""
    kinds: dict[str, list[bool]] = {}
    for name, found in caught.items():
        kinds.setdefault(name.partition("_")[0], []).append(sum(found) >= RELIABLE * len(found))
    return sum(all(every) for every in kinds.values())


SHOWN = {
    "site": "Label more frequent at one site",
    "stain": "Label stained more",
    "cells": "Label with more cells",
    "duplicates_exact": "Patients twice, exactly",
    "duplicates_near": "Patients twice, embedded again",
}


def shortcut_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return shares caught and raised, and what a naive model gains."""
    own, counts = Figures(document["metrics"], document["intervals"]), document["n"]
    rows = [(title, str(counts["planted_each"]), own.text(f"planted.{name}.caught")) for name, title in SHOWN.items()]
    every = str(counts["planted_each"] * len(SHOWN))
    rows.append(("Any other check raised beside what was planted", every, own.text("planted.others_raised")))
    rows.append(("Nothing planted, any check raised", str(counts["clean"]), own.text("clean.raised")))
    paid = tuple(
        (SHOWN[name], *(own.text(f"naive.{name}.{key}") for key in ("with_shortcut", "without", "learned_clean")))
        for name in SHOWN
        if own.has(f"naive.{name}.without")
    )
    alpha = document["provenance"]["alpha"]
    return (
        PlainTable(
            f"Checks of cohorts of {counts['patients']} patients, false alarms at most {alpha:g} by design",
            ("Planted", "Cohorts", "Share raised"),
            tuple(rows),
        ),
        PlainTable(
            "What a shortcut pays: AUROC of a linear model on the mean cell and the number of cells",
            ("Planted into what it learned from", "Tested with it", "Without it", "Learned and tested without it"),
            paid,
        ),
    )
