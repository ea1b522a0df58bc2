"""Pairs of subjects left out, the area under the curve, and its mean."""

import numpy as np
import pytest

from hemascope.core.errors import DataSetError
from hemascope.evaluate.subject_pairs import mean_over_pairs, subject_pairs

SUBJECTS = np.array(["a", "a", "b", "c", "n", "m", "m"])
POSITIVE = np.array([True, True, True, True, False, False, False])


def test_every_pair_is_left_out_whole_once() -> None:
    pairs = dict(subject_pairs(SUBJECTS, POSITIVE))
    assert sorted(pairs) == [(one, other) for one in "abc" for other in "mn"]
    assert pairs["a", "m"].tolist() == [True, True, False, False, False, True, True]


def test_a_subject_of_both_kinds_is_refused() -> None:
    with pytest.raises(DataSetError, match="subject 'a' has cells of both kinds"):
        list(subject_pairs(SUBJECTS, np.array([True, False, True, True, False, False, False])))


def test_a_kind_of_one_subject_is_refused() -> None:
    with pytest.raises(DataSetError, match="not 3 and 1"):
        list(subject_pairs(SUBJECTS[:5], POSITIVE[:5]))


def test_the_mean_over_pairs_resamples_subjects_of_both_kinds() -> None:
    by_normal = {(one, other): 0.9 if other == "m" else 0.5 for one in "abc" for other in "mn"}
    estimate = mean_over_pairs(by_normal)
    assert estimate.value == pytest.approx(0.7)
    assert (estimate.low, estimate.high) == pytest.approx((0.5, 0.9))
