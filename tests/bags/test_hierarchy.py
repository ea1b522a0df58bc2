"""Fine and coarse classes of one model agree, in every member, in their mean, and in what an ensemble answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from hemascope.app.bag_calibration import probabilities_of
from hemascope.bags.ensemble import BagEnsemble
from hemascope.bags.hierarchy import fine_within, hierarchy_of
from hemascope.bags.model_spec import BagModelSpec, CellsSeen, TaskSpec, TaxonomyFacts
from hemascope.bags.taxonomy import load_taxonomy
from hemascope.core.bag import Bag
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.provenance import ModelIdentity

LETTER = load_taxonomy("leukemia_letter")
COARSE = BagTask("coarse", TaskKind.CLASSES, LETTER.coarse)
FINE = BagTask("fine", TaskKind.CLASSES, LETTER.fine[::-1])
MARKERS = BagTask("fish", TaskKind.MARKERS, ("del17p",))
TASKS = (MARKERS, FINE, COARSE)
OUTPUTS = 1 + len(LETTER.fine) + len(LETTER.coarse)


class FixedGraph:
    """Says the same of every bag; a ``TensorGraph``."""

    identity = ModelIdentity("fixed", "1", "", "numpy", "Apache-2.0")

    def __init__(self, logits: NDArray[np.float32]) -> None:
        self._logits = logits

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        members = len(self._logits)
        attention = np.full((members, len(batch), 1), 1 / len(batch), np.float32)
        return self._logits, attention, np.zeros((members, 3), np.float32)


def spec(members: int, tasks: tuple[BagTask, ...] = TASKS, parents: dict[str, str] | None = None) -> BagModelSpec:
    return BagModelSpec(
        aggregator="mean",
        members=members,
        encoder="e",
        dimension=4,
        attended=("all",),
        tasks=tuple(TaskSpec(name=t.name, kind=t.kind, outputs=t.outputs, temperature=1.5) for t in tasks),
        cells=CellsSeen(patients=9, least=1, first_percentile=1, median=5, greatest=9),
        taxonomy=TaxonomyFacts(
            name=LETTER.name, version=LETTER.version, sha256=LETTER.sha256, task="coarse",
            malignant=LETTER.malignant, parents=LETTER.parents if parents is None else parents,
        ),
    )  # fmt: skip


def rolled(fine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum over the fine classes of each coarse one."""
    return np.stack(
        [fine[..., [LETTER.parents[name] == above for name in FINE.outputs]].sum(axis=-1) for above in COARSE.outputs],
        axis=-1,
    )


@given(st.integers(0, 50), st.integers(1, 4))
def test_an_ensemble_answers_with_classes_that_agree(seed: int, members: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 4, (members, OUTPUTS)).astype(np.float32)
    said = BagEnsemble(FixedGraph(logits), spec(members)).predict(Bag("p", ("a",), np.ones((1, 4), np.float32), "e"))
    np.testing.assert_allclose(rolled(said.probabilities["fine"]), said.probabilities["coarse"], atol=1e-12)
    np.testing.assert_allclose(rolled(said.members["fine"]), said.members["coarse"], atol=1e-12)
    np.testing.assert_allclose(said.members["fine"].mean(axis=0), said.probabilities["fine"], atol=1e-12)
    alone = BagEnsemble(FixedGraph(logits), spec(members, parents={}))
    plain = alone.predict(Bag("p", ("a",), np.ones((1, 4), np.float32), "e"))
    np.testing.assert_array_equal(plain.probabilities["coarse"], said.probabilities["coarse"])
    np.testing.assert_array_equal(plain.probabilities["fish"], said.probabilities["fish"])


def test_answers_of_a_training_are_those_of_the_ensemble() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (3, OUTPUTS)).astype(np.float32)
    said = BagEnsemble(FixedGraph(logits), spec(3)).predict(Bag("p", ("a",), np.ones((1, 4), np.float32), "e"))
    temperatures = {task.name: 1.5 for task in TASKS}
    told = probabilities_of(TASKS, logits[:, None].astype(np.float64), temperatures, LETTER)
    for task in TASKS:
        np.testing.assert_allclose(told[task.name][0], said.probabilities[task.name], atol=1e-12)
    apart = probabilities_of(TASKS, logits[:, None].astype(np.float64), temperatures)
    assert np.abs(rolled(apart["fine"]) - apart["coarse"]).max() > 0.01


def test_the_fine_head_decides_inside_a_coarse_class() -> None:
    belongs = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    fine = fine_within(np.array([0.8, 0.2]), np.array([0.1, 0.3, 0.6]), belongs)
    np.testing.assert_allclose(fine, [0.2, 0.6, 0.2])


def test_some_fine_classes_of_every_coarse_one_are_enough() -> None:
    some = BagTask("fine", TaskKind.CLASSES, tuple(name for name in LETTER.fine if name not in ("CMML", "ALL")))
    found = hierarchy_of((some, COARSE), LETTER.parents)
    assert found is not None
    assert (found.coarse, found.fine, found.belongs.shape) == ("coarse", "fine", (12, 8))


@pytest.mark.parametrize(
    "tasks",
    [
        (COARSE,),
        (FINE,),
        (COARSE, MARKERS),
        (COARSE, BagTask("fine", TaskKind.CLASSES, LETTER.fine[:5])),
        (COARSE, BagTask("fine", TaskKind.CLASSES, (*LETTER.fine, "other"))),
        (COARSE, BagTask("fine", TaskKind.MARKERS, LETTER.fine)),
        (COARSE, BagTask("again", TaskKind.CLASSES, LETTER.coarse)),
    ],
)
def test_tasks_that_no_table_ties_together(tasks: tuple[BagTask, ...]) -> None:
    assert hierarchy_of(tasks, LETTER.parents) is None


def test_a_card_with_parents_but_one_task_is_refused() -> None:
    with pytest.raises(ValidationError, match="no two tasks of fine and of coarse classes"):
        spec(1, (COARSE,))
    assert spec(1, (COARSE,), parents={}).hierarchy is None
