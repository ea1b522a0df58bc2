"""Members' logits to probabilities: the mean of probabilities, and one temperature a task."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemascope.bags.calibration import LIMITS, fit_task_temperature, mean_probabilities
from hemascope.core.bag_task import BagTask, TaskKind

DISEASE = BagTask("disease", TaskKind.CLASSES, ("healthy", "sick", "ill"))
MARKERS = BagTask("markers", TaskKind.MARKERS, ("t", "gain"))


def test_probabilities_are_averaged_and_not_logits() -> None:
    logits = np.array([[[0.0, 100.0]], [[0.0, 0.0]]])
    np.testing.assert_allclose(mean_probabilities(MARKERS, logits), [[0.5, 0.75]])


@given(st.integers(0, 2**31), st.floats(0.1, 10))
def test_classes_sum_to_one_and_keep_their_order_under_any_temperature(seed: int, temperature: float) -> None:
    logits = np.random.default_rng(seed).normal(0, 20, (1, 5, 3))
    told = mean_probabilities(DISEASE, logits, temperature)
    np.testing.assert_allclose(told.sum(axis=1), 1)
    np.testing.assert_array_equal(told.argmax(axis=1), logits[0].argmax(axis=1))


@pytest.mark.parametrize("factor", [0.5, 1.0, 4.0])
def test_the_temperature_undoes_what_logits_were_multiplied_by(factor: float) -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, (4000, 3))
    told = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    truth = (told.cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1)[:, None].astype(float)
    assert fit_task_temperature(DISEASE, factor * honest[None], truth) == pytest.approx(factor, rel=0.1)
    marks = rng.normal(0, 2, (4000, 2))
    present = (rng.random(marks.shape) < 1 / (1 + np.exp(-marks))).astype(float)
    present[rng.random(marks.shape) < 0.3] = np.nan
    assert fit_task_temperature(MARKERS, factor * marks[None], present) == pytest.approx(factor, rel=0.1)


def test_few_patients_told_rightly_do_not_make_certain() -> None:
    truth = np.array([[1.0, 0.0], [0.0, 1.0]] * 4)
    temperature = fit_task_temperature(MARKERS, 20 * (2 * truth - 1)[None], truth)
    told = mean_probabilities(MARKERS, 20 * (2 * truth - 1)[None], temperature)
    np.testing.assert_allclose(np.where(truth == 1, told, 1 - told), 17 / 18, atol=1e-3)


def test_members_that_contradict_each_other_are_not_certain_either() -> None:
    truth = np.zeros((6, 1))
    logits = np.stack([np.tile([5.0, 0, 0], (6, 1)), np.tile([0, 5.0, 0], (6, 1))])
    assert mean_probabilities(DISEASE, logits, fit_task_temperature(DISEASE, logits, truth)).max() < 0.7


def test_without_truth_nothing_is_changed() -> None:
    assert fit_task_temperature(MARKERS, np.ones((1, 3, 2)), np.full((3, 2), np.nan)) == 1


def test_temperatures_stay_within_limits() -> None:
    rng = np.random.default_rng(0)
    found = fit_task_temperature(DISEASE, 1e6 * rng.normal(size=(1, 50, 3)), rng.integers(0, 3, (50, 1)).astype(float))
    assert LIMITS[0] <= found <= LIMITS[1]
