"""Rules of elimination on made-up errors: what they cost, and how often they give up a class that is as good as any."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from hemascope.classify.diffusion.elimination import (
    AnytimeRule,
    CalibratedRule,
    EliminationRule,
    NoElimination,
    PublishedRule,
    fit_calibrated_rule,
)
from hemascope.classify.diffusion.race import race as run


def race(rule: EliminationRule, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes left of N x K x T errors, and the trials that each was in."""

    def observe(cells: np.ndarray, alive: np.ndarray, first: int, last: int) -> np.ndarray:
        return np.where(alive[:, :, None], errors[cells, :, first:last], np.nan)

    seen, left = run(rule, observe, np.ones(errors.shape[:2], bool), errors.shape[2])
    return left, (~np.isnan(seen)).sum(axis=2)


def draw(count: int, means: list[float], trials: int, seed: int = 0) -> np.ndarray:
    """Errors with a part shared by the classes, as noise shared between them makes."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(count, len(means), trials)) + np.array(means)[:, None]
    return own + 5 * rng.normal(size=(count, 1, trials))


def test_the_published_test_is_a_paired_t_test() -> None:
    errors = draw(40, [0.0, 0.5, 0.7], 21)
    kept = PublishedRule().survivors(errors, np.ones((40, 3), bool))
    for cell, stays in zip(errors, kept, strict=True):
        leader = cell.mean(axis=1).argmin()
        for rival in set(range(3)) - {leader}:
            assert stays[rival] == (ttest_rel(cell[rival], cell[leader]).pvalue >= 0.002)
        assert stays[leader]
    assert 0 < kept.mean() < 1


def test_the_published_looks_are_those_after_index_20_and_each_fifth() -> None:
    rule, looks = PublishedRule(), [0]
    while looks[-1] < 40:
        looks.append(rule.next_look(looks[-1]))
    assert looks == [0, 21, 26, 31, 36, 41]


def test_between_equal_classes_the_published_rule_errs_far_more_than_it_says_and_the_default_does_not() -> None:
    errors = draw(500, [0.0, 0.0], 1000)
    published, _ = race(PublishedRule(), errors)
    anytime, _ = race(AnytimeRule(error=0.02), errors)
    assert (published.sum(axis=1) == 1).mean() > 5 * 0.002
    # Either of the two may count as the best, so both chances of 2% add up.
    assert (anytime.sum(axis=1) == 1).mean() < 2 * 0.02


def test_among_eight_equal_classes_none_is_given_up_more_often_than_stated() -> None:
    anytime, _ = race(AnytimeRule(error=0.1), draw(400, [0.0] * 8, 200))
    assert (~anytime).mean(axis=0).max() < 0.1
    published, _ = race(PublishedRule(), draw(400, [0.0] * 8, 200))
    assert (~published).mean(axis=0).max() > 0.02


def test_a_clear_gap_is_decided_within_five_observations() -> None:
    errors = draw(200, [0.0] + [15.0] * 7, 100)
    alive, spent = race(AnytimeRule(), errors)
    assert (alive == (np.arange(8) == 0)).all()
    assert spent.max() <= 6
    assert np.median(spent) <= 5
    _, published = race(PublishedRule(), errors)
    assert (published == 21).all()


def test_equal_differences_are_decided_and_equal_errors_never() -> None:
    constant = np.zeros((1, 3, 50))
    constant[0, 2] = 1.0
    alive, _ = race(AnytimeRule(), constant)
    assert alive.tolist() == [[True, True, False]]


def test_fewer_candidates_need_less_evidence() -> None:
    errors = draw(300, [0.0, 3.0] + [3.0] * 6, 30)
    few = errors.copy()
    few[:, 2:] = np.nan
    two = np.ones((300, 8), bool) & (np.arange(8) < 2)
    kept_of_two = AnytimeRule().survivors(few[:, :, :5], two)
    kept_of_eight = AnytimeRule().survivors(errors[:, :, :5], np.ones((300, 8), bool))
    assert kept_of_two[:, 1].mean() < kept_of_eight[:, 1].mean()
    assert not kept_of_two[:, 2:].any()


def test_without_elimination_nothing_is_given_up() -> None:
    alive, spent = race(NoElimination(), draw(5, [0.0, 99.0], 30))
    assert alive.all()
    assert (spent == 30).all()


def test_the_calibrated_rule_keeps_the_answer_of_all_trials_as_often_as_stated_and_is_cheap() -> None:
    rng = np.random.default_rng(2)
    means = rng.exponential(3.0, size=(6000, 5))  # cells easy and hard
    errors = means[:, :, None] + rng.standard_t(3, size=(6000, 5, 40)) + 5 * rng.normal(size=(6000, 1, 40))
    final = errors.mean(axis=2).argmin(axis=1)
    rule = fit_calibrated_rule(errors[:3000], 0.05)
    alive, spent = race(rule, errors[3000:])
    lost = ~alive[np.arange(3000), final[3000:]]
    assert 0.01 < lost.mean() < 0.065
    assert spent.mean() < 0.4 * 40
    _, anytime = race(AnytimeRule(error=0.05), errors[3000:])
    assert spent.mean() < anytime.mean()


def test_the_calibrated_rule_decides_at_once_where_trials_have_no_noise() -> None:
    errors = np.repeat(np.random.default_rng(3).random((900, 4, 1)), 6, axis=2)
    alive, spent = race(fit_calibrated_rule(errors, 0.01), errors)
    assert (alive.sum(axis=1) == 1).all()
    assert (spent == 1).all()


def test_cells_alike_count_as_one() -> None:
    errors = draw(400, [0.0, 1.0], 10)
    assert len(fit_calibrated_rule(errors, 0.05).limits) == 10
    with pytest.raises(ValueError, match="needs more than 20 groups"):
        fit_calibrated_rule(errors, 0.05, groups=np.arange(400) // 20)


def test_what_cannot_be_calibrated_on_is_refused() -> None:
    with pytest.raises(ValueError, match="finite errors"):
        fit_calibrated_rule(np.full((3, 2, 4), np.nan))
    with pytest.raises(ValueError, match="between 0 and 1"):
        AnytimeRule(error=0.0)
    assert CalibratedRule((1.0, 0.5)).survivors(np.array([[[0.0] * 5, [0.7] * 5]]), np.ones((1, 2), bool)).tolist() == [
        [True, False]
    ]
