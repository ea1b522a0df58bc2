"""Two models by a mean over the same patients."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.evaluate.patients.paired import compare_means

NAMES = np.array([f"p{place}" for place in range(40)])


def test_equal_answers_differ_by_nothing() -> None:
    right = (np.arange(40) % 3 == 0).astype(np.float64)
    found = compare_means(NAMES, right, right, 200)
    assert (found.difference.value, found.difference.low, found.difference.high, found.p_value) == (0, 0, 0, 1)
    assert found.ours == found.theirs


def test_a_constant_difference_has_no_width_though_both_means_have() -> None:
    theirs = np.random.default_rng(0).normal(size=40)
    found = compare_means(NAMES, theirs + 2, theirs, 200)
    assert found.difference.value == pytest.approx(2)
    assert found.difference.low == pytest.approx(2)
    assert found.p_value == pytest.approx(2 / 201)
    assert found.ours.low is not None
    assert found.ours.high is not None
    assert found.ours.high - found.ours.low > 0.3


def test_the_interval_is_that_of_the_paired_differences() -> None:
    generator = np.random.default_rng(1)
    shared, own = generator.normal(0, 10, 40), generator.normal(0.5, 1, 40)
    found = compare_means(NAMES, shared + own, shared, 4000)
    half = 1.96 * own.std() / np.sqrt(40)
    assert found.difference.low == pytest.approx(own.mean() - half, abs=0.06)
    assert found.difference.high == pytest.approx(own.mean() + half, abs=0.06)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="for each of 40 patients"):
        compare_means(NAMES, np.zeros(39), np.zeros(39))
    with pytest.raises(ValueError, match="one or more"):
        compare_means(NAMES[:0], np.zeros(0), np.zeros(0))
