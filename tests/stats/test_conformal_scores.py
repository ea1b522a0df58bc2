"""Conformal sets: quantiles by hand, two forms that must agree, and coverage on exchangeable cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from hemascope.stats.conformal import (
    class_p_values,
    conformal_quantile,
    group_weights,
    marginal_p_values,
    nonconformity,
    p_values,
)

P = np.array([[0.5, 0.1, 0.4], [0.05, 0.9, 0.05]])


def cells(count: int, rng: np.random.Generator, shares=(0.5, 0.3, 0.2)):
    """Cells of three classes that overlap, with probabilities that are not calibrated at all."""
    labels = rng.choice(len(shares), size=count, p=shares)
    logits = rng.normal(size=(count, len(shares)))
    logits[np.arange(count), labels] += 1.5
    weights = np.exp(2.5 * logits)
    return weights / weights.sum(axis=1, keepdims=True), labels


def test_the_three_scores_by_hand() -> None:
    assert nonconformity(P, "lac") == pytest.approx(1 - P)
    u = [0.5, 1.0]
    aps = np.array([[0.25, 0.95, 0.7], [0.95, 0.9, 1.0]])
    assert nonconformity(P, "aps", u) == pytest.approx(aps)
    ranks = np.array([[0, 2, 1], [1, 0, 2]])
    assert nonconformity(P, "raps", u, penalty=0.1, free=1) == pytest.approx(aps + 0.1 * ranks)
    assert nonconformity(P, "aps").min(axis=1) == pytest.approx([0.5, 0.9])


def test_the_quantile_is_the_exact_one_of_finite_samples() -> None:
    assert conformal_quantile(np.arange(1, 20), 0.05) == 19
    assert conformal_quantile(np.arange(1, 100), 0.05) == 95
    assert conformal_quantile(np.arange(1, 101), 0.05) == 96
    assert conformal_quantile(np.arange(1, 19), 0.05) == math.inf
    assert conformal_quantile([], 0.5) == math.inf
    assert conformal_quantile(np.arange(1, 1000), 0.1) == 900


def test_a_group_of_copies_counts_once() -> None:
    values = np.random.default_rng(0).normal(size=60)
    copies = np.random.default_rng(1).integers(1, 6, 60)
    groups = np.repeat(np.arange(60), copies)
    for alpha in (0.05, 0.1, 0.31):
        assert conformal_quantile(np.repeat(values, copies), alpha, groups) == conformal_quantile(values, alpha)
    assert group_weights(["a", "b", "a", "a"]) == pytest.approx([1 / 3, 1, 1 / 3, 1 / 3])


@given(st.lists(st.integers(0, 12), max_size=60), st.floats(0.01, 0.99), st.booleans())
def test_p_values_and_quantile_give_one_set(scores: list[int], alpha: float, grouped: bool) -> None:
    groups = np.arange(len(scores)) // 3 if grouped else None
    asked = np.arange(-1.0, 14.0)[:, None]
    weights = None if groups is None else group_weights(groups)
    p = p_values(scores, asked, weights=weights)
    total = len(scores) + 1 if groups is None else len(np.unique(groups)) + 1
    if np.abs(p * total - alpha * total).min() < 1e-6:
        return  # the border itself, where rounding decides
    assert ((p > alpha) == (asked <= conformal_quantile(scores, alpha, groups))).all()


def test_p_values_by_hand() -> None:
    asked = np.array([[0.0], [2.0], [2.5], [9.0]])
    assert p_values([1, 2, 2, 3], asked).ravel() == pytest.approx([1, 4 / 5, 2 / 5, 1 / 5])
    assert p_values([1, 2, 2, 3], asked, ties=np.full(4, 0.5)).ravel() == pytest.approx([0.9, 0.5, 0.3, 0.1])
    weighted = p_values([1, 2], asked, weights=[3, 1], own_weights=2)
    assert weighted.ravel() == pytest.approx([1, 3 / 6, 2 / 6, 2 / 6])


def coverage(p: np.ndarray, labels: np.ndarray, alpha: float) -> np.ndarray:
    return p[np.arange(len(labels)), labels] > alpha


@pytest.mark.parametrize("score", ["lac", "aps", "raps"])
@pytest.mark.parametrize("by_class", [False, True])
def test_randomized_sets_of_exchangeable_cells_have_exactly_the_stated_coverage(score: str, by_class: bool) -> None:
    rng, alpha = np.random.default_rng(3), 0.1
    hits = []
    for _ in range(500):
        (known, known_labels), (asked, labels) = cells(37, rng), cells(1, rng)
        scores = [nonconformity(p, score, rng.uniform(size=len(p))) for p in (known, asked)]
        method = class_p_values if by_class else marginal_p_values
        hits.append(coverage(method(scores[0], known_labels, scores[1], ties=rng.uniform(size=1)), labels, alpha)[0])
    low, high = binom.ppf([0.0005, 0.9995], 500, 1 - alpha)
    assert low <= sum(hits) <= high


def test_without_chance_coverage_is_at_least_stated_and_at_most_one_step_more() -> None:
    rng, alpha, n = np.random.default_rng(5), 0.1, 30
    hits = 0
    for _ in range(1500):
        (known, known_labels), (asked, labels) = cells(n, rng), cells(1, rng)
        p = marginal_p_values(1 - known, known_labels, 1 - asked)
        hits += int(coverage(p, labels, alpha)[0])
    low = binom.ppf(0.0005, 1500, 1 - alpha)
    assert low <= hits <= binom.ppf(0.9995, 1500, 1 - alpha + 1 / (n + 1))


def test_sets_by_class_keep_their_coverage_in_every_class_where_the_shares_change() -> None:
    rng, alpha = np.random.default_rng(7), 0.1
    hits: list[list[bool]] = [[], [], []]
    for _ in range(120):
        known, known_labels = cells(150, rng)
        asked, labels = cells(100, rng, shares=(0.1, 0.1, 0.8))
        p = class_p_values(1 - known, known_labels, 1 - asked, ties=rng.uniform(size=100))
        for label, hit in zip(labels, coverage(p, labels, alpha), strict=True):
            hits[label].append(bool(hit))
    # The cells of one resplit share their calibration cells: the spread over splits is wider than binomial.
    assert [np.mean(h) for h in hits] == pytest.approx([0.9, 0.9, 0.9], abs=0.03)


def test_marginal_sets_lose_their_coverage_where_the_shares_change_and_ratios_restore_it() -> None:
    rng, alpha = np.random.default_rng(9), 0.1
    before, after = np.array([0.8, 0.1, 0.1]), np.array([0.05, 0.05, 0.9])
    plain, weighted = [], []
    for _ in range(60):
        known, known_labels = cells(300, rng, before)
        asked, labels = cells(100, rng, after)
        bias = np.array([1.0, 0.3, 0.1])
        scores = [1 - p * bias / (p * bias).sum(axis=1, keepdims=True) for p in (known, asked)]
        for kept, ratios in ((plain, None), (weighted, after / before)):
            p = marginal_p_values(scores[0], known_labels, scores[1], class_ratios=ratios, ties=rng.uniform(size=100))
            kept.append(coverage(p, labels, alpha).mean())
    assert np.mean(plain) < 0.8
    assert np.mean(weighted) == pytest.approx(0.9, abs=0.02)


def test_groups_keep_the_coverage_of_a_new_group_where_cells_are_near_copies() -> None:
    rng, alpha = np.random.default_rng(11), 0.2
    plain = grouped = 0
    for _ in range(800):
        # Large groups are of easy cells: counted cell by cell they would crowd out the hard ones.
        hard = rng.uniform(size=25) < 0.5
        base = np.where(hard, rng.normal(2, 1, 25), rng.normal(0, 1, 25))
        sizes = np.where(hard, 1, 12)
        scores, groups = np.repeat(base, sizes), np.repeat(np.arange(25), sizes)
        new = rng.normal(2, 1) if rng.uniform() < 0.5 else rng.normal(0, 1)
        plain += new <= conformal_quantile(scores, alpha)
        grouped += new <= conformal_quantile(scores, alpha, groups)
    assert grouped >= binom.ppf(0.0005, 800, 1 - alpha)
    assert plain < 800 * (1 - alpha - 0.05)


@given(st.integers(0, 200), st.floats(0.01, 0.9), st.floats(0.0, 0.09), st.sampled_from(["lac", "aps", "raps"]))
@settings(max_examples=40, deadline=None)
def test_a_greater_coverage_never_takes_a_class_out_of_a_set(seed: int, alpha: float, less: float, score: str) -> None:
    rng = np.random.default_rng(seed)
    (known, known_labels), (asked, _) = cells(40, rng), cells(20, rng)
    u = rng.uniform(size=20)
    scores = nonconformity(known, score, rng.uniform(size=40)), nonconformity(asked, score, u)
    for method in (marginal_p_values, class_p_values):
        p = method(scores[0], known_labels, scores[1], ties=u)
        assert ((p > alpha) <= (p > alpha * (1 - less))).all()
        assert ((p >= 0) & (p <= 1)).all()


def test_a_class_never_seen_in_calibration_is_never_excluded() -> None:
    p = class_p_values(1 - P[:1], [0], 1 - P)
    assert p[:, 1:] == pytest.approx(np.ones((2, 2)))


def test_what_is_no_distribution_or_no_level_is_refused() -> None:
    with pytest.raises(ValueError, match="every row must sum to 1"):
        nonconformity(P * 2)
    with pytest.raises(ValueError, match="tie numbers"):
        nonconformity(P, "aps", [0.5])
    with pytest.raises(ValueError, match="no score"):
        nonconformity(P, "margin")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alpha"):
        conformal_quantile([1, 2], 0)
    with pytest.raises(ValueError, match="weights"):
        p_values([1, 2], P, weights=[1, -1])
