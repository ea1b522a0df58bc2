"""ROC and precision-recall curves by known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.evaluate.curves import precision_recall_curve, roc_curve


def test_a_small_case_by_hand() -> None:
    scores, truth = [0.9, 0.8, 0.7, 0.6], [True, False, True, False]
    roc = roc_curve(scores, truth)
    assert roc.area == 0.75
    assert roc.x.tolist() == [0, 0, 0.5, 0.5, 1]
    assert roc.y.tolist() == [0, 0.5, 0.5, 1, 1]
    assert precision_recall_curve(scores, truth).area == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_ties_count_half() -> None:
    assert roc_curve([0.5] * 4, [True, False, True, False]).area == 0.5
    assert precision_recall_curve([0.5] * 4, [True, False, False, False]).area == 0.25


@given(st.integers(0, 10_000))
def test_the_area_is_the_chance_of_ranking_a_pair_right(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores, truth = generator.integers(0, 6, 30), generator.random(30) < 0.4
    truth[:2] = True, False
    above, below = scores[truth][:, None], scores[~truth][None]
    wanted = ((above > below) + 0.5 * (above == below)).mean()
    assert roc_curve(scores, truth).area == pytest.approx(wanted)


def test_thinned_points_keep_both_ends() -> None:
    generator = np.random.default_rng(0)
    curve = roc_curve(generator.random(500), generator.random(500) < 0.5)
    points = curve.thinned(20)
    assert len(points) <= 20
    assert points[0] == [0.0, 0.0]
    assert points[-1] == [1.0, 1.0]


def test_what_defines_no_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="positives and negatives"):
        roc_curve([0.1, 0.2], [True, True])
    with pytest.raises(ValueError, match="needs positives"):
        precision_recall_curve([0.1, 0.2], [False, False])
    with pytest.raises(ValueError, match="as many scores"):
        roc_curve([0.1], [True, False])
