"""Patients of the malaria set: bags of one size, folds, and figures with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.app.malaria_bags import MalariaPatients, draw_bags, fold_of_patients, patients_of
from hemascope.app.malaria_measures import (
    cell_auroc,
    gray_histograms,
    gray_percentiles,
    gray_scores,
    mean_of_folds,
    patient_auroc,
    scores_of_draws,
)
from hemascope.core.errors import DataSetError
from hemascope.data.malaria import MalariaSet, RedCellOfPatient


def patients(*cells: tuple[str, int, int]) -> MalariaPatients:
    """Return patients by name, number of parasitized and of other cells; those with the former have malaria."""
    records = [
        RedCellOfPatient(0, name, sick > 0, place < sick, "train")
        for name, sick, well in cells
        for place in range(sick + well)
    ]
    return patients_of(MalariaSet(tuple(records), np.zeros((len(records), 50, 50), np.uint8)))


def test_patients_come_by_name_with_the_rows_of_their_cells() -> None:
    found = patients(("b", 1, 2), ("a", 0, 2))
    assert found.names == ("a", "b")
    assert found.malaria.tolist() == [False, True]
    assert [rows.tolist() for rows in found.rows] == [[3, 4], [0, 1, 2]]
    assert found.parasitized.tolist() == [True, False, False, False, False]


def test_a_limit_keeps_so_many_patients_of_each_kind() -> None:
    found = patients_of(
        MalariaSet(
            tuple(RedCellOfPatient(0, f"p{n}", n % 2 == 0, False, "train") for n in range(8)),
            np.zeros((8, 50, 50), np.uint8),
        ),
        limit=2,
    )
    assert found.names == ("p0", "p1", "p2", "p3")


@given(st.integers(0, 1000))
def test_every_bag_has_one_size_and_cells_of_its_patient_alone(seed: int) -> None:
    found = patients(("a", 0, 9), ("b", 2, 3), ("c", 4, 8))
    bags = draw_bags(found, 5, seed)
    assert bags.shape == (3, 5)
    for bag, rows in zip(bags.tolist(), found.rows, strict=True):
        assert set(bag) <= set(rows.tolist())
        assert len(set(bag)) == 5


def test_a_patient_with_fewer_cells_than_a_bag_is_named() -> None:
    with pytest.raises(DataSetError, match="patient 'b' has 5 cells, fewer than the 6 of a bag"):
        draw_bags(patients(("a", 0, 9), ("b", 2, 3)), 6, 0)


def test_folds_deal_each_kind_evenly() -> None:
    malaria = np.arange(37) < 22
    fold = fold_of_patients(malaria, 5, 3)
    for kind in (True, False):
        counts = np.bincount(fold[malaria == kind], minlength=5)
        assert counts.max() - counts.min() <= 1
    with pytest.raises(DataSetError, match="2 patients of a kind are fewer than 5 folds"):
        fold_of_patients(np.arange(10) < 2, 5, 0)


def test_the_figure_of_patients_is_the_mean_over_repeats() -> None:
    malaria = np.array([True, True, False, False])
    right, wrong = np.array([3.0, 2, 1, 0]), np.array([0.0, 1, 2, 3])
    told = patient_auroc(list("abcd"), [right, right, wrong, right], malaria)
    assert told.value == 0.75
    assert told.low is not None
    assert told.high is not None
    assert mean_of_folds([right], [np.array([0, 1, 0, 1])], malaria).value == 1


def test_cells_are_scored_in_malaria_bags_alone() -> None:
    found = patients(("a", 0, 4), ("b", 2, 2), ("c", 1, 3), ("d", 4, 0))
    bags = np.stack(found.rows)
    scores = np.array([[9.0, 8, 7, 6], [3, 2, 1, 0], [10, 13, 12, 11], [1, 1, 1, 1]])
    told = cell_auroc(found, [scores], [bags])
    assert told["within"].value == pytest.approx((1 + 0) / 2)  # b in order, c not at all, d has one kind
    truth = found.parasitized[bags[1:]].ravel()
    ones, others = scores[1:].ravel()[truth], scores[1:].ravel()[~truth]
    in_order = ((ones[:, None] > others).mean() + (ones[:, None] == others).mean() / 2).item()
    assert told["pooled"].value == pytest.approx(in_order)


def test_many_draws_of_one_size_do_not_rise_with_the_number_of_cells() -> None:
    found = patients(("few", 0, 6), ("many", 0, 600))
    evidence = np.concatenate([np.full(6, 1.0), np.full(600, 1.0)])
    np.testing.assert_allclose(scores_of_draws(found, evidence, 6, 2, draws=5, seed=0), [1, 1])
    few, many = scores_of_draws(found, np.concatenate([[5, 4, 0, 0, 0, 0], np.zeros(600)]), 6, 2, draws=5, seed=0)
    assert (few, many) == (4.5, 0)


def test_gray_histograms_have_22_numbers_of_the_cell_alone() -> None:
    images = np.zeros((2, 50, 50), np.uint8)
    images[0, :10, :10] = 255
    images[1, :25] = 1
    told = gray_histograms(images)
    assert told.shape == (2, 22)
    assert told[0].tolist() == [0] * 19 + [1, 100 / 2500, 255]
    assert told[1].tolist() == [1] + [0] * 19 + [0.5, 1]


def test_gray_percentiles_run_from_the_darkest_to_the_brightest_pixel_of_the_cell() -> None:
    images = np.zeros((2, 50, 50), np.uint8)
    images[0, :2, :10] = np.arange(1, 21).reshape(2, 10)
    told = gray_percentiles(images)
    np.testing.assert_allclose(told[0, :20], np.arange(1, 21))
    assert told[0, 20:].tolist() == pytest.approx([10.5, np.arange(1, 21).std()])
    assert not told[1].any()


def test_histograms_that_differ_are_told_on_patients_left_out() -> None:
    rng = np.random.default_rng(0)
    malaria = np.arange(40) % 2 == 0
    values = rng.normal(size=(40, 22)) + 3 * malaria[:, None]
    told = gray_scores(values, malaria, fold_of_patients(malaria, 5, 0))
    assert patient_auroc([str(n) for n in range(40)], [told], malaria).value == 1
