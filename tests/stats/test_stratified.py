"""Parts that are alike, whatever the labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.stats.stratified import stratified_parts


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(1, 6), st.integers(0, 99))
def test_classes_are_dealt_evenly_to_within_one(classes: list[int], parts: int, seed: int) -> None:
    labels = np.array(classes, np.intp)[:, None] == np.arange(5)
    dealt = stratified_parts(labels, parts, seed)
    assert set(dealt) <= set(range(parts))
    for column in labels.T:
        counts = np.bincount(dealt[column], minlength=parts)
        assert np.ptp(counts) <= 1
    assert np.ptp(np.bincount(dealt, minlength=parts)) <= 2


@given(st.integers(0, 2**31), st.integers(2, 6), st.integers(30, 150))
def test_overlapping_markers_are_dealt_nearly_evenly(seed: int, parts: int, people: int) -> None:
    rng = np.random.default_rng(seed)
    markers = rng.random((people, 4)) < (0.1, 0.13, 0.18, 0.4)
    labels = np.concatenate([markers, ~markers], axis=1)
    dealt = stratified_parts(labels, parts, seed)
    counts = np.array([labels[dealt == part].sum(axis=0) for part in range(parts)])
    assert np.abs(counts - labels.sum(axis=0) / parts).max() < 2
    assert np.ptp(np.bincount(dealt, minlength=parts)) <= 2


def test_parts_depend_on_the_seed_alone() -> None:
    labels = np.random.default_rng(0).random((50, 2)) < 0.3
    np.testing.assert_array_equal(stratified_parts(labels, 5, 7), stratified_parts(labels, 5, 7))
    assert (stratified_parts(labels, 5, 7) != stratified_parts(labels, 5, 8)).any()


def test_people_without_labels_fill_the_parts() -> None:
    dealt = stratified_parts(np.zeros((10, 2), bool), 5, 0)
    np.testing.assert_array_equal(np.bincount(dealt), 2)


def test_no_parts_are_an_error() -> None:
    with pytest.raises(ValueError, match="cannot deal"):
        stratified_parts(np.zeros((3, 1), bool), 0, 0)
