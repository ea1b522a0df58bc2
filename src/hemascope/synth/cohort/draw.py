"""Draw patients from a law: labels, profile, cells and how they look; in blocks, so that any number can be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.synth.cohort.truth import CohortTruth

BLOCK = 256
"""Patients drawn together; part of what a seed means."""

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Streams of patients that are independent of each other; a benchmark of several cohorts adds multiples of 10."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPatients:
    """Patients with everything that is known of them.

    Attributes
    ----------
    bags
        Their cells as a model sees them.
    combinations
        P rows of ``CohortTruth.labels``.
    profiles
        P profiles.
    sites
        P sites.
    numbers
        P numbers that go with the labels; empty where there is none.
    states
        T states of the cells.
    places
        T x B float32: the part of the cells that states decide.
    """

    bags: BagSet
    combinations: NDArray[np.intp]
    profiles: NDArray[np.intp]
    sites: NDArray[np.intp]
    numbers: NDArray[np.float64]
    states: NDArray[np.intp]
    places: NDArray[np.float32]


def draw_patients(truth: CohortTruth, count: int, stream: int) -> DrawnPatients:
    """Return the first ``count`` patients of a stream; equal arguments give equal patients."""
    return join_drawn(list(draw_blocks(truth, count, stream)))


def draw_blocks(truth: CohortTruth, count: int, stream: int) -> Iterator[DrawnPatients]:
    """Yield the same patients in blocks of ``BLOCK``: memory stays small for any number.

    Raises
    ------
    ValueError
        If no patient is asked for.
    """
    if count < 1:
        raise ValueError(f"{count} patients cannot be drawn")
    for number, start in enumerate(range(0, count, BLOCK)):
        generator = np.random.default_rng(np.random.SeedSequence((truth.seed, stream, number)))
        yield _draw_block(truth, min(BLOCK, count - start), start, stream, generator)


def truth_table(truth: CohortTruth, drawn: DrawnPatients) -> NDArray[np.float64]:
    """Return the P x C truth of drawn patients: labels, and the number last where there is one."""
    columns = truth.labels[drawn.combinations]
    return np.column_stack([columns, drawn.numbers]) if len(drawn.numbers) else columns


def join_drawn(parts: list[DrawnPatients]) -> DrawnPatients:
    """Return blocks as one."""
    sizes = np.concatenate([part.bags.sizes for part in parts])
    bags = BagSet(
        tuple(name for part in parts for name in part.bags.patients),
        np.concatenate([part.bags.values for part in parts]),
        _starts(sizes),
        parts[0].bags.encoder,
    )
    return DrawnPatients(
        bags,
        np.concatenate([part.combinations for part in parts]),
        np.concatenate([part.profiles for part in parts]),
        np.concatenate([part.sites for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.states for part in parts]),
        np.concatenate([part.places for part in parts]),
    )


def _draw_block(
    truth: CohortTruth, count: int, first: int, stream: int, generator: np.random.Generator
) -> DrawnPatients:
    """Draw a full block and keep the first patients of it, so that a stream does not depend on how many are asked."""
    joint = truth.joint.ravel().cumsum()
    drawn = np.searchsorted(joint, generator.random(BLOCK) * joint[-1], side="right").clip(max=len(joint) - 1)
    combinations, profiles = np.divmod(drawn, truth.joint.shape[1])
    sites = generator.integers(len(truth.view.site_shifts), size=BLOCK)
    logs = np.log(truth.sizes.median) + truth.sizes.spread * generator.normal(size=BLOCK)
    sizes = np.exp(logs).round().clip(truth.sizes.least, truth.sizes.most).astype(np.intp)
    numbers = np.empty(0)
    if truth.number_means is not None:
        numbers = truth.number_means[combinations] + truth.number_spread * generator.normal(size=BLOCK)
    owner = np.repeat(np.arange(BLOCK), sizes)
    states = _draw_states(truth.compositions[profiles], owner, generator)
    width = truth.states.centers.shape[1]
    places = truth.states.centers[states].astype(np.float32)
    places += generator.standard_normal((len(states), width), np.float32)
    values = look(truth, places, owner, sites, generator)
    cells = int(sizes[:count].sum())
    names = tuple(f"{truth.name}-{stream}-{first + place:05d}" for place in range(count))
    bags = BagSet(names, values[:cells], _starts(sizes[:count]), f"simulated:{truth.name}")
    return DrawnPatients(
        bags, combinations[:count], profiles[:count], sites[:count], numbers[:count], states[:cells], places[:cells]
    )


def look(
    truth: CohortTruth,
    places: NDArray[np.float32],
    owner: NDArray[np.intp],
    sites: NDArray[np.intp],
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Return T x D embeddings of cells: what states decide, and nuisance of cell, patient and site."""
    view = truth.view
    rest = len(view.nuisance)
    patients = view.site_shifts[sites] + view.patient_shift * generator.standard_normal((len(sites), rest), np.float32)
    nuisance = patients[owner] + generator.standard_normal((len(places), rest), np.float32)
    return np.concatenate([places, nuisance * view.nuisance], axis=1) @ view.rotation


def _draw_states(
    shares: NDArray[np.float64], owner: NDArray[np.intp], generator: np.random.Generator
) -> NDArray[np.intp]:
    """Return a state a cell, from the P x K shares of its patient."""
    limits = shares.cumsum(axis=1)[owner]
    return np.asarray((generator.random(len(owner))[:, None] > limits[:, :-1]).sum(axis=1), np.intp)


def _starts(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
