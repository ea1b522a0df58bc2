"""False discoveries against worked cases and simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hemascope.stats.false_discovery import benjamini_hochberg, simes

P_VALUES = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1))
PUBLISHED = np.array(
    [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
)


def test_the_example_of_the_publication_rejects_four() -> None:
    found = benjamini_hochberg(PUBLISHED[::-1], 0.05)
    assert found.tolist() == [False] * 11 + [True] * 4


@given(P_VALUES)
def test_what_is_rejected_is_the_smallest_and_grows_with_the_rate(p_values: np.ndarray) -> None:
    strict, loose = benjamini_hochberg(p_values, 0.01), benjamini_hochberg(p_values, 0.2)
    assert (loose | ~strict).all()
    if loose.any() and not loose.all():
        assert p_values[loose].max() < p_values[~loose].min()


def test_the_share_of_false_ones_is_kept() -> None:
    generator = np.random.default_rng(0)
    shares = []
    for _ in range(400):
        p_values = generator.random(200)
        p_values[:40] = generator.beta(0.05, 4, 40)
        found = benjamini_hochberg(p_values, 0.1)
        shares.append(found[40:].sum() / max(found.sum(), 1))
    assert np.mean(shares) < 0.1
    assert np.mean(shares) > 0.05  # 0.1 times the share of true hypotheses is 0.08


def test_no_tests_reject_nothing() -> None:
    assert benjamini_hochberg([], 0.05).shape == (0,)


def test_one_p_value_of_several() -> None:
    p_values = np.array([[0.04, 0.01], [0.03, 0.9], [0.02, 1.0]])
    assert simes(p_values, axis=0) == pytest.approx([0.04, 0.03])


@given(P_VALUES)
def test_simes_lies_between_the_least_and_bonferroni(p_values: np.ndarray) -> None:
    combined = float(simes(p_values, axis=0))
    assert p_values.min() - 1e-12 <= combined <= min(len(p_values) * p_values.min(), p_values.max()) + 1e-12


@pytest.mark.parametrize("rate", [0.0, 1.0, np.nan])
def test_a_rate_out_of_range_is_an_error(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        benjamini_hochberg([0.5], rate)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_what_is_no_p_value_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        simes([value], axis=0)
