"""Patients of real cells: every cell is of the pool and on one side, and the limit is that of known types."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.stats.ranking import auroc
from hemascope.synth.cohort.bayes import best_answers, marker_probabilities
from hemascope.synth.cohort.confound import plant_cells, plant_duplicates, plant_site, plant_stain
from hemascope.synth.cohort.real_cells import CellPool, draw_real_cells, law_of_types
from hemascope.synth.cohort.truth import BagSizes, CohortTruth

NAMES = ("neutrophil", "lymphocyte", "erythroblast", "blast")
PATIENTS = {"train": 40, "test": 20}


def pool(cells: int = 900) -> CellPool:
    generator = np.random.default_rng(3)
    types = np.arange(cells) % len(NAMES)
    return CellPool(NAMES, types, generator.normal(size=(cells, 5)).astype(np.float32), np.arange(cells) // 8, "e")


def law(sizes: BagSizes | None = None) -> CohortTruth:
    return law_of_types(
        NAMES, {"neutrophil": 60, "lymphocyte": 40}, {"left": "blast", "red": "erythroblast"},
        {"left": 0.3, "red": 0.4}, sizes or BagSizes(40, 0.2, 20, 60), seed=5,
    )  # fmt: skip


def test_cells_are_of_the_pool_and_of_one_side() -> None:
    source = pool()
    made = draw_real_cells(law(), source, PATIENTS)
    assert [fact.split for fact in made.facts] == ["train"] * 40 + ["test"] * 20
    row_of = {row.tobytes(): place for place, row in enumerate(source.values)}
    rows = np.array([row_of[row.tobytes()] for row in made.drawn.bags.values])
    assert np.array_equal(source.types[rows], made.drawn.states)
    edge = made.drawn.bags.starts[40]
    assert not set(source.groups[rows[:edge]]) & set(source.groups[rows[edge:]])
    for place in range(60):
        start, stop = made.drawn.bags.starts[place : place + 2]
        assert len(set(rows[start:stop])) == stop - start


def test_no_cell_comes_again_before_all_came() -> None:
    source = pool(20_000)
    made = draw_real_cells(law(), source, PATIENTS)
    assert len({row.tobytes() for row in made.drawn.bags.values}) == len(made.drawn.bags.values)


def test_the_limit_is_the_posterior_of_the_counts() -> None:
    truth = law()
    made = draw_real_cells(truth, pool(), PATIENTS)
    told = best_answers(truth, made.drawn)
    starts = made.drawn.bags.starts
    logs = np.log(np.maximum(truth.compositions, 1e-300))
    for place in range(60):
        counts = np.bincount(made.drawn.states[starts[place] : starts[place + 1]], minlength=4)
        of_profile = np.where(counts > 0, logs * counts, 0).sum(axis=1)
        weights = truth.joint * np.exp(of_profile - of_profile.max())
        assert told.labels[place] == pytest.approx(weights.sum(axis=1) / weights.sum(), abs=1e-4)
    carries = truth.states.informative[made.drawn.states]
    assert told.informative == pytest.approx(carries.astype(float), abs=1e-4)


def test_labels_can_be_told_but_not_always() -> None:
    truth = law()
    made = draw_real_cells(truth, pool(), {"train": 500})
    told, has = marker_probabilities(truth, best_answers(truth, made.drawn).labels), made.table
    assert has.mean(axis=0) == pytest.approx([0.3, 0.4], abs=0.07)
    for marker in range(2):
        assert 0.75 < auroc(told[:, marker], has[:, marker] == 1) < 0.97


def test_a_seed_draws_the_same_again_and_another_does_not() -> None:
    once, again = (draw_real_cells(law(), pool(), PATIENTS, seed=1) for _ in range(2))
    assert np.array_equal(once.drawn.bags.values, again.drawn.bags.values)
    other = draw_real_cells(law(), pool(), PATIENTS, seed=2)
    assert not np.array_equal(once.drawn.combinations, other.drawn.combinations)


def test_what_cannot_be_made_is_said() -> None:
    with pytest.raises(ValueError, match="no cells of type plasma_cell"):
        law_of_types(NAMES, {"plasma_cell": 1}, {}, {}, BagSizes(10, 0.1, 5, 20), 0)
    with pytest.raises(ValueError, match="a patient needs"):
        draw_real_cells(law(), pool(40), PATIENTS)
    source = pool()
    with pytest.raises(ValueError, match="has the states"):
        draw_real_cells(law(), CellPool(NAMES[::-1], source.types, source.values, source.groups, "e"), PATIENTS)


def test_real_cells_take_shortcuts_that_leave_them_as_they_are() -> None:
    made = draw_real_cells(law(), pool(), PATIENTS)
    assert plant_cells(made, "left").drawn.bags.sizes.sum() < made.drawn.bags.sizes.sum()
    assert len(plant_duplicates(made, 3).facts) == 63
    for plant in (plant_site, plant_stain):
        with pytest.raises(ValueError, match="are real"):
            plant(made, "left")
