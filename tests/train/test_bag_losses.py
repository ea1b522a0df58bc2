"""What is punished, by how much, and what is not because nobody knows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from bag_cohorts import DISEASE, HEMOGLOBIN, MARKERS, TASKS, recipe_of
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.train.bags.losses import BagLoss, class_weights, truth_by_output

NAN = math.nan


def parts(
    logits: Sequence[Sequence[float]], truth: Sequence[Sequence[float]], tasks: tuple[BagTask, ...], **values: object
) -> dict[str, float]:
    known = np.array(truth, np.float64)
    loss = BagLoss(recipe_of(tasks, **values), tasks, known)
    found = loss(torch.tensor(logits, dtype=torch.float64), torch.from_numpy(known))
    return {name: part.item() for name, part in found.items()}


def test_known_answers() -> None:
    # Logits of 0 say one half, and one third of three classes; SmoothL1 of 2 is 1.5, of 0.5 is 0.125.
    found = parts([[0, 0, 0, 0, 0, 2], [0, 0, 0, 0, 0, 0.5]], [[0, 1, 0, 0], [2, 0, 1, 0]], TASKS)
    assert found["disease"] == pytest.approx(math.log(3))
    assert found["markers"] == pytest.approx(math.log(2))
    assert found["hemoglobin"] == pytest.approx(0.3 * (1.5 + 0.125) / 2)


def test_what_is_missing_does_not_count() -> None:
    sure = 3.0
    found = parts([[sure, 9.0], [0.0, -9.0]], [[1, NAN], [NAN, NAN]], (MARKERS,))
    assert found["markers"] == pytest.approx(math.log1p(math.exp(-sure)))


def test_a_task_nobody_knows_adds_nothing_and_teaches_nothing() -> None:
    truth = np.array([[NAN, 1, 0, NAN], [NAN, 0, 0, NAN]])
    logits = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    found = BagLoss(recipe_of(), TASKS, truth)(logits, torch.from_numpy(truth))
    assert (found["disease"].item(), found["hemoglobin"].item()) == (0, 0)
    (gradient,) = torch.autograd.grad(torch.stack(list(found.values())).sum(), logits)
    assert gradient[:, 3:5].abs().min() > 0
    assert gradient[:, [0, 1, 2, 5]].abs().max() == 0


def test_weights_of_tasks() -> None:
    recipe = recipe_of((DISEASE, HEMOGLOBIN), number_weight=0.5)
    heavier = [task.model_copy(update={"weight": 3.0}) for task in recipe.tasks]
    truth = np.array([[0.0, 2.0]])
    loss = BagLoss(recipe.model_copy(update={"tasks": tuple(heavier)}), (DISEASE, HEMOGLOBIN), truth)
    found = loss(torch.zeros(1, 4, dtype=torch.float64), torch.from_numpy(truth))
    assert found["disease"].item() == pytest.approx(3 * math.log(3))
    assert found["hemoglobin"].item() == pytest.approx(3 * 0.5 * 1.5)


def test_a_task_that_the_recipe_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no task markers"):
        BagLoss(recipe_of((DISEASE,)), (MARKERS,), np.zeros((1, 2)))


def test_focal_loss_listens_to_hard_examples() -> None:
    right, wrong = 2.0, -1.0  # logits of a marker that is there
    found = parts([[right, wrong]], [[1, 1]], (MARKERS,), imbalance="focal", focal_gamma=2.0)
    told = [1 / (1 + math.exp(-logit)) for logit in (right, wrong)]
    assert found["markers"] == pytest.approx(sum(-((1 - p) ** 2) * math.log(p) for p in told) / 2)
    classes = parts([[1, 0, 0]], [[0]], (DISEASE,), imbalance="focal", focal_gamma=2.0)
    p = math.e / (math.e + 2)
    assert classes["disease"] == pytest.approx(-((1 - p) ** 2) * math.log(p))


def test_the_gradient_of_the_focal_loss_is_finite_where_nothing_is_wrong() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = BagLoss(recipe_of((MARKERS,), imbalance="focal", focal_gamma=0.5), (MARKERS,), np.array([[1.0, 0.0]]))
    (gradient,) = torch.autograd.grad(loss(logits, torch.tensor([[1.0, 0.0]]))["markers"], logits)
    assert gradient.isfinite().all()


def test_rare_classes_weigh_the_inverse_root_of_their_share() -> None:
    truth = np.array([[0.0], [0], [0], [0], [1], [NAN]])
    [weights] = class_weights((DISEASE,), truth)["disease"]
    assert weights[1] / weights[0] == pytest.approx(2)
    assert weights[2] == 0
    assert (4 * weights[0] + weights[1]) / 5 == pytest.approx(1)


def test_weights_of_markers_are_of_each_marker() -> None:
    truth = np.array([[1.0, NAN], [0, NAN], [0, 1], [0, 0]])
    weights = class_weights((MARKERS, HEMOGLOBIN), np.column_stack([truth, np.zeros(4)]))
    assert set(weights) == {"markers"}
    rare, even = weights["markers"]
    assert rare[1] / rare[0] == pytest.approx(math.sqrt(3))
    np.testing.assert_allclose(even, 1)


def test_class_weights_multiply_the_loss_of_their_class() -> None:
    truth = [[0.0], [0.0], [0.0], [0.0], [1.0]]
    even = parts([[0.0, 0.0, 0.0]] * 5, truth, (DISEASE,), imbalance="class_weights")
    assert even["disease"] == pytest.approx(math.log(3))  # the mean weight is 1
    loss = BagLoss(recipe_of((DISEASE,), imbalance="class_weights"), (DISEASE,), np.array(truth))

    def of(label: float) -> Tensor:
        part: Tensor = loss(torch.zeros(1, 3), torch.tensor([[label]]))["disease"]
        return part

    assert (of(1.0) / of(0.0)).item() == pytest.approx(2)


@given(st.integers(1, 6), st.integers(0, 2**31))
def test_every_way_of_weighing_is_finite_and_not_negative(patients: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.column_stack(
        [rng.integers(0, 3, patients), rng.integers(0, 2, (patients, 2)), rng.normal(size=patients)]
    )
    truth[rng.random(truth.shape) < 0.4] = NAN
    logits = torch.from_numpy(rng.normal(0, 5, (patients, 6)))
    for imbalance in ("none", "focal", "class_weights"):
        found = BagLoss(recipe_of(imbalance=imbalance), TASKS, truth)(logits, torch.from_numpy(truth))
        assert all(part.isfinite() and part >= 0 for part in found.values())


def test_markers_weigh_by_what_is_known_of_them() -> None:
    task = BagTask("markers", TaskKind.MARKERS, ("a", "b"))
    found = parts([[2.0, 0.0], [2.0, 0.0]], [[1, 1], [1, NAN]], (task,))
    assert found["markers"] == pytest.approx((2 * math.log1p(math.exp(-2)) + math.log(2)) / 3)


def test_truth_by_output() -> None:
    found = truth_by_output(TASKS, torch.tensor([[2.0, 1.0, NAN, 12.0], [NAN, 0.0, 1.0, NAN]]))
    expected = [[0, 0, 1, 1, NAN, NAN], [NAN, NAN, NAN, 0, 1, NAN]]
    np.testing.assert_array_equal(found.numpy(), np.array(expected))
