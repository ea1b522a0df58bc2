"""Patients made of real embedded cells: only who has which cells is drawn, every cell is one that was embedded.

States are types of cells that somebody named. Labels act on cells through the composition alone, as in every law here;
the limit is that of an observer who sees the type of every cell, so that ``bayes`` gives it from places that are the
types themselves. What cells of one type tell beyond their type is not used by that observer, and depends on no label.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.synth.cohort.draw import DrawnPatients
from hemascope.synth.cohort.simulated import SimulatedCohort, clean_facts
from hemascope.synth.cohort.truth import BagSizes, CellStates, CohortTruth, embedding_view

SEEN = 8.0
"""Distance of types from each other as the observer sees them, in standard deviations: no type is taken for another."""

LEVELS_WITHOUT, LEVELS_WITH = (0.85, 0.12, 0.03), (0.15, 0.30, 0.55)
"""How often a patient without or with a label has no, few or many cells more of its type."""

FEW, MANY = 0.04, 0.10
"""Shares of those cells."""

_COMPOSITIONS = 12
_SITES = 3


@dataclass(frozen=True, slots=True, eq=False)
class CellPool:
    """Embedded cells of known type.

    Attributes
    ----------
    names
        K types.
    types
        T codes among them.
    values
        T x D float32.
    groups
        T codes; cells of one group (near-duplicates, one slide) stay on one side of a split.
    encoder
        As in ``Bag``.
    """

    names: tuple[str, ...]
    types: NDArray[np.intp]
    values: NDArray[np.float32]
    groups: NDArray[np.intp]
    encoder: str


def law_of_types(
    names: Sequence[str],
    usual: Mapping[str, float],
    raised: Mapping[str, str],
    prevalences: Mapping[str, float],
    sizes: BagSizes,
    seed: int,
    *,
    name: str = "real-cells",
) -> CohortTruth:
    """Return a law of markers, each of which adds cells of one type.

    Parameters
    ----------
    names
        K types of the pool.
    usual
        Type to its share in usual blood, up to a factor; types left out do not occur but by a marker.
    raised
        Marker to the type that it adds cells of.
    prevalences
        Marker to the share of patients who have it.
    sizes
        Cells a patient.
    seed
        Of the compositions.

    Raises
    ------
    ValueError
        If a type is not among ``names``.
    """
    strangers = sorted({*usual, *raised.values()} - set(names))
    if strangers:
        raise ValueError(f"the pool has no cells of type {', '.join(strangers)}")
    generator = np.random.default_rng(seed)
    plain = np.array([usual.get(kind, 0.0) for kind in names])
    mixes = plain * np.exp(0.3 * generator.normal(size=(_COMPOSITIONS, len(names))))
    mixes /= mixes.sum(axis=1, keepdims=True)
    levels = np.array(list(itertools.product(range(3), repeat=len(raised))))
    labels = np.array(list(itertools.product((0.0, 1.0), repeat=len(raised))))
    added = np.zeros((len(levels), len(names)))
    joint = np.ones((len(labels), len(levels)))
    for marker, (label, kind) in enumerate(raised.items()):
        added[:, names.index(kind)] += np.array([0.0, FEW, MANY])[levels[:, marker]]
        has = labels[:, marker].astype(np.intp)
        prior = np.array([1 - prevalences[label], prevalences[label]])
        joint *= prior[has][:, None] * np.array([LEVELS_WITHOUT, LEVELS_WITH])[has][:, levels[:, marker]]
    rest = 1 - added.sum(axis=1, keepdims=True)
    return CohortTruth(
        name=name,
        seed=seed,
        tasks=(BagTask("markers", TaskKind.MARKERS, tuple(raised)),),
        states=CellStates(tuple(names), SEEN * np.eye(len(names)), np.isin(names, list(raised.values()))),
        compositions=np.concatenate([rest * mix + added for mix in mixes]),
        labels=labels,
        joint=np.tile(joint, (1, _COMPOSITIONS)) / _COMPOSITIONS,
        sizes=sizes,
        view=embedding_view(generator, len(names) + 1, len(names), 0.0, _SITES, 1.0),
    )


def draw_real_cells(truth: CohortTruth, pool: CellPool, patients: Mapping[str, int], seed: int = 0) -> SimulatedCohort:
    """Return patients whose cells are of the pool; site, scanner and all else are independent of labels.

    The groups of each type are dealt to the splits in proportion to their patients; on a side every cell is used once
    before any is used again, and none twice in a patient.

    Parameters
    ----------
    truth
        A law whose states are types of the pool, such as ``law_of_types`` gives.
    pool
        Where cells are taken from.
    patients
        Split to patients.
    seed
        Of everything drawn.

    Raises
    ------
    ValueError
        If the pool lacks a type, or has too few of one for a patient.
    """
    if pool.names != truth.states.names:
        raise ValueError(f"{truth.name} has the states {truth.states.names}, the pool {pool.names}")
    generator = np.random.default_rng((truth.seed, seed, 1))
    splits = [split for split, count in patients.items() for _ in range(count)]
    decks = _decks(pool, {split: count for split, count in patients.items() if count}, generator)
    joint = (truth.joint / truth.joint.sum()).ravel()
    drawn = generator.choice(len(joint), len(splits), p=joint)
    combinations, profiles = np.divmod(drawn, truth.joint.shape[1])
    logs = np.log(truth.sizes.median) + truth.sizes.spread * generator.normal(size=len(splits))
    sizes = np.exp(logs).round().clip(truth.sizes.least, truth.sizes.most).astype(np.intp)
    rows = [
        _deal(decks[split], truth.compositions[profile], int(size), generator)
        for split, profile, size in zip(splits, profiles, sizes, strict=True)
    ]
    every = np.concatenate(rows)
    names = tuple(f"{truth.name}-{seed}-{place:05d}" for place in range(len(splits)))
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
    states = pool.types[every]
    bags = BagSet(names, pool.values[every], starts, pool.encoder)
    places = truth.states.centers.astype(np.float32)[states]
    sites = generator.integers(len(truth.view.site_shifts), size=len(splits))
    patients_drawn = DrawnPatients(bags, combinations, profiles, sites, np.empty(0), states, places)
    return SimulatedCohort(truth, patients_drawn, clean_facts(truth, patients_drawn, splits, generator))


class _Deck:
    """Cells of one type on one side, dealt in a random order that begins anew only when all were dealt."""

    def __init__(self, name: str, rows: NDArray[np.intp]) -> None:
        self._name, self._rows, self._next = name, rows, 0

    def deal(self, count: int) -> NDArray[np.intp]:
        """Return so many cells, none twice; raise ``ValueError`` where there are not as many."""
        if count > len(self._rows):
            raise ValueError(f"a patient needs {count} cells of type {self._name}, a side has {len(self._rows)}")
        places = (self._next + np.arange(count)) % max(len(self._rows), 1)
        self._next += count
        return self._rows[places]


def _decks(pool: CellPool, patients: Mapping[str, int], generator: np.random.Generator) -> dict[str, list[_Deck]]:
    """Return split to a deck a type; a group goes whole to the side that most lacks cells of its first cell's type."""
    wanted = np.array(list(patients.values())) / sum(patients.values())
    _, first, codes = np.unique(pool.groups, return_index=True, return_inverse=True)
    weights = np.bincount(codes)
    side = np.empty(len(first), np.intp)
    given = np.zeros((len(wanted), len(pool.names)))
    for group in generator.permutation(len(first)):
        kind = pool.types[first[group]]
        lacks = wanted - given[:, kind] / max(given[:, kind].sum(), 1)
        side[group] = lacks.argmax()
        given[side[group], kind] += weights[group]
    sides = side[codes]
    return {
        split: [
            _Deck(name, generator.permutation(np.flatnonzero((sides == place) & (pool.types == kind))))
            for kind, name in enumerate(pool.names)
        ]
        for place, split in enumerate(patients)
    }


def _deal(
    decks: Sequence[_Deck], shares: NDArray[np.float64], size: int, generator: np.random.Generator
) -> NDArray[np.intp]:
    """Return the cells of a patient in random order."""
    counts = generator.multinomial(size, shares / shares.sum())
    return generator.permutation(
        np.concatenate([deck.deal(int(count)) for deck, count in zip(decks, counts, strict=True) if count])
    )
