"""Attention against cells that are known to be informative."""

import numpy as np
import pytest

from hemascope.evaluate.patients.attention import normalized_entropy, score_attention

BAGS = [np.array([0.4, 0.3, 0.2, 0.1, 0.0]), np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.5, 0.5]), np.array([1.0])]
TRUTH = [
    np.array([True, False, True, False, False]),
    np.array([False, False, False, True]),
    np.array([False, False]),
    np.array([True]),
]


def test_each_bag_by_itself_and_all_together() -> None:
    scores = score_attention(BAGS, list("abcd"), TRUTH)
    assert (scores.patients, scores.judged) == (4, 2)
    assert scores.auroc.value == pytest.approx((5 / 6 + 1) / 2)
    # Attention times cells: 2, 1.5, 1, 0.5, 0; 0.4, 0.8, 1.2, 1.6; 1, 1; 1. Of 4 x 8 pairs, with ties half.
    relative = np.concatenate([bag * len(bag) for bag in BAGS])
    true = np.concatenate(TRUTH)
    pairs = relative[true][:, None] - relative[~true][None]
    assert scores.auroc_pooled.value == pytest.approx(((pairs > 0) + 0.5 * (np.abs(pairs) < 1e-12)).mean())


def test_overlap_and_jaccard_are_two_figures() -> None:
    scores = score_attention(BAGS[:2], ["a", "b"], TRUTH[:2], top=0.5)
    # Two cells of each bag: one of two informative, and one of two informative.
    assert scores.top_overlap.value == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert scores.top_jaccard.value == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_entropy_runs_from_one_cell_to_all() -> None:
    assert normalized_entropy([0.25] * 4) == pytest.approx(1)
    assert normalized_entropy([1.0, 0, 0]) == pytest.approx(0)
    assert normalized_entropy([0.5, 0.5, 0, 0]) == pytest.approx(0.5)
    assert np.isnan(normalized_entropy([1.0]))


def test_the_share_of_the_top_cells() -> None:
    spread = score_attention([np.full(10, 0.1)], ["a"])
    assert spread.top_share.value == pytest.approx(0.2)
    assert spread.entropy.value == pytest.approx(1)
    assert score_attention([np.r_[0.9, np.full(9, 0.1 / 9)]], ["a"], top=0.1).top_share.value == pytest.approx(0.9)


def test_without_truth_there_is_no_area() -> None:
    scores = score_attention(BAGS, list("abcd"))
    assert scores.judged == 0
    assert scores.auroc.value is scores.auroc_pooled.value is scores.top_overlap.value is None
    assert scores.entropy.value is not None


def test_no_bag_is_no_figure() -> None:
    scores = score_attention([], [], [])
    assert scores.auroc.value is scores.auroc_pooled.value is scores.entropy.value is scores.top_share.value is None


def test_attention_that_knows_is_near_1_and_blind_attention_at_half() -> None:
    generator = np.random.default_rng(0)
    truths = [generator.uniform(size=100) < 0.1 for _ in range(40)]
    names = [f"p{number}" for number in range(40)]
    raw = [np.exp(3 * flags + generator.normal(size=100)) for flags in truths]
    knows = score_attention([values / values.sum() for values in raw], names, truths)
    blind = [generator.dirichlet(np.ones(100)) for _ in truths]
    does_not = score_attention(blind, names, truths)
    assert knows.auroc.low > 0.95
    assert knows.auroc_pooled.low > 0.95
    assert does_not.auroc.low < 0.5 < does_not.auroc.high
    assert does_not.auroc_pooled.low < 0.5 < does_not.auroc_pooled.high


@pytest.mark.parametrize("bad", [[0.5, 0.6], [1.5, -0.5], [], [np.nan, 1.0]])
def test_what_is_no_attention_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="patient a: attention"):
        score_attention([bad], ["a"])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="one truth a cell"):
        score_attention(BAGS[:1], ["a"], TRUTH[1:2])
    with pytest.raises(ValueError, match="share of cells"):
        score_attention(BAGS[:1], ["a"], top=0)
    with pytest.raises(ValueError, match="zip"):
        score_attention(BAGS, ["a"])
