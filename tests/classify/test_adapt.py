"""Adapting to unlabeled cells: known answers of every step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from hemascope.classify.adapt import (
    balance_answers,
    match_stain,
    mix_answers,
    prototypes,
    reweigh,
    smooth_answers,
    stain_profile,
    turned,
)
from hemascope.stats.log_softmax import log_softmax


def painted(seed: int, strength: float) -> NDArray[np.uint8]:
    """Return a crop: bright background, and in the middle a speckled disk of the given optical density."""
    y, x = np.mgrid[:64, :64] - 31.5
    speckle = np.random.default_rng(seed).uniform(0.7, 1.3, (64, 64, 1))
    density = np.where(np.hypot(x, y)[..., None] < 16, strength * speckle * np.array([1.0, 1.2, 0.5]), 0.0)
    return np.round(240 * np.exp(-density)).astype(np.uint8)


def test_matching_gives_the_stain_of_the_other_source_and_keeps_background() -> None:
    pale = [painted(i, 0.5) for i in range(4)]
    wanted = stain_profile([painted(9, 0.9)])
    matched = [match_stain(crop, stain_profile(pale), wanted) for crop in pale]
    assert stain_profile(matched).mean == pytest.approx(wanted.mean, rel=0.05)
    assert stain_profile(matched).deviation == pytest.approx(wanted.deviation, rel=0.15)
    assert (matched[0][0, 0] == 255).all()


def test_matching_a_source_to_itself_changes_nothing_but_the_background_level() -> None:
    crop = painted(1, 0.6)
    own = stain_profile([crop])
    assert np.abs(match_stain(crop, own, own).astype(int) - np.round(crop / 240 * 255)).max() <= 1


def test_a_source_without_crops_has_no_stain() -> None:
    with pytest.raises(ValueError, match="at least one crop"):
        stain_profile([])


def test_eight_views_are_all_different_and_hold_the_same_pixels() -> None:
    crop = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    views = turned(crop)
    assert len({view.tobytes() for view in views}) == 8
    assert all(sorted(view[..., 0].ravel()) == sorted(crop[..., 0].ravel()) for view in views)


def test_balancing_in_full_gives_the_shares_asked_for() -> None:
    log_p = log_softmax(np.random.default_rng(0).normal(size=(200, 3)) + np.array([2.0, 0.0, -1.0]))
    shares = np.exp(balance_answers(log_p, [0.5, 0.3, 0.2], strength=1.0, temperature=1.0)).mean(axis=0)
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=1e-6)


def test_balancing_by_nothing_keeps_the_order_of_every_cell() -> None:
    log_p = log_softmax(np.random.default_rng(0).normal(size=(20, 4)))
    assert (balance_answers(log_p, np.ones(4), strength=0.0).argsort() == log_p.argsort()).all()


def test_balancing_frees_the_answers_of_a_lean_all_cells_share() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(3, size=300)
    clear = 2.0 * np.eye(3)[truth] + rng.normal(0, 0.5, (300, 3))
    leaning = log_softmax(clear + np.array([3.0, 0.0, -1.0]))
    before, after = leaning.argmax(axis=1), balance_answers(leaning, np.ones(3), strength=1.0).argmax(axis=1)
    assert (before == truth).mean() < 0.6
    assert (after == truth).mean() > 0.9


@given(arrays(np.float64, (6, 3), elements=st.floats(min_value=-20, max_value=20)))
def test_every_answer_is_a_distribution(logits: NDArray[np.float64]) -> None:
    log_p = log_softmax(logits)
    values = np.arange(12, dtype=np.float32).reshape(6, 2) % 5
    for answer in (
        balance_answers(log_p, [0.6, 0.3, 0.1]),
        smooth_answers(values, log_p),
        prototypes(values, log_p),
        mix_answers(log_p, log_p),
        reweigh(log_p, [1.0, 0.5, 0.1]),
    ):
        assert np.exp(answer).sum(axis=1) == pytest.approx(np.ones(6))


def test_a_class_of_factor_zero_is_ruled_out() -> None:
    answer = reweigh(np.log(np.array([[0.5, 0.25, 0.25]])), [0.0, 1.0, 1.0])
    assert np.exp(answer) == pytest.approx(np.array([[0.0, 0.5, 0.5]]))


def test_a_cell_takes_the_answer_of_its_neighbors() -> None:
    rng = np.random.default_rng(2)
    values = np.repeat(np.array([[5.0, 0.0], [-5.0, 0.0]]), 20, axis=0) + rng.normal(0, 0.1, (40, 2))
    log_p = log_softmax(np.repeat(np.array([[2.0, 0.0], [0.0, 2.0]]), 20, axis=0))
    log_p[0] = log_softmax(np.array([0.0, 0.5]))
    assert smooth_answers(values, log_p).argmax(axis=1).tolist() == [0] * 20 + [1] * 20


def test_prototypes_move_to_the_clusters() -> None:
    rng = np.random.default_rng(3)
    truth = np.repeat([0, 1], 30)
    values = np.eye(2)[truth] * 4 + rng.normal(0, 0.3, (60, 2))
    doubtful = log_softmax(0.6 * np.eye(2)[truth] + rng.normal(0, 0.5, (60, 2)))
    assert (doubtful.argmax(axis=1) == truth).mean() < 0.9
    assert (prototypes(values, doubtful).argmax(axis=1) == truth).all()
