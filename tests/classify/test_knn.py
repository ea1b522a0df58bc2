"""Nearest neighbors against counting by hand, and against all distances computed plainly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from hemascope.classify.knn import fit_knn, fit_neighbor_distance
from hemascope.core.errors import DataSetError
from hemascope.stats.log_softmax import log_softmax

LINE = np.array([[1.0], [2.0], [3.0], [11.0], [12.0]], np.float32)
LABELS = np.array([0, 0, 1, 1, 1])


def test_votes_become_probabilities() -> None:
    near = fit_knn(LINE, LABELS, ("a", "b"), k=3, metric="euclidean")
    p = np.exp(log_softmax(near.logits(np.array([[1.9], [11.4]], np.float32))))
    assert p == pytest.approx(np.array([[2.5 / 4, 1.5 / 4], [0.5 / 4, 3.5 / 4]]), abs=1e-5)


def test_of_equal_votes_the_nearer_wins() -> None:
    near = fit_knn(LINE, LABELS, ("a", "b"), k=2, metric="euclidean")
    assert near.logits(np.array([[2.4], [2.6]], np.float32)).argmax(axis=1).tolist() == [0, 1]


def test_k_beyond_the_known_takes_all() -> None:
    p = np.exp(fit_knn(LINE, LABELS, ("a", "b"), k=20).logits(LINE[:1]))
    assert p[0] == pytest.approx([2.5 / 6, 3.5 / 6], abs=1e-5)


@given(st.integers(0, 100), st.sampled_from(["cosine", "euclidean"]), st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_the_neighbors_are_those_of_all_distances(seed: int, metric: str, k: int) -> None:
    rng = np.random.default_rng(seed)
    known, asked = (rng.normal(size=(n, 6)).astype(np.float32) for n in (60, 9))
    labels = np.arange(60) % 4
    distances = np.sort(cdist(asked, known, metric), axis=1)
    assert fit_neighbor_distance(known, k=k, metric=metric).scores(asked) == pytest.approx(
        distances[:, k - 1], abs=1e-6
    )
    voters = labels[np.argsort(cdist(asked, known, metric), axis=1)[:, :k]]
    votes = np.stack([(voters == c).sum(axis=1) for c in range(4)], axis=1)
    p = np.exp(fit_knn(known, labels, tuple("abcd"), k=k, metric=metric).logits(asked))
    assert p == pytest.approx((votes + 0.25) / (k + 1), abs=1e-5)


def test_many_are_asked_about_block_by_block() -> None:
    rng = np.random.default_rng(0)
    known, asked = rng.normal(size=(50, 3)), rng.normal(size=(1300, 3)).astype(np.float32)
    near = fit_knn(known, np.arange(50) % 2, ("a", "b"), k=5)
    assert near.logits(asked)[1100:1110] == pytest.approx(near.logits(asked[1100:1110]))


def test_the_length_of_an_embedding_does_not_matter_to_the_angle() -> None:
    rng = np.random.default_rng(0)
    known, asked = rng.normal(size=(30, 4)), rng.normal(size=(5, 4)).astype(np.float32)
    near = fit_knn(known, np.arange(30) % 3, ("a", "b", "c"), k=7)
    assert near.logits(asked * 100) == pytest.approx(near.logits(asked))


def test_what_has_no_neighbors_is_refused() -> None:
    with pytest.raises(ValueError, match="no direction"):
        fit_knn(LINE * 0, LABELS, ("a", "b"))
    with pytest.raises(ValueError, match="k must be"):
        fit_knn(LINE, LABELS, ("a", "b"), k=0)
    with pytest.raises(ValueError, match="neighbor 6 needs"):
        fit_neighbor_distance(LINE, k=6)
    with pytest.raises(DataSetError, match="no example of c"):
        fit_knn(LINE, LABELS, ("a", "b", "c"))
