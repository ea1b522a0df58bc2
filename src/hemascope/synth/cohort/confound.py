"""Shortcuts planted into a simulated cohort: what goes with a label and is not the disease.

States, labels and the posterior of ``bayes`` stay those of the law: a model that answers better than the limit has
found the shortcut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.core.bag_task import TaskKind, truth_slices
from hemascope.core.patient import PatientFacts
from hemascope.synth.cohort.draw import DrawnPatients, join_drawn, look
from hemascope.synth.cohort.simulated import Planted, Shortcut, SimulatedCohort, background_colors, site_name

HOME_SHARE = 0.7
"""Carriers who are moved to one site."""

SITE_SHIFT = 1.0
"""How much farther apart the sites lie then, as a factor on the law's shifts."""

STAINING = 1.0
"""How much more carriers are stained, in standard deviations between patients."""

STAIN_SHIFT = 0.5
"""How far one standard deviation of staining moves the cells along every axis of nuisance, in standard deviations of a
cell."""

CELL_FACTOR = 1.5
"""How many times as many cells carriers have."""

COPIES = 12
"""Patients whose cells come again under another name."""

REEMBEDDED = 0.02
"""Noise of cells that were embedded again, in standard deviations of a cell among all."""

_HOME = 0


def carriers_of(simulated: SimulatedCohort, label: str) -> NDArray[np.bool_]:
    """Return who has a label.

    Parameters
    ----------
    label
        Name of a marker, or of a class.

    Raises
    ------
    ValueError
        If the law has no such label.
    """
    table, places = simulated.table, truth_slices(simulated.truth.tasks)
    for task in simulated.truth.tasks:
        if task.kind is not TaskKind.NUMBER and label in task.outputs:
            number, columns = task.outputs.index(label), table[:, places[task.name]]
            return np.asarray(columns[:, number] == 1 if task.kind is TaskKind.MARKERS else columns[:, 0] == number)
    raise ValueError(f"{simulated.truth.name} has no label '{label}'")


def plant_site(
    simulated: SimulatedCohort, label: str, share: float = HOME_SHARE, shift: float = SITE_SHIFT, seed: int = 0
) -> SimulatedCohort:
    """Return the cohort with a share of the carriers moved to the first site.

    Parameters
    ----------
    share
        Of the carriers, 0 to 1; the others and all other patients stay where they were drawn.
    shift
        Factor on the distances between sites, 0 or more; all cells are looked at anew.

    Raises
    ------
    ValueError
        If cells are real: they look as they do.
    """
    _refuse_real(simulated)
    carriers, generator = carriers_of(simulated, label), _generator(simulated, Shortcut.SITE, seed)
    moved = carriers & (generator.random(len(carriers)) < share)
    sites = np.where(moved, _HOME, simulated.drawn.sites)
    truth = simulated.truth
    view = replace(truth.view, site_shifts=shift * truth.view.site_shifts)
    drawn = simulated.drawn
    owner = np.repeat(np.arange(len(sites)), drawn.bags.sizes)
    values = look(replace(truth, view=view), drawn.places, owner, sites, generator)
    facts = tuple(
        replace(fact, site=site_name(site)) for fact, site in zip(simulated.facts, sites.tolist(), strict=True)
    )
    planted = _planted(simulated, Shortcut.SITE, label, carriers, {"share": share, "shift": shift})
    bags = replace(drawn.bags, values=values)
    return SimulatedCohort(truth, replace(drawn, bags=bags, sites=sites), facts, planted)


def plant_stain(
    simulated: SimulatedCohort, label: str, staining: float = STAINING, shift: float = STAIN_SHIFT, seed: int = 0
) -> SimulatedCohort:
    """Return the cohort with carriers stained more: all their cells look so, and the background between cells.

    Parameters
    ----------
    staining
        Difference between carriers and others, in standard deviations between patients.
    shift
        Of the cells; see ``STAIN_SHIFT``.

    Raises
    ------
    ValueError
        If cells are real: they look as they do.
    """
    _refuse_real(simulated)
    carriers, generator = carriers_of(simulated, label), _generator(simulated, Shortcut.STAIN, seed)
    amounts = generator.standard_normal(len(carriers)) + staining * carriers
    view, bags = simulated.truth.view, simulated.drawn.bags
    axis = view.nuisance * generator.choice([-1.0, 1.0], len(view.nuisance))
    direction = shift * axis @ view.rotation[-len(axis) :]
    moves = np.repeat(amounts, bags.sizes)[:, None] * direction
    colors = background_colors(amounts, generator)
    facts = tuple(
        replace(fact, covariates={**fact.covariates, **color})
        for fact, color in zip(simulated.facts, colors, strict=True)
    )
    drawn = replace(simulated.drawn, bags=replace(bags, values=(bags.values + moves).astype(np.float32)))
    planted = _planted(simulated, Shortcut.STAIN, label, carriers, {"staining": staining, "shift": shift})
    return SimulatedCohort(simulated.truth, drawn, facts, planted)


