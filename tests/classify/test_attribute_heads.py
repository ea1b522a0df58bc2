from __future__ import annotations

import numpy as np
import pytest

from hemascope.classify.attribute_heads import (
    AttributeHead,
    AttributeHeads,
    Examples,
    Question,
    fit_head,
    heads_to_spec,
    heads_to_tensors,
    limits_of,
    read_heads,
)
from hemascope.core.errors import WeightsError
from hemascope.core.taxonomy import CellType

SHAPE = Question("nucleus_shape", ("round", "band", "lobed"), (CellType.NEUTROPHIL, CellType.MONOCYTE))
SIZE = Question("cell_size", ("small", "big"), (CellType.MONOCYTE,))


def clouds(count: int, seed: int, spread: float = 1.0) -> Examples:
    """Three clouds, of which the second and third overlap."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), count)
    centers = np.array([[0.0, 0.0, 5.0], [6.0, 0.0, 5.0], [6.0, 2.0, 5.0]])
    return Examples((centers[labels] + rng.normal(0, spread, (3 * count, 3))).astype(np.float32), labels)


def made_heads() -> AttributeHeads:
    train, validation = clouds(80, 0), clouds(60, 1)
    shape = fit_head(SHAPE, train, validation, (0.01, 0.1, 1.0)).head
    size = AttributeHead(SIZE, np.eye(3, 2, dtype=np.float32), np.zeros(2, np.float32), 1.0)
    return AttributeHeads(("a" * 64,), *limits_of(train.values), (shape, size))


HEADS = made_heads()


def test_a_fitted_head_tells_clouds_apart_and_is_calibrated() -> None:
    asked = clouds(300, 2)
    probabilities = HEADS.probabilities(asked.values)["nucleus_shape"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    told, right = probabilities.argmax(axis=1), asked.labels
    assert (told[right == 0] == 0).mean() > 0.98
    # The two clouds that overlap lie two standard deviations apart: the best any line can do is 0.84.
    assert (told[right > 0] == right[right > 0]).mean() == pytest.approx(0.84, abs=0.05)
    assert probabilities.max(axis=1).mean() == pytest.approx((told == right).mean(), abs=0.05)


def test_the_penalty_of_least_loss_is_chosen() -> None:
    train, validation = clouds(20, 0), clouds(60, 1)
    one_by_one = [fit_head(SHAPE, train, validation, (c,)) for c in (1e-6, 0.1)]
    both = fit_head(SHAPE, train, validation, (1e-6, 0.1))
    assert both.loss == pytest.approx(min(head.loss for head in one_by_one), rel=1e-3)


def test_a_head_needs_a_penalty() -> None:
    with pytest.raises(ValueError, match="at least one penalty"):
        fit_head(SHAPE, clouds(5, 0), clouds(5, 1), ())


def test_only_what_is_asked_of_a_type_is_answered() -> None:
    values = np.array([[0, 0, 5], [6, 3, 5], [6, 0, 5], [0, 0, 5]], np.float32)
    types = [CellType.NEUTROPHIL, CellType.MONOCYTE, CellType.LYMPHOCYTE, None]
    answers = HEADS.answer(values, types)
    assert [set(answer) for answer in answers] == [{"nucleus_shape"}, {"nucleus_shape", "cell_size"}, set(), set()]
    assert answers[0]["nucleus_shape"].value == "round"
    assert answers[1]["nucleus_shape"].value == "lobed"
    assert 1 / 3 <= answers[0]["nucleus_shape"].probability <= 1


def test_far_values_are_cut_off() -> None:
    far, limit = np.array([[1e9, 0, 5]], np.float32), np.array([[HEADS.high[0], 0, 5]], np.float32)
    np.testing.assert_array_equal(
        HEADS.probabilities(far)["nucleus_shape"], HEADS.probabilities(limit)["nucleus_shape"]
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [(np.zeros((2, 4), np.float32), r"N x 3"), (np.full((1, 3), np.nan, np.float32), "not finite")],
)
def test_what_is_no_embedding_is_refused(values: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HEADS.probabilities(values)


def test_one_type_a_row_is_needed() -> None:
    with pytest.raises(ValueError, match="as many types"):
        HEADS.answer(np.zeros((2, 3), np.float32), [None])


def test_heads_come_back_from_their_spec_and_tensors() -> None:
    again = read_heads(heads_to_spec(HEADS), heads_to_tensors(HEADS))
    values = clouds(5, 3).values
    for name, probabilities in HEADS.probabilities(values).items():
        np.testing.assert_array_equal(again.probabilities(values)[name], probabilities)
    assert (again.encoders, again.heads[0].question) == (HEADS.encoders, SHAPE)


@pytest.mark.parametrize("missing", ["low", "nucleus_shape.weights", "cell_size.intercepts"])
def test_missing_tensors_are_named(missing: str) -> None:
    tensors = heads_to_tensors(HEADS)
    del tensors[missing]
    with pytest.raises(WeightsError, match=rf"KeyError.*{missing}"):
        read_heads(heads_to_spec(HEADS), tensors)


def test_weights_of_another_size_are_refused() -> None:
    tensors = heads_to_tensors(HEADS) | {"nucleus_shape.weights": np.zeros((2, 3), np.float32)}
    with pytest.raises(WeightsError, match=r"nucleus_shape has weights \(2, 3\), not \(3, 3\)"):
        read_heads(heads_to_spec(HEADS), tensors)
