"""Every patient has a place, nobody two that exclude each other, and named splits are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hemascope.bags.folds import PatientPlan, labels_of, plan_folds
from hemascope.core.bag_task import BagTask, TaskKind

DISEASE = BagTask("disease", TaskKind.CLASSES, ("healthy", "sick", "ill"))
MARKERS = BagTask("markers", TaskKind.MARKERS, ("t", "gain"))
HEMOGLOBIN = BagTask("hemoglobin", TaskKind.NUMBER, ("hemoglobin",))
TASKS = (DISEASE, MARKERS, HEMOGLOBIN)
NAN = np.nan


def truths(patients: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    truth = np.column_stack(
        [
            rng.integers(0, 3, patients),
            rng.random(patients) < 0.2,
            rng.random(patients) < 0.4,
            rng.normal(size=patients),
        ]
    )
    truth[rng.random(truth.shape) < 0.1] = NAN
    return truth


def check_apart(plan: PatientPlan) -> None:
    held = np.concatenate([fold.held_out for fold in plan.folds])
    assert len(set(held)) == len(held)
    asked = set(np.concatenate([*plan.asked.values(), np.empty(0, np.intp)]).tolist())
    for fold in plan.folds:
        train = set(fold.train.tolist())
        assert train
        assert not train & (set(fold.watch.tolist()) | set(fold.held_out.tolist()) | asked)


SPLITS = st.lists(st.sampled_from(["", "", "", "train", "val", "test", "excluded"]), min_size=40, max_size=70)


@given(SPLITS, st.integers(2, 5), st.integers(0, 999), st.booleans())
def test_every_patient_of_a_cross_validation_is_held_out_or_asked_once(
    named: list[str], folds: int, seed: int, watch_held_out: bool
) -> None:
    plan = plan_folds(TASKS, truths(len(named), seed), named, folds, seed, watch_held_out=watch_held_out)
    check_apart(plan)
    held = np.concatenate([fold.held_out for fold in plan.folds])
    everybody = [*held, *(place for places in plan.asked.values() for place in places)]
    assert sorted(everybody) == list(range(len(named)))
    for name, places in plan.asked.items():
        assert {named[place] for place in places} == {name}
    for fold in plan.folds:
        seen = {*fold.train.tolist(), *fold.held_out.tolist(), *fold.watch.tolist()}
        assert not seen & {place for place, name in enumerate(named) if name in ("test", "excluded")}
        if "val" in named:
            assert {named[place] for place in fold.watch} == {"val"}
        elif watch_held_out:
            np.testing.assert_array_equal(fold.watch, fold.held_out)
        else:
            assert not set(fold.watch.tolist()) & set(fold.held_out.tolist())


@given(st.integers(0, 999), st.integers(2, 5))
def test_folds_are_alike_in_what_is_asked(seed: int, folds: int) -> None:
    truth = truths(60, seed)
    labels = labels_of(TASKS, truth)
    plan = plan_folds(TASKS, truth, [""] * 60, folds, seed)
    counts = np.array([labels[fold.held_out].sum(axis=0) for fold in plan.folds])
    assert np.abs(counts - labels.sum(axis=0) / folds).max() < 2


@given(st.integers(0, 999), st.integers(2, 6))
def test_classes_alone_differ_by_one_patient_at_most(seed: int, folds: int) -> None:
    truth = np.random.default_rng(seed).integers(0, 3, (50, 1)).astype(float)
    plan = plan_folds((DISEASE,), truth, [""] * 50, folds, seed)
    counts = np.array([np.bincount(truth[fold.held_out, 0].astype(int), minlength=3) for fold in plan.folds])
    assert np.ptp(counts, axis=0).max() <= 1


def test_one_model_keeps_the_splits_of_the_cohort() -> None:
    named = ["train"] * 30 + ["val"] * 10 + ["test"] * 10 + [""] * 5
    plan = plan_folds(TASKS, truths(55, 0), named, 1, 0)
    [fold] = plan.folds
    np.testing.assert_array_equal(fold.train, [*range(30), *range(50, 55)])
    np.testing.assert_array_equal(fold.watch, range(30, 40))
    np.testing.assert_array_equal(fold.held_out, fold.watch)
    np.testing.assert_array_equal(plan.asked["test"], range(40, 50))


def test_one_model_draws_the_splits_that_nobody_named() -> None:
    plan = plan_folds(TASKS, truths(100, 0), [""] * 100, 1, 0)
    check_apart(plan)
    sizes = (len(plan.folds[0].train), len(plan.folds[0].watch), len(plan.asked["test"]))
    np.testing.assert_allclose(sizes, (60, 20, 20), atol=1)
    tested = plan_folds(TASKS, truths(100, 0), ["test"] * 20 + ["train"] * 80, 1, 0)
    np.testing.assert_array_equal(tested.asked["test"], range(20))
    np.testing.assert_allclose((len(tested.folds[0].train), len(tested.folds[0].watch)), (60, 20), atol=1)
    watched = plan_folds(TASKS, truths(100, 0), ["val"] * 20 + [""] * 80, 1, 0)
    assert watched.asked == {}
    apart = plan_folds(TASKS, truths(100, 0), ["excluded"] * 20 + [""] * 80, 1, 0)
    np.testing.assert_array_equal(apart.asked["excluded"], range(20))
    check_apart(apart)


@pytest.mark.parametrize(
    ("named", "folds", "message"),
    [(["holdout"], 2, "not holdout"), (["", ""], 3, "2 patients cannot"), (["val", "val"], 1, "both must be some")],
)
def test_what_cannot_be_planned_is_an_error(named: list[str], folds: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_folds((DISEASE,), np.zeros((len(named), 1)), named, folds, 0)


def test_labels_are_classes_both_sides_of_markers_and_known_numbers() -> None:
    found = labels_of(TASKS, np.array([[1, 1, NAN, 12.0], [NAN, 0, 1, NAN]]))
    np.testing.assert_array_equal(found.astype(int), [[0, 1, 0, 0, 1, 0, 0, 1], [0, 0, 0, 1, 0, 0, 1, 0]])
