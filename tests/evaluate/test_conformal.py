"""Figures of prediction sets on cells whose coverage is known."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.core.errors import DataSetError
from hemascope.evaluate.conformal import (
    SetMethod,
    TypedAnswers,
    average_sets,
    groups_of_at_most,
    half_of_groups,
    likelihood_ratios,
    resplit_figures,
    source_figures,
    weighted_sets,
)


def answers(count: int, seed: int, sharp: float = 1.5, copies: int = 1) -> TypedAnswers:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    logits = rng.normal(size=(count, 4))
    logits[np.arange(count), labels] += sharp
    p = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
    groups = np.array([f"{seed}-{i}" for i in range(count)], np.str_)
    return TypedAnswers(*(np.repeat(a, copies, axis=0) for a in (p, labels, groups)))


@pytest.mark.parametrize("score", ["lac", "aps", "raps"])
@pytest.mark.parametrize("by_class", [False, True])
def test_over_resplits_the_coverage_is_as_stated(score: str, by_class: bool) -> None:
    found = resplit_figures(answers(400, 1), SetMethod(score, by_class), 0.1, resplits=60)
    coverage = found["coverage"]
    assert coverage.value == pytest.approx(0.9, abs=0.012)
    assert coverage.low is not None
    assert coverage.high is not None
    assert coverage.low < 0.9 < coverage.high
    if by_class:
        assert found["lowest_type_coverage"].value == pytest.approx(0.9, abs=0.03)
    assert found["size"].value is not None
    assert 1 < found["size"].value < 4


def test_cells_nobody_can_mistake_get_sets_of_one_type_or_none() -> None:
    sure = answers(300, 2)
    sure = TypedAnswers(np.eye(4)[sure.labels], sure.labels, sure.groups)
    found = resplit_figures(sure, SetMethod("aps", False), 0.05, resplits=40)
    assert found["coverage"].value == pytest.approx(0.95, abs=0.012)
    assert found["single"].value == pytest.approx(found["coverage"].value, abs=1e-9)
    assert found["empty"].value == pytest.approx(1 - found["coverage"].value, abs=1e-9)


def test_cells_of_one_group_stay_on_one_side() -> None:
    groups = np.repeat(np.arange(21).astype(np.str_), 5)
    for divide in (half_of_groups, groups_of_at_most(33)):
        mask = divide(groups, np.random.default_rng(0))
        assert not set(groups[mask]) & set(groups[~mask])
    assert half_of_groups(groups, np.random.default_rng(0)).sum() == 50
    assert groups_of_at_most(33)(groups, np.random.default_rng(0)).sum() == 30


def test_groups_of_cells_that_differ_are_covered_exactly() -> None:
    # Groups of 1 to 12 cells: weights within groups would cover more than is stated.
    alone = answers(600, 12)
    sizes = np.tile(np.arange(1, 13), 8)[:78]
    groups = np.repeat(np.arange(len(sizes)), sizes)[: len(alone.labels)].astype(np.str_)
    grouped = TypedAnswers(alone.probabilities[: len(groups)], alone.labels[: len(groups)], groups)
    found = resplit_figures(grouped, SetMethod("lac", False), 0.1, resplits=600)
    assert found["coverage"].value == pytest.approx(0.9, abs=0.01)


def test_a_division_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no cell is left on one side"):
        resplit_figures(answers(30, 3, copies=4), SetMethod("lac", False), 0.1, divide=groups_of_at_most(3))


def test_a_division_that_spreads_a_group_is_refused() -> None:
    def half_of_cells(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.arange(len(groups)) % 2 == 0

    with pytest.raises(DataSetError, match="group '3-0' and 29 more sits both in calibration and in evaluation"):
        resplit_figures(answers(30, 3, copies=2), SetMethod("lac", False), 0.1, divide=half_of_cells)


def test_copies_change_no_figure() -> None:
    method = SetMethod("lac", False)
    once = resplit_figures(answers(200, 4), method, 0.1, resplits=100)
    copied = resplit_figures(answers(200, 4, copies=3), method, 0.1, resplits=100)
    assert copied["coverage"].value == pytest.approx(once["coverage"].value, abs=0.015)
    assert copied["size"].value == pytest.approx(once["size"].value, abs=0.1)


def test_on_another_source_coverage_is_lost_and_said_with_its_interval() -> None:
    known, alike, other = answers(400, 5), answers(300, 6), answers(300, 7, sharp=-0.5)
    method = SetMethod("lac", True)
    kept, lost = (
        source_figures(average_sets(method, known, each.probabilities, 0.1), each)["coverage"]
        for each in (alike, other)
    )
    assert kept.value == pytest.approx(0.9, abs=0.05)
    assert lost.high is not None
    assert lost.high < 0.8


def test_weights_restore_the_coverage_where_only_how_often_each_look_occurs_differs() -> None:
    rng = np.random.default_rng(0)

    def seen(count: int, center: float) -> tuple[np.ndarray, TypedAnswers]:
        # Cells at greater x are harder; what is said of them is as sure as of the others.
        x = rng.normal(center, 1, count)
        labels = rng.integers(0, 2, count)
        right = rng.uniform(size=count) > np.clip(0.02 + 0.15 * x, 0, 0.5)
        p = rng.uniform(0.5, 1, count)
        first = np.where(right == (labels == 0), p, 1 - p)
        groups = np.array([f"{center}-{i}" for i in range(count)], np.str_)
        return x[:, None].astype(np.float32), TypedAnswers(np.stack([first, 1 - first], axis=1), labels, groups)

    (here, known), (there, asked) = seen(1500, 0.0), seen(600, 1.5)
    plain = source_figures(average_sets(SetMethod("lac", False), known, asked.probabilities, 0.1), asked)
    held = weighted_sets(known, asked.probabilities, likelihood_ratios(here, there, c=10.0), 0.1, draws=10)
    weighted = source_figures(held, asked)
    assert plain["coverage"].value < 0.85
    assert weighted["coverage"].value == pytest.approx(0.9, abs=0.05)


def test_where_sources_look_nothing_alike_weights_exclude_nothing() -> None:
    rng = np.random.default_rng(1)
    here, there = (rng.normal(center, 1, (200, 5)).astype(np.float32) for center in (0, 50))
    known, asked = answers(200, 9), answers(200, 10)
    assert weighted_sets(known, asked.probabilities, likelihood_ratios(here, there, c=10.0), 0.05).mean() > 0.9


def test_ratios_are_for_marginal_sets_alone() -> None:
    known = answers(50, 8)
    with pytest.raises(ValueError, match="give no ratios"):
        average_sets(SetMethod("lac", True), known, known.probabilities, 0.1, class_ratios=np.ones(4))
