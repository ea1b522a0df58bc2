"""Net benefit by hand, and against always and never acting."""

import numpy as np
import pytest
from patient_cohorts import draw_diseases

from hemascope.evaluate.patients.decision_curve import decision_curve
from hemascope.evaluate.patients.questions import binary_question, questions_of


def test_net_benefit_by_hand() -> None:
    # 100 patients, 20 ill; from 0.2 on 16 finds and 10 acts in vain: 16 / 100 - 10 / 100 x 1 / 4.
    told = np.concatenate([np.full(16, 0.9), np.full(4, 0.1), np.full(10, 0.3), np.full(70, 0.05)])
    (point,) = decision_curve(binary_question("m", told, np.arange(100) < 20), thresholds=(0.2,))
    assert point.net_benefit.value == pytest.approx(0.135)
    assert point.treat_all == pytest.approx(0.2 - 0.8 / 4)
    assert point.avoided == pytest.approx(0.135 / 0.25)
    assert point.net_benefit.low < 0.135 < point.net_benefit.high


def test_below_every_probability_it_is_acting_always() -> None:
    question = binary_question("m", [0.3, 0.5, 0.9], [0, 1, 1])
    (low, high) = decision_curve(question, thresholds=(0.1, 0.95))
    assert low.net_benefit.value == pytest.approx(low.treat_all)
    assert low.avoided == pytest.approx(0)
    assert high.net_benefit.value == 0


def test_calibrated_answers_are_never_worse_than_both() -> None:
    question = questions_of(draw_diseases(2000), "disease")[2]
    for point in decision_curve(question, thresholds=(0.1, 0.3, 0.5, 0.7)):
        assert point.net_benefit.value >= max(point.treat_all, 0) - 0.01


def test_the_default_goes_by_hundredths() -> None:
    points = decision_curve(binary_question("m", [0.2, 0.7], [0, 1]))
    assert [points[0].threshold, points[-1].threshold, len(points)] == [0.01, 0.99, 99]


def test_no_patient_no_curve() -> None:
    assert decision_curve(binary_question("m", [np.nan], [1])) == ()
    with pytest.raises(ValueError, match="strictly between"):
        decision_curve(binary_question("m", [0.5], [1]), thresholds=(0.0,))
