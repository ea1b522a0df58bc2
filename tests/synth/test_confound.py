"""Planted shortcuts: each does what it states and nothing else, and a clean cohort has none."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.synth.cohort.bayes import best_answers
from hemascope.synth.cohort.confound import (
    carriers_of,
    plant,
    plant_cells,
    plant_duplicates,
    plant_site,
    plant_stain,
)
from hemascope.synth.cohort.draw import draw_patients
from hemascope.synth.cohort.presets import eight_classes, myeloma_720
from hemascope.synth.cohort.simulated import BACKGROUND, Shortcut, SimulatedCohort, simulate_cohort

COUNTS = {"train": 150, "val": 50, "test": 50}
LABEL = "gain1q"


@pytest.fixture(scope="module")
def clean() -> SimulatedCohort:
    return simulate_cohort(myeloma_720("easy"), COUNTS)


def background(simulated: SimulatedCohort) -> np.ndarray:
    return np.array([[fact.covariates[name] for name in BACKGROUND] for fact in simulated.facts], float)


def test_a_clean_cohort_is_of_the_preset_s_patients(clean: SimulatedCohort) -> None:
    assert [fact.split for fact in clean.facts] == ["train"] * 150 + ["val"] * 50 + ["test"] * 50
    drawn = draw_patients(clean.truth, 150, 0)
    assert np.array_equal(clean.drawn.bags.values[: len(drawn.bags.values)], drawn.bags.values)
    told = [[int(fact.labels[name]) for name in clean.truth.tasks[0].outputs] for fact in clean.facts]
    assert np.array_equal(told, clean.table)
    assert {fact.site for fact in clean.facts} == {"site-1", "site-2", "site-3"}
    assert clean.cohort.patients == clean.drawn.bags.patients
    other = simulate_cohort(clean.truth, COUNTS, seed=1)
    assert not set(other.cohort.patients) & set(clean.cohort.patients)


def test_classes_and_numbers_are_told_as_a_manifest_writes_them() -> None:
    simulated = simulate_cohort(eight_classes(), {"train": 12})
    for fact, row in zip(simulated.facts, simulated.table, strict=True):
        assert fact.labels["disease"] == simulated.truth.tasks[0].outputs[int(row[0])]
        assert float(fact.labels["hemoglobin"]) == pytest.approx(row[1], abs=0.01)
    assert carriers_of(simulated, "healthy").sum() == (simulated.table[:, 0] == 7).sum()


@pytest.mark.parametrize("counts", [{}, {"train": 0}, {"later": 3}])
def test_a_cohort_needs_patients_in_known_splits(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="needs patients"):
        simulate_cohort(myeloma_720("easy"), counts)


def test_site_moves_carriers_and_looks_at_cells_anew(clean: SimulatedCohort) -> None:
    planted = plant_site(clean, LABEL, share=1.0)
    carriers = carriers_of(clean, LABEL)
    sites = np.array([fact.site for fact in planted.facts])
    assert set(sites[carriers]) == {"site-1"}
    assert np.array_equal(planted.drawn.sites[~carriers], clean.drawn.sites[~carriers])
    view, states = clean.truth.view, len(clean.truth.states.centers[0])
    turned = planted.drawn.bags.values @ view.rotation.T
    assert np.allclose(turned[:, :states], clean.drawn.places, atol=1e-3)
    means = np.add.reduceat(turned[:, states:], planted.drawn.bags.starts[:-1]) / planted.drawn.bags.sizes[:, None]
    at_home = (
        means[planted.drawn.sites == 0].mean(axis=0) - means[planted.drawn.sites == 1].mean(axis=0)
    ) / view.nuisance
    wanted = view.site_shifts[0] - view.site_shifts[1]
    assert np.corrcoef(at_home, wanted)[0, 1] > 0.9


def test_stain_moves_background_and_cells_of_carriers(clean: SimulatedCohort) -> None:
    planted = plant_stain(clean, LABEL, staining=2.0)
    carriers = carriers_of(clean, LABEL)
    colors, before = background(planted), background(clean)
    assert (colors[carriers].mean(axis=0) < colors[~carriers].mean(axis=0) - 1).all()
    assert np.abs(before[carriers].mean(axis=0) - before[~carriers].mean(axis=0)).max() < 2
    states = len(clean.truth.states.centers[0])
    turned = planted.drawn.bags.values @ clean.truth.view.rotation.T
    assert np.allclose(turned[:, :states], clean.drawn.places, atol=1e-3)
    assert [fact.site for fact in planted.facts] == [fact.site for fact in clean.facts]


def test_carriers_keep_their_cells_and_others_lose_some(clean: SimulatedCohort) -> None:
    planted = plant_cells(clean, LABEL, factor=2.0)
    carriers = carriers_of(clean, LABEL)
    ratio = planted.drawn.bags.sizes / clean.drawn.bags.sizes
    assert (ratio[carriers] == 1).all()
    assert ratio[~carriers] == pytest.approx(0.5, abs=0.01)
    first = int(np.flatnonzero(~carriers)[0])
    kept, had = planted.drawn.bags.cells(first), clean.drawn.bags.cells(first)
    assert {row.tobytes() for row in kept} < {row.tobytes() for row in had}
    told = best_answers(clean.truth, planted.drawn)  # states, places and cells still belong together
    assert len(told.informative) == len(planted.drawn.states) == len(planted.drawn.bags.values)
    with pytest.raises(ValueError, match="factor"):
        plant_cells(clean, LABEL, factor=0.5)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_copies_stand_in_another_split(clean: SimulatedCohort, noise: float) -> None:
    planted = plant_duplicates(clean, 5, noise)
    assert planted.planted is not None
    assert len(planted.planted.copies) == 5
    place = {name: number for number, name in enumerate(planted.cohort.patients)}
    for copy, original in planted.planted.copies.items():
        there, here = planted.facts[place[copy]], planted.facts[place[original]]
        assert there.split != here.split
        assert there.labels == here.labels
        gap = planted.drawn.bags.cells(place[copy]) - planted.drawn.bags.cells(place[original])
        assert gap.std() == pytest.approx(noise * clean.drawn.bags.values.std(), rel=0.3, abs=1e-12)
    assert np.array_equal(planted.table[:250], clean.table)


def test_copies_need_two_splits_and_enough_patients(clean: SimulatedCohort) -> None:
    with pytest.raises(ValueError, match="cannot be copied"):
        plant_duplicates(clean, 251)
    with pytest.raises(ValueError, match="1 splits"):
        plant_duplicates(simulate_cohort(clean.truth, {"train": 10}), 2)


@pytest.mark.parametrize("shortcut", Shortcut)
def test_a_seed_plants_the_same_again(clean: SimulatedCohort, shortcut: Shortcut) -> None:
    once, again = plant(clean, shortcut, LABEL, seed=3), plant(clean, shortcut, LABEL, seed=3)
    assert np.array_equal(once.drawn.bags.values, again.drawn.bags.values)
    assert once.facts == again.facts
    assert once.planted is not None
    assert once.planted.shortcut is shortcut


def test_an_unknown_label_is_refused(clean: SimulatedCohort) -> None:
    with pytest.raises(ValueError, match="no label 'del1p'"):
        plant_site(clean, "del1p")
