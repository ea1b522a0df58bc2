"""How well new cells are told, on scores with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from hemascope.classify.examples import LabeledEmbeddings
from hemascope.core.errors import DataSetError
from hemascope.evaluate.left_out import NovelCells, score_novelty, without_class


def cells(new: list[bool], known: int) -> NovelCells:
    groups = np.array([f"g{i}" for i in range(len(new))])
    return NovelCells(np.array(new), groups, np.array([f"v{i}" for i in range(known)]))


def test_the_threshold_is_that_of_known_validation_cells_alone() -> None:
    asked = cells([False] * 100 + [True] * 10, 99)
    known = np.arange(99.0)  # 4% of 100 may lie above: the 96th smallest, 95
    scores = np.concatenate([np.arange(100.0), [95.0, 95.5, 200, 300, 400, 500, 600, 700, 800, 900]])
    found = score_novelty(scores, known, asked)
    assert found["sensitivity"].value == pytest.approx(0.9)
    assert found["specificity"].value == pytest.approx(0.96)
    assert found["auroc"].value == pytest.approx((95.5 + 96 + 8 * 100) / 1000)


def test_an_interval_holds_its_value_and_is_a_point_where_all_are_told() -> None:
    asked = cells([False] * 40 + [True] * 40, 60)
    rng = np.random.default_rng(0)
    perfect = np.concatenate([np.zeros(40), np.full(40, 9.0)])
    told = score_novelty(perfect, rng.random(60), asked)
    assert all((one.value, one.low, one.high) == (1.0, 1.0, 1.0) for one in told.values())
    blind = score_novelty(rng.random(80), rng.random(60), asked)["auroc"]
    assert blind.value is not None
    assert blind.low is not None
    assert blind.high is not None
    assert blind.low < blind.value < blind.high
    assert blind.low < 0.5 < blind.high


def test_copies_of_one_known_cell_move_the_threshold_as_one() -> None:
    known = np.concatenate([np.arange(49.0), np.full(200, 1000.0)])
    groups = np.array([*[f"v{i}" for i in range(49)], *["copies"] * 200])
    asked = NovelCells(np.array([False, True]), np.array(["a", "b"]), groups)
    found = score_novelty(np.array([0.0, 500.0]), known, asked)
    assert found["sensitivity"].value == 1.0


def test_too_few_validation_cells_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least 24"):
        score_novelty(np.zeros(2), np.zeros(20), cells([True, False], 20))


def test_scores_must_be_of_the_cells() -> None:
    with pytest.raises(ValueError, match="need a score each"):
        score_novelty(np.zeros(3), np.zeros(60), cells([True, False], 60))


def test_a_class_left_out_is_gone_and_the_rest_numbered_anew() -> None:
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    every = LabeledEmbeddings(values, np.array([0, 2, 1, 2]), np.array(["a", "b", "c", "d"]))
    kept = without_class(every, 1)
    assert kept.labels.tolist() == [0, 1, 1]
    assert kept.groups.tolist() == ["a", "b", "d"]
    assert np.array_equal(kept.values, values[[0, 1, 3]])
    alone = LabeledEmbeddings(values[:1], np.array([0]), np.array(["a"]))
    with pytest.raises(DataSetError, match="nothing is left"):
        without_class(alone, 0)
