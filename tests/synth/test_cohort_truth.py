"""Simulated cohorts: what was fixed stays fixed, and the best answer is the one that brute force finds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.evaluate.subject_pairs import auroc
from hemascope.synth.cohort.bayes import (
    best_answers,
    best_numbers,
    class_probabilities,
    marker_probabilities,
    share_informative,
)
from hemascope.synth.cohort.draw import BLOCK, draw_blocks, draw_patients, join_drawn, truth_table
from hemascope.synth.cohort.presets import DIFFICULTIES, FINE, PREVALENCES, eight_classes, myeloma_720
from hemascope.synth.cohort.truth import BagSizes, CellStates, CohortTruth, embedding_view

FIXED = {"easy": (0.159, 32), "medium": (0.118, 64), "hard": (0.080, 128)}
"""Share of informative cells and length of embeddings, as they were fixed before any model was trained."""


def two_states(distance: float = 2.0) -> CohortTruth:
    """One marker, three profiles, five cells a patient at most: small enough to sum everything by hand."""
    view = embedding_view(np.random.default_rng(0), 6, 2, 0.5, 2, 1.0)
    return CohortTruth(
        name="two-states", seed=3,
        tasks=(BagTask("marker", TaskKind.MARKERS, ("marker",)),),
        states=CellStates(("plain", "changed"), np.array([[0.0, 0.0], [distance, 0.0]]), np.array([False, True])),
        compositions=np.array([[1.0, 0.0], [0.7, 0.3], [0.2, 0.8]]),
        labels=np.array([[0.0], [1.0]]),
        joint=np.array([[0.5, 0.1, 0.0], [0.05, 0.15, 0.2]]),
        sizes=BagSizes(4, 0.3, 2, 5),
        view=view,
    )  # fmt: skip


def test_best_answer_is_the_sum_over_all_states_of_all_cells() -> None:
    truth = two_states()
    drawn = draw_patients(truth, 20, 0)
    told = best_answers(truth, drawn)
    starts = drawn.bags.starts
    for patient in range(20):
        cells = drawn.places[starts[patient] : starts[patient + 1]]
        density = np.exp(-0.5 * ((cells[:, None] - truth.states.centers) ** 2).sum(axis=2))
        total = np.zeros((2, 3))
        changed = np.zeros(len(cells))
        for states in itertools.product((0, 1), repeat=len(cells)):
            rows = np.arange(len(cells))
            weight = truth.joint * truth.compositions[:, states].prod(axis=1) * density[rows, states].prod()
            total += weight
            changed += weight.sum() * np.array(states)
        assert told.labels[patient] == pytest.approx(total.sum(axis=1) / total.sum(), abs=1e-5)
        assert told.informative[starts[patient] : starts[patient + 1]] == pytest.approx(changed / total.sum(), abs=1e-5)


def test_best_answers_are_calibrated() -> None:
    truth = two_states()
    drawn = draw_patients(truth, 6000, 1)
    told = marker_probabilities(truth, best_answers(truth, drawn).labels)[:, 0]
    has = truth_table(truth, drawn)[:, 0]
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        inside = (told >= low) & (told < low + 0.2)
        if inside.sum() > 100:
            assert abs(told[inside].mean() - has[inside].mean()) < 4 * np.sqrt(0.25 / inside.sum())


def test_a_stream_does_not_depend_on_how_many_are_asked() -> None:
    truth = two_states()
    whole, part = draw_patients(truth, BLOCK + 40, 2), draw_patients(truth, 30, 2)
    assert whole.bags.patients[:30] == part.bags.patients
    assert np.array_equal(whole.bags.values[: len(part.bags.values)], part.bags.values)
    assert np.array_equal(truth_table(truth, whole)[:30], truth_table(truth, part))
    again = join_drawn(list(draw_blocks(truth, BLOCK + 40, 2)))
    assert np.array_equal(again.bags.values, whole.bags.values)
    assert not np.array_equal(draw_patients(truth, 30, 3).combinations, part.combinations)


def test_nuisance_can_be_turned_away_and_says_nothing() -> None:
    truth = two_states()
    drawn = draw_patients(truth, 200, 0)
    back = drawn.bags.values @ truth.view.rotation.T
    assert np.allclose(back[:, :2], drawn.places, atol=1e-4)
    assert np.allclose(truth.view.rotation @ truth.view.rotation.T, np.eye(6), atol=1e-5)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_myeloma_is_as_it_was_fixed(difficulty: str) -> None:
    truth = myeloma_720(difficulty)
    share, dimension = FIXED[difficulty]
    assert truth.view.dimension == dimension
    assert share_informative(truth) == pytest.approx(share, abs=0.01)
    assert np.allclose(truth.joint.sum(axis=1) @ truth.labels, PREVALENCES)
    drawn = draw_patients(truth, BLOCK, 0)
    assert drawn.bags.values.shape[1] == dimension
    assert drawn.bags.sizes.min() >= 68
    assert drawn.bags.sizes.max() <= 823
    carried = truth.compositions[:, truth.states.informative].max()
    assert 0.05 <= carried <= 0.2


@pytest.mark.slow
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_best_areas_of_myeloma_are_in_the_stated_range(difficulty: str) -> None:
    truth = myeloma_720(difficulty)
    drawn = draw_patients(truth, 8000, 9)
    told, has = marker_probabilities(truth, best_answers(truth, drawn).labels), truth_table(truth, drawn)
    for marker in range(4):
        assert 0.84 < auroc(told[:, marker], has[:, marker] == 1) < 0.93


def test_eight_classes_have_the_letter_s_proportions() -> None:
    truth = eight_classes()
    coarse = np.zeros(8)
    np.add.at(coarse, truth.labels[:, 0].astype(int), truth.joint.sum(axis=1) * 409)
    assert coarse.round(6).tolist() == [46, 38, 22, 48, 57, 57, 42, 99]
    assert sum(patients for _, patients in FINE.values()) == 409
    drawn = draw_patients(truth, 600, 9)
    best = best_answers(truth, drawn)
    told, has = class_probabilities(truth, best.labels), truth_table(truth, drawn)
    assert 0.74 < (told.argmax(axis=1) == has[:, 0]).mean() < 0.86
    assert np.corrcoef(best_numbers(truth, best.labels), has[:, 1])[0, 1] > 0.6
    assert 450 < drawn.bags.sizes.mean() <= 500
