"""Encoder and aggregator learn together from labels of patients which cells matter."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="needs the extra 'train'")

import torch

from hemascope.recipes.cell_bags import CellBagRecipe
from hemascope.stats.ranking import auroc
from hemascope.train.bags import images
from hemascope.train.bags.images import CellsOfPatients, answer_bags, build_evidence_net, fit_cell_bags

SIDE, EACH, PATIENTS = 12, 6, 16


def recipe(**changes: object) -> CellBagRecipe:
    small: dict[str, object] = {"bag": 4, "epochs": 8, "number_epochs": 8, "width": 2, "number_width": 8}
    return CellBagRecipe.model_validate({"name": "small", "version": "1", "attention_width": 4} | small | changes)


def cohort(pictures: bool) -> tuple[CellsOfPatients, NDArray[np.bool_]]:
    """Return patients, and which cells carry what positive patients have: a dark dot, or a high first number."""
    rng = np.random.default_rng(0)
    positive = np.arange(PATIENTS) % 2 == 0
    marked = np.repeat(positive, EACH) & (np.tile(np.arange(EACH), PATIENTS) < EACH // 2)
    if pictures:
        values = rng.normal(0, 0.2, (PATIENTS * EACH, SIDE, SIDE))
        values[marked, 4:7, 5:8] -= 4
    else:
        values = rng.normal(size=(PATIENTS * EACH, 5))
        values[marked, 0] += 4
    rows = [np.arange(EACH) + EACH * patient for patient in range(PATIENTS)]
    return CellsOfPatients(values.astype(np.float32), rows, positive), marked


@pytest.mark.parametrize("pictures", [True, False])
def test_patients_left_out_are_told_and_the_marked_cells_found(pictures: bool) -> None:
    cells, marked = cohort(pictures)
    net = fit_cell_bags(recipe(epochs=25, number_epochs=25, learning_rate=0.02), cells, np.arange(12), seed=0)
    bags = np.stack(cells.rows[12:])
    told = answer_bags(net, cells.values, bags)
    assert auroc(told.top, cells.positive[12:]) == 1
    assert auroc(told.evidence.ravel(), marked[bags].ravel()) > 0.9
    np.testing.assert_allclose(told.attention.sum(axis=1), 1, atol=1e-5)


def test_equal_seeds_give_equal_networks_and_others_others() -> None:
    cells, _ = cohort(False)
    one, same, other = (fit_cell_bags(recipe(), cells, np.arange(12), seed) for seed in (1, 1, 2))
    assert torch.equal(one.evidence.weight, same.evidence.weight)
    assert not torch.equal(one.evidence.weight, other.evidence.weight)


def test_only_training_patients_are_looked_at() -> None:
    cells, _ = cohort(False)
    spoiled = CellsOfPatients(cells.values.copy(), cells.rows, cells.positive.copy())
    spoiled.values[12 * EACH :] = np.nan
    spoiled.positive[12:] = True
    one, same = (fit_cell_bags(recipe(), given, np.arange(12), 1) for given in (cells, spoiled))
    assert torch.equal(one.evidence.weight, same.evidence.weight)


def test_a_frozen_encoder_stays_as_it_is_and_the_rest_learns() -> None:
    cells, _ = cohort(True)
    start = build_evidence_net(recipe(), cells.values)
    before = {name: value.clone() for name, value in start.state_dict().items()}
    net = fit_cell_bags(recipe(frozen=True, epochs=2), cells, np.arange(12), 0, start=start)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]) == (name.startswith("encoder."))


def test_progress_is_told_each_epoch() -> None:
    told: list[tuple[int, int]] = []
    fit_cell_bags(recipe(), cohort(False)[0], np.arange(12), 0, lambda epoch, epochs, _: told.append((epoch, epochs)))
    assert told == [(epoch, 8) for epoch in range(1, 9)]


def test_patients_of_one_kind_cannot_teach() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        fit_cell_bags(recipe(), cohort(False)[0], np.array([0, 2, 4]), 0)


def test_the_eight_views_differ() -> None:
    picture = torch.arange(9.0).reshape(1, 3, 3)
    views = {tuple(images._turned(picture, turn).flatten().tolist()) for turn in range(8)}
    assert len(views) == 8
