"""A simulated study: patients drawn, and what a manifest tells of them; in a clean one nothing goes with labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import TaskKind, truth_slices
from hemascope.core.cohort import Cohort
from hemascope.core.patient import Fact, PatientFacts
from hemascope.synth.cohort.draw import TEST, TRAIN, VALIDATION, DrawnPatients, draw_patients, join_drawn, truth_table
from hemascope.synth.cohort.truth import CohortTruth

SPLIT_STREAMS = {"train": TRAIN, "val": VALIDATION, "test": TEST}
"""Split to the stream that its patients are drawn from."""

STREAMS_A_SEED = 10
"""Seed s draws from streams 10 s + 0, 1 and 2."""

BACKGROUND = {"background_r": (233.0, 2.5), "background_g": (226.0, 4.0), "background_b": (236.0, 1.5)}
"""Color channel between the cells to its mean and how far it moves with one standard deviation of staining, in gray
levels of 0 to 255."""

BACKGROUND_NOISE = 1.0
"""Standard deviation with which a channel is measured."""


class Shortcut(StrEnum):
    """What a model could learn in place of the disease."""

    SITE = "site"
    STAIN = "stain"
    CELLS = "cells"
    DUPLICATES = "duplicates"


@dataclass(frozen=True, slots=True)
class Planted:
    """What was planted into a cohort.

    Attributes
    ----------
    shortcut
        Which.
    label
        The marker or class that it goes with; "" for duplicates.
    strength
        Name of a quantity to its value, as ``confound`` describes them.
    carriers
        Patients with the label.
    copies
        Name of a copied patient to the name of the one whose cells it has.
    """

    shortcut: Shortcut
    label: str = ""
    strength: Mapping[str, float] = field(default_factory=dict)
    carriers: tuple[str, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedCohort:
    """A study whose truth is known.

    Attributes
    ----------
    truth
        The law.
    drawn
        P patients.
    facts
        What a manifest tells of them, in the same order.
    planted
        None for a clean cohort.
    """

    truth: CohortTruth
    drawn: DrawnPatients
    facts: tuple[PatientFacts, ...]
    planted: Planted | None = None

    @property
    def cohort(self) -> Cohort:
        """The cohort as a model sees it."""
        return Cohort(self.truth.name, self.facts, self.drawn.bags)

    @property
    def table(self) -> NDArray[np.float64]:
        """P x C truth, columns as ``truth_slices`` has them."""
        return truth_table(self.truth, self.drawn)


def simulate_cohort(truth: CohortTruth, patients: Mapping[str, int], seed: int = 0) -> SimulatedCohort:
    """Return a clean cohort: site, scanner, stain, age, sex, stage and background color are independent of labels.

    Parameters
    ----------
    truth
        The law.
    patients
        Split (``train``, ``val``, ``test``) to the number of its patients; splits of none may be absent.
    seed
        Equal seeds give equal cohorts; cells of seed 0 are those of the streams that benchmarks train on.

    Raises
    ------
    ValueError
        If there is no patient at all, or a split is not known.
    """
    wanted = {split: count for split, count in patients.items() if count}
    if not wanted or not set(wanted) <= set(SPLIT_STREAMS):
        raise ValueError(f"a cohort needs patients in train, val or test, not {dict(patients)}")
    parts = [
        draw_patients(truth, count, STREAMS_A_SEED * seed + SPLIT_STREAMS[split]) for split, count in wanted.items()
    ]
    drawn = join_drawn(parts)
    splits = [split for split, count in wanted.items() for _ in range(count)]
    return SimulatedCohort(truth, drawn, clean_facts(truth, drawn, splits, np.random.default_rng((truth.seed, seed))))


def clean_facts(
    truth: CohortTruth, drawn: DrawnPatients, splits: list[str], generator: np.random.Generator
) -> tuple[PatientFacts, ...]:
    """Return what a manifest tells of drawn patients: their labels, their site, and the rest independent of both."""
    count = len(drawn.bags)
    scanners, stains = generator.integers(2, size=count), generator.integers(2, size=count)
    ages = generator.normal(64, 11, count).clip(18, 95).round()
    sexes, stages = generator.integers(2, size=count), generator.integers(1, 4, size=count)
    backgrounds = background_colors(generator.standard_normal(count), generator)
    labels = _labels(truth, drawn)
    return tuple(
        PatientFacts(
            patient=drawn.bags.patients[place],
            labels=labels[place],
            covariates={
                "age": float(ages[place]),
                "sex": "FM"[sexes[place]],
                "stage": float(stages[place]),
                **backgrounds[place],
            },
            site=site_name(drawn.sites[place]),
            scanner=f"scanner-{scanners[place] + 1}",
            stain=f"stain-{stains[place] + 1}",
            split=splits[place],
            smears=(drawn.bags.patients[place],),
        )
        for place in range(count)
    )


def site_name(site: int) -> str:
    """Return what a site is called in a manifest."""
    return f"site-{site + 1}"


def background_colors(staining: NDArray[np.float64], generator: np.random.Generator) -> list[dict[str, Fact]]:
    """Return the color between the cells of P patients, as measured, from P amounts of staining (mean 0, spread 1)."""
    noise = BACKGROUND_NOISE * generator.standard_normal((len(staining), len(BACKGROUND)))
    return [
        {
            name: round(float(mean - slope * amount + error), 2)
            for (name, (mean, slope)), error in zip(BACKGROUND.items(), row, strict=True)
        }
        for amount, row in zip(staining, noise, strict=True)
    ]


def _labels(truth: CohortTruth, drawn: DrawnPatients) -> list[dict[str, str]]:
    """Return for each patient the columns of labels as a manifest writes them."""
    table, places = truth_table(truth, drawn), truth_slices(truth.tasks)
    rows: list[dict[str, str]] = [{} for _ in table]
    for task in truth.tasks:
        for column, values in zip(task.columns, table[:, places[task.name]].T, strict=True):
            for row, value in zip(rows, values, strict=True):
                if task.kind is TaskKind.CLASSES:
                    row[column] = task.outputs[int(value)]
                else:
                    row[column] = f"{value:.0f}" if task.kind is TaskKind.MARKERS else f"{value:.2f}"
    return rows