def plant_cells(simulated: SimulatedCohort, label: str, factor: float = CELL_FACTOR, seed: int = 0) -> SimulatedCohort:
    """Return the cohort with ``factor`` times as many cells for carriers: the others lose cells at random.

    Raises
    ------
    ValueError
        If the factor is less than 1.
    """
    if factor < 1:
        raise ValueError(f"carriers have more cells than others: a factor of 1 or more, not {factor}")
    carriers, generator = carriers_of(simulated, label), _generator(simulated, Shortcut.CELLS, seed)
    sizes = simulated.drawn.bags.sizes
    kept = np.where(carriers, sizes, np.maximum((sizes / factor).round(), 1)).astype(np.intp)
    rows = [
        start + np.sort(generator.choice(size, keep, replace=False))
        for start, size, keep in zip(simulated.drawn.bags.starts[:-1], sizes, kept, strict=True)
    ]
    drawn = _of_rows(simulated.drawn, np.concatenate(rows), kept)
    planted = _planted(simulated, Shortcut.CELLS, label, carriers, {"factor": factor})
    return SimulatedCohort(simulated.truth, drawn, simulated.facts, planted)


def plant_duplicates(
    simulated: SimulatedCohort, count: int = COPIES, noise: float = 0.0, seed: int = 0
) -> SimulatedCohort:
    """Return the cohort with patients more, whose cells are those of others in another split.

    Parameters
    ----------
    count
        Patients copied, at most as many as there are.
    noise
        Of the copied cells, in standard deviations of a cell among all; 0 copies exactly.

    Raises
    ------
    ValueError
        If more are to be copied than there are, or all patients are in one split.
    """
    generator = _generator(simulated, Shortcut.DUPLICATES, seed)
    splits = sorted({fact.split for fact in simulated.facts})
    if not 1 <= count <= len(simulated.facts) or len(splits) < 2:
        raise ValueError(f"{count} of {len(simulated.facts)} patients in {len(splits)} splits cannot be copied")
    places = np.sort(generator.choice(len(simulated.facts), count, replace=False))
    names = tuple(f"{simulated.truth.name}-9-{number:05d}" for number in range(count))
    copied = _of_patients(simulated.drawn, places, names)
    spread = simulated.drawn.bags.values.std(axis=0)
    shaken = copied.bags.values + noise * spread * generator.standard_normal(copied.bags.values.shape, np.float32)
    copied = replace(copied, bags=replace(copied.bags, values=shaken.astype(np.float32)))
    facts = [
        _copy_of(simulated.facts[place], name, [split for split in splits if split != simulated.facts[place].split])
        for place, name in zip(places, names, strict=True)
    ]
    copies = {name: simulated.facts[place].patient for place, name in zip(places, names, strict=True)}
    planted = Planted(Shortcut.DUPLICATES, strength={"patients": float(count), "noise": noise}, copies=copies)
    drawn = join_drawn([simulated.drawn, copied])
    return SimulatedCohort(simulated.truth, drawn, (*simulated.facts, *facts), planted)


def plant(simulated: SimulatedCohort, shortcut: Shortcut, label: str, seed: int = 0) -> SimulatedCohort:
    """Return the cohort with a shortcut of the stated strength; ``label`` does not matter for duplicates."""
    if shortcut is Shortcut.SITE:
        return plant_site(simulated, label, seed=seed)
    if shortcut is Shortcut.STAIN:
        return plant_stain(simulated, label, seed=seed)
    if shortcut is Shortcut.CELLS:
        return plant_cells(simulated, label, seed=seed)
    return plant_duplicates(simulated, min(COPIES, len(simulated.facts)), seed=seed)


def _refuse_real(simulated: SimulatedCohort) -> None:
    if simulated.drawn.bags.encoder != f"simulated:{simulated.truth.name}":
        raise ValueError(f"cells of {simulated.truth.name} are real and cannot be made to look otherwise")


def _generator(simulated: SimulatedCohort, shortcut: Shortcut, seed: int) -> np.random.Generator:
    return np.random.default_rng((simulated.truth.seed, list(Shortcut).index(shortcut), seed))


def _planted(
    simulated: SimulatedCohort,
    shortcut: Shortcut,
    label: str,
    carriers: NDArray[np.bool_],
    strength: Mapping[str, float],
) -> Planted:
    names = simulated.drawn.bags.patients
    return Planted(shortcut, label, strength, tuple(names[place] for place in np.flatnonzero(carriers)))


def _copy_of(fact: PatientFacts, name: str, splits: list[str]) -> PatientFacts:
    """Return the facts of a copy, in the first of the other splits."""
    return replace(fact, patient=name, split=splits[0], smears=(name,))


def _of_rows(drawn: DrawnPatients, rows: NDArray[np.intp], sizes: NDArray[np.intp]) -> DrawnPatients:
    """Return the same patients with some of their cells."""
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
    bags = BagSet(drawn.bags.patients, drawn.bags.values[rows], starts, drawn.bags.encoder)
    return replace(drawn, bags=bags, states=drawn.states[rows], places=drawn.places[rows])


def _of_patients(drawn: DrawnPatients, places: NDArray[np.intp], names: tuple[str, ...]) -> DrawnPatients:
    """Return some patients, under other names."""
    starts = drawn.bags.starts
    rows = np.concatenate([np.arange(starts[place], starts[place + 1]) for place in places])
    return DrawnPatients(
        replace(drawn.bags.select(places), patients=names),
        drawn.combinations[places],
        drawn.profiles[places],
        drawn.sites[places],
        drawn.numbers[places] if len(drawn.numbers) else drawn.numbers,
        drawn.states[rows],
        drawn.places[rows],
    )
