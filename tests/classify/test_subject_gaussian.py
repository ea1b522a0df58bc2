"""The linear classifier to which differences between subjects of one kind are noise."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope.classify.subject_gaussian import SubjectMoments, subject_direction, subject_moments


def subject(positive: bool, mean: list[float]) -> SubjectMoments:
    return SubjectMoments(positive, np.array(mean), np.eye(len(mean)))


def test_moments_are_mean_and_covariance() -> None:
    values: NDArray[np.float64] = np.array([[0.0, 1.0], [2.0, 1.0]])
    moments = subject_moments(values, True)
    assert moments.mean.tolist() == [1.0, 1.0]
    assert moments.covariance.tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_with_one_subject_a_kind_it_is_the_linear_discriminant() -> None:
    direction = subject_direction([subject(True, [1.0, 0.0]), subject(False, [0.0, 0.0])], 0.5, 1.0)
    assert direction == pytest.approx([1.0, 0.0])


def test_what_differs_between_subjects_of_one_kind_counts_less() -> None:
    subjects = [subject(True, [2.0, 9.0]), subject(True, [2.0, -5.0]), subject(False, [0.0, 0.0])]
    ignoring, minding = (subject_direction(subjects, 0.1, between) for between in (0.0, 1.0))
    assert abs(ignoring[1] / ignoring[0]) > 0.9
    assert abs(minding[1] / minding[0]) < 0.05


def test_what_never_varies_gets_no_weight() -> None:
    flat = SubjectMoments(True, np.array([1.0, 5.0]), np.diag([1.0, 0.0]))
    other = SubjectMoments(False, np.array([0.0, 5.0]), np.diag([1.0, 0.0]))
    assert subject_direction([flat, other], 0.5, 1.0) == pytest.approx([1.0, 0.0])


def test_a_missing_kind_and_numbers_out_of_range_are_refused() -> None:
    both = [subject(True, [1.0]), subject(False, [0.0])]
    for subjects, shrinkage, between in ((both[:1], 0.5, 1.0), (both, 0.0, 1.0), (both, 0.5, -1.0)):
        with pytest.raises(ValueError, match="both kinds"):
            subject_direction(subjects, shrinkage, between)
