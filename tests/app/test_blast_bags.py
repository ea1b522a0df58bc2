"""Sub-bags of subjects left out: what is drawn, and what pooling does to figures that are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hemascope.app import blast_bags
from hemascope.app.bench_record import Measures
from hemascope.app.blast_bags import add_sub_bags, by_size, draw_sub_bags
from hemascope.app.blast_methods import AREA_AND_COLOR
from hemascope.app.protocol_tables import blast_tables
from hemascope.evaluate.subject_pairs import Pair, subject_pairs

NAMES = (("a", True), ("b", True), ("m", False), ("n", False))


def cells(each: int = 24, gap: float = 1.0) -> tuple[NDArray[np.str_], NDArray[np.bool_], NDArray[np.float64]]:
    """Return subjects, labels, and two numbers a cell of which the first tells blasts by ``gap`` deviations."""
    rng = np.random.default_rng(0)
    subjects = np.repeat([name for name, _ in NAMES], each)
    blast = np.repeat([kind for _, kind in NAMES], each)
    return subjects, blast, rng.normal(size=(len(subjects), 2)) + np.stack([gap * blast, 0 * blast], axis=1)


def told(
    subjects: NDArray[np.str_], blast: NDArray[np.bool_], scores: NDArray[np.float64]
) -> dict[Pair, NDArray[np.float64]]:
    return {pair: scores[test] for pair, test in subject_pairs(subjects, blast)}


def test_a_sub_bag_holds_cells_of_one_subject_each_once() -> None:
    subjects, _, _ = cells()
    rows = draw_sub_bags(subjects, ("b", "m"), 5, draws=30, seed=1)
    assert rows.shape == (60, 5)
    assert set(subjects[rows[:30]].ravel()) == {"b"}
    assert set(subjects[rows[30:]].ravel()) == {"m"}
    assert all(len(set(bag)) == 5 for bag in rows.tolist())
    np.testing.assert_array_equal(rows, draw_sub_bags(subjects, ("b", "m"), 5, draws=30, seed=1))


def test_the_score_of_a_sub_bag_is_the_mean_of_its_cells() -> None:
    scores = by_size(np.array([1.0, 2.0, 6.0]), {2: np.array([[0, 1], [1, 2]])})
    np.testing.assert_allclose(scores[2], [1.5, 4.0])


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measures:
    """Return figures of a strong method beside a weak baseline, with little training."""
    monkeypatch.setattr(blast_bags, "DRAWS", 40)
    monkeypatch.setattr(blast_bags, "TRAINED_DRAWS", 10)
    monkeypatch.setattr(blast_bags, "ATTENTION", blast_bags.ATTENTION.model_copy(update={"number_epochs": 3}))
    subjects, blast, values = cells()
    weak = values[:, 0] + np.random.default_rng(1).normal(0, 4, len(values))
    scores = {AREA_AND_COLOR: told(subjects, blast, weak), "own": told(subjects, blast, values[:, 0])}
    measures = Measures()
    add_sub_bags(measures, scores, {"net": values}, subjects, blast)
    return measures


def test_pooling_lifts_both_and_the_gain_is_over_the_pooled_baseline(measured: Measures) -> None:
    figures = measured.metrics
    for size in blast_bags.SIZES:
        own, base = (f"sub_bags.{size}.{name}.mean_of_cells" for name in ("own", AREA_AND_COLOR))
        assert figures[f"{own}.over_baseline"] == pytest.approx(
            float(figures[f"{own}.auroc"] or 0) - float(figures[f"{base}.auroc"] or 0), abs=1e-5
        )
        assert figures[f"{base}.over_baseline"] == 0
    assert float(figures["sub_bags.20.own.mean_of_cells.auroc"] or 0) > 0.97
    assert (figures["sub_bags.20.own.mean_of_cells.auroc"] or 0) >= (figures["sub_bags.5.own.mean_of_cells.auroc"] or 1)


def test_bag_models_are_measured_and_shown(measured: Measures) -> None:
    [*_, table] = blast_tables(
        {"metrics": measured.metrics, "intervals": measured.intervals, "provenance": {"seen": {}}}
    )
    methods = {(row[0], row[1]) for row in table.rows}
    assert ("10", "net.mean_pooling") in methods
    assert ("5", f"{AREA_AND_COLOR}.mean_of_cells") in methods
    assert float(measured.metrics["sub_bags.20.net.mean_pooling.auroc"] or 0) > 0.9


def test_attention_over_sub_bags_needs_torch_alone(measured: Measures) -> None:
    pytest.importorskip("torch", reason="needs the extra 'train'")
    assert "sub_bags.10.net.gated_attention.auroc" in measured.metrics
