import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hemascope.classify.decide import Thresholds, decide
from hemascope.classify.network import softmax
from hemascope.classify.prior import under_prior
from hemascope.core.prediction import AbstentionReason
from hemascope.core.taxonomy import CellType

shares = hnp.arrays(np.float64, 8, elements=st.floats(0.01, 1)).map(lambda a: a / a.sum())


@given(shares, shares)
def test_the_trained_prior_changes_nothing(p: np.ndarray, trained: np.ndarray) -> None:
    assert under_prior(p[None], trained, trained)[0] == pytest.approx(p)


@given(shares, shares, shares)
def test_priors_follow_one_another(p: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
    even = np.full(8, 1 / 8)
    there = under_prior(p[None], even, first)
    back = under_prior(there, first, second)
    assert back[0] == pytest.approx(under_prior(p[None], even, second)[0])
    assert back.sum() == pytest.approx(1)


def test_a_known_change_of_prior() -> None:
    p = np.array([[0.5, 0.5]])
    assert under_prior(p, np.array([0.5, 0.5]), np.array([0.9, 0.1]))[0] == pytest.approx([0.9, 0.1])


def test_a_prior_without_a_share_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        under_prior(np.array([[0.5, 0.5]]), np.array([0.5, 0.5]), np.array([1.0, 0.0]))


@given(hnp.arrays(np.float32, (3, 8), elements=st.floats(-80, 80, width=32)))
def test_softmax_gives_probabilities(logits: np.ndarray) -> None:
    p = softmax(logits)
    assert p.sum(axis=1) == pytest.approx(1)
    assert (p >= 0).all()


def one_hot(index: int, value: float) -> np.ndarray:
    p = np.full(8, (1 - value) / 7)
    p[index] = value
    return p


LIMITS = Thresholds(min_confidence=0.6, max_anomaly=1.0)


@pytest.mark.parametrize(
    ("probabilities", "anomaly", "reason"),
    [
        (one_hot(6, 0.9), 0.5, None),
        (one_hot(6, 0.55), 0.5, AbstentionReason.LOW_CONFIDENCE),
        (one_hot(6, 0.9), 1.2, AbstentionReason.ANOMALY),
        (one_hot(list(CellType).index(CellType.PLATELET), 0.9), 0.1, AbstentionReason.NOT_NUCLEATED),
    ],
)
def test_when_the_model_decides(probabilities: np.ndarray, anomaly: float, reason: AbstentionReason | None) -> None:
    assert decide("c", probabilities, anomaly, LIMITS).abstention is reason
