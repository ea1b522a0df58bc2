"""Models of patients on simulated cohorts: pooled cells, networks, and what a benchmark says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hemascope.app import bench_cohorts
from hemascope.app.bench_record import Measures
from hemascope.app.cohort_tables import cohort_tables
from hemascope.app.cohort_trials import NetTrial, PooledProbe, TrialAnswers, pooled, trial_cohort
from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.recipes.bags import AggregatorRecipe, BagTrainingRecipe, TaskRecipe
from hemascope.stats.ranking import auroc
from hemascope.synth.cohort.draw import TEST, draw_patients, truth_table
from hemascope.synth.cohort.truth import BagSizes, CellStates, CohortTruth, embedding_view

MARKER = (BagTask("marker", TaskKind.MARKERS, ("marker",)),)


def law() -> CohortTruth:
    """A marker that brings a third state about, far from the others."""
    return CohortTruth(
        name="tiny", seed=5, tasks=MARKER,
        states=CellStates(("a", "b", "c"), np.array([[0.0, 0], [6, 0], [0, 6]]), np.array([False, False, True])),
        compositions=np.array([[0.5, 0.5, 0.0], [0.4, 0.4, 0.2]]),
        labels=np.array([[0.0], [1.0]]), joint=np.array([[0.45, 0.05], [0.05, 0.45]]), sizes=BagSizes(40, 0.2, 20, 60),
        view=embedding_view(np.random.default_rng(1), 6, 2, 0.3, 2, 1.0),
    )  # fmt: skip


def test_pooling_is_by_patient() -> None:
    bags = BagSet(("a", "b"), np.array([[1, 4], [3, 2], [5, 5]], np.float32), np.array([0, 2, 3]), "drawn")
    assert pooled(bags, "mean").tolist() == [[2, 3], [5, 5]]
    assert pooled(bags, "max").tolist() == [[3, 4], [5, 5]]


def test_cohorts_of_two_seeds_and_test_patients_share_nobody() -> None:
    first, second = trial_cohort(law(), 40, 20, 0), trial_cohort(law(), 40, 20, 1)
    asked = draw_patients(law(), 40, TEST)
    assert not np.isin(first.bags.values[:, 0], second.bags.values[:, 0]).any()
    assert not np.isin(asked.bags.values[:, 0], first.bags.values[:, 0]).any()
    assert not set(first.train) & set(first.validation)


def test_both_kinds_of_models_find_what_is_far_away(tmp_path: Path) -> None:
    cohort, asked = trial_cohort(law(), 60, 30, 0), draw_patients(law(), 200, TEST)
    truth = truth_table(law(), asked)[:, 0] == 1
    recipe = BagTrainingRecipe(
        name="t", version="1", tasks=(TaskRecipe(name="marker", kind=TaskKind.MARKERS, outputs=("marker",)),),
        aggregator=AggregatorRecipe(kind="cell_states", states=4, state_dimensions=3), learning_rate=1e-2, epochs=20,
    )  # fmt: skip
    calls: list[tuple[str, int, int]] = []
    net = NetTrial(recipe, cohort, 2, tmp_path, 0, lambda *call: calls.append(call)).answer(asked.bags)
    linear = PooledProbe(cohort, "mean").answer(asked.bags)
    assert auroc(net.probabilities[:, 0], truth) > 0.85
    assert auroc(linear.probabilities[:, 0], truth) > 0.8
    assert net.attention.sum() == pytest.approx(200, abs=1e-2)
    assert not len(linear.attention)
    assert calls


def test_tables_show_every_method_beside_the_best() -> None:
    told, measures = np.array([[0.0], [1.0], [1.0], [0.0]]), Measures()
    sure = TrialAnswers(np.array([[0.1], [0.9], [0.8], [0.2]]))
    tiny = law()
    by_method = {name: [sure, sure] for name in ("cell_states", "gated_attention", "mean.logistic", "max.logistic")}
    attention = {name: [0.9, 0.8] if name == "cell_states" else [] for name in by_method}
    best = np.array([[0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.9, 0.1]])
    answers = bench_cohorts._Told(told, best, np.empty(0), by_method, attention, 1.0)
    bench_cohorts._measure_markers(measures, tiny, answers)
    assert measures.metrics["tiny.best_possible.auroc"] == 1.0
    assert measures.metrics["tiny.cell_states.short_of_best"] == 0.0
    assert measures.metrics["tiny.cell_states.attention"] == pytest.approx(0.85)
    assert measures.metrics["tiny.cell_states.over_mean_pooling"] == 0.0
    metrics = {key.replace("tiny", "myeloma-720-easy"): value for key, value in measures.metrics.items()}
    document = {
        "metrics": metrics,
        "intervals": {},
        "n": {"cohorts_each": 2, "myeloma-720.test_patients": 4, "eight-classes.test_patients": 4},
    }
    easy = cohort_tables(document)[0]
    assert next(row[0] for row in easy.rows) == "Best possible"
    assert len(easy.rows) == 5
    assert all(len(row) == len(easy.columns) for row in easy.rows)


def test_interval_over_cohorts_is_student_s() -> None:
    told = bench_cohorts.over_seeds([0.1, 0.2, 0.3])
    assert told.value == pytest.approx(0.2)
    assert told.high == pytest.approx(0.2 + 4.302653 * 0.1 / np.sqrt(3), abs=1e-5)
    assert bench_cohorts.over_seeds([0.5]).low is None
