"""Cochran's Q against the z test, and its level."""

import numpy as np
import pytest
from scipy.stats import norm

from hemascope.stats.heterogeneity import cochran_q


def test_two_groups_are_a_z_test() -> None:
    statistic, p_value = cochran_q([0.8, 0.7], [0.001, 0.003])
    z = 0.1 / np.sqrt(0.004)
    assert (statistic, p_value) == pytest.approx((z**2, 2 * norm.sf(z)))


def test_three_groups_by_hand() -> None:
    # Weights 1, 1, 2: mean 2; squares 4 + 0 + 2.
    statistic, p_value = cochran_q([0, 2, 3], [1, 1, 0.5])
    assert statistic == pytest.approx(6)
    assert p_value == pytest.approx(np.exp(-3))


def test_equal_estimates_do_not_differ() -> None:
    assert cochran_q([0.5, 0.5, 0.5], [1, 2, 3]) == pytest.approx((0, 1))


def test_one_group_has_nothing_to_differ_from() -> None:
    assert cochran_q([0.5], [1]) is None
    assert cochran_q([], []) is None


def test_it_rejects_as_often_as_stated() -> None:
    variances = np.array([0.5, 1, 2, 4])
    drawn = np.random.default_rng(0).normal(size=(3000, 4)) * np.sqrt(variances)
    assert np.mean([cochran_q(row, variances)[1] < 0.05 for row in drawn]) == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize(("values", "variances"), [([1, 2], [1, 0]), ([1, 2], [1]), ([1, np.nan], [1, 1])])
def test_what_does_not_fit_is_refused(values: list[float], variances: list[float]) -> None:
    with pytest.raises(ValueError, match="variance"):
        cochran_q(values, variances)
