"""Zeta against its formula written out, and what a confidence score must do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hemascope.classify.diffusion.zeta import zeta

ERRORS = st.integers(3, 13).flatmap(lambda k: arrays(np.float64, (1, k), elements=st.floats(0, 10)))
BOTH = pytest.mark.parametrize("corrected", [False, True])


def written_out(errors: np.ndarray, corrected: bool) -> float:
    e = sorted(errors)
    k = len(e) - 1 if corrected else min(len(e) - 1, 10)
    over = range(1, k + 1) if corrected else range(1, k)
    apart = sum(abs(e[m] - e[j]) for j in over for m in over)
    return sum(abs(e[j] - e[0]) for j in over) / k - (apart / (k * (k - 1)) if k > 1 else 0.0)


@BOTH
@given(errors=ERRORS)
def test_it_is_the_formula_whatever_the_order(corrected: bool, errors: np.ndarray) -> None:
    expected = written_out(errors[0], corrected)
    assert zeta(errors, corrected=corrected) == pytest.approx([expected], abs=1e-9)
    assert zeta(errors[:, ::-1], corrected=corrected) == pytest.approx([expected], abs=1e-9)


@BOTH
@given(errors=ERRORS, scale=st.floats(0.01, 100), shift=st.floats(-5, 5))
def test_it_grows_with_the_scale_and_not_with_a_shift(
    corrected: bool, errors: np.ndarray, scale: float, shift: float
) -> None:
    expected = scale * zeta(errors, corrected=corrected)
    assert zeta(scale * errors + shift, corrected=corrected) == pytest.approx(expected, abs=1e-9 * scale + 1e-9)


@BOTH
def test_a_clear_best_scores_higher_than_a_close_race_and_that_than_none(corrected: bool) -> None:
    errors = np.array([[0.0, 1, 1, 1, 1], [0.0, 0.1, 1, 1, 1], [0.0, 0.1, 0.2, 1, 1], [1.0, 1, 1, 1, 1]])
    scores = zeta(errors, corrected=corrected)
    assert (np.diff(scores[:3]) < 0).all()
    assert scores[3] == 0


def test_only_the_published_score_overlooks_the_worst_class() -> None:
    near, far = np.array([[0.0, 1, 1, 1]]), np.array([[0.0, 1, 1, 9]])
    assert zeta(near, corrected=False) == zeta(far, corrected=False) == pytest.approx([2 / 3])
    assert zeta(near, corrected=True) == pytest.approx([1.0])
    assert zeta(far, corrected=True) == pytest.approx([11 / 3 - 16 / 3])


def test_two_classes_have_a_corrected_score_alone() -> None:
    assert zeta([[0.5, 2.0]]) == pytest.approx([1.5])
    with pytest.raises(ValueError, match="at least 3 classes"):
        zeta([[0.5, 2.0]], corrected=False)
    with pytest.raises(ValueError, match="finite errors of all"):
        zeta([[0.5, np.nan, 2.0]])
