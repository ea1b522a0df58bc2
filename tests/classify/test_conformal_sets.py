"""What a card says of prediction sets, and the sets of cells from it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemascope.classify.conformal import COVERAGES, conformal_spec, contained, prediction_sets, read_conformal
from hemascope.classify.decide import Thresholds
from hemascope.classify.network import ClassifierSpec, NetworkClassifier, softmax
from hemascope.core.cell import CellCrop
from hemascope.core.prediction import PredictionSet
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns

TYPES = tuple(CellType)


def cells(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 8
    logits = rng.normal(size=(count, 8))
    logits[np.arange(count), labels] += 2
    return softmax(2 * logits), labels


def test_the_limits_are_quantiles_of_each_type_alone() -> None:
    p, labels = cells(8 * 199, 0)
    spec = json.loads(json.dumps(conformal_spec(p, labels, np.arange(len(labels)))))
    assert (spec["cells"], spec["groups"]) == (1592, 1592)
    for coverage in COVERAGES:
        for k, cell_type in enumerate(TYPES):
            scores = np.sort(1 - p[labels == k, k])
            limit = spec["limits"][f"{coverage:.2f}"][cell_type.value]
            assert limit == pytest.approx(scores[round(200 * coverage) - 1], abs=1e-12)


def test_too_few_cells_of_a_type_leave_it_in_every_set() -> None:
    p, labels = cells(8 * 40, 1)
    spec = conformal_spec(p, labels, np.arange(len(labels)))
    limits = read_conformal(spec)
    assert limits is not None
    assert spec["limits"]["0.99"]["monocyte"] is None  # type: ignore[index]
    assert (limits.at(0.99) == math.inf).all()
    assert np.isfinite(limits.at(0.95)).all()
    assert all(len(s.types) == 8 for s in prediction_sets(p[:5], limits, 0.99) if s)


def test_copies_of_a_cell_in_one_group_change_nothing() -> None:
    p, labels = cells(8 * 60, 2)
    copies = np.repeat(np.arange(len(labels)), np.random.default_rng(0).integers(1, 4, len(labels)))
    once = conformal_spec(p, labels, np.arange(len(labels)))
    copied = conformal_spec(p[copies], labels[copies], copies)
    assert copied["limits"] == once["limits"]
    assert copied["groups"] == once["groups"] != copied["cells"]


def test_new_cells_of_every_type_are_covered_as_stated() -> None:
    limits = read_conformal(conformal_spec(*cells(8 * 400, 3), np.arange(3200)))
    assert limits is not None
    p, labels = cells(8 * 1000, 4)
    for coverage in COVERAGES:
        held = contained(p, limits.at(coverage))[np.arange(len(labels)), labels]
        by_type = [held[labels == k].mean() for k in range(8)]
        assert by_type == pytest.approx([coverage] * 8, abs=0.05)
        assert held.mean() == pytest.approx(coverage, abs=0.015)


@given(st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_a_set_holds_the_type_told_in_order_and_grows_with_the_coverage(seed: int) -> None:
    limits = read_conformal(conformal_spec(*cells(8 * 120, seed), np.arange(960)))
    p, _ = cells(40, seed + 1)
    shown = p[:, ::-1]
    before: list[set[CellType]] = [set() for _ in p]
    for coverage in COVERAGES:
        sets = prediction_sets(p, limits, coverage, shown)
        for number, found in enumerate(sets):
            assert found is not None
            assert found.coverage == coverage
            places = [TYPES.index(t) for t in found.types]
            assert places[0] == shown[number].argmax()
            assert (np.diff(shown[number, places]) <= 0).all()
            assert before[number] <= set(found.types)
            before[number] = set(found.types)


def test_a_set_of_several_types_abstains() -> None:
    assert PredictionSet((CellType.MONOCYTE,), 0.95, "lac by type").label == "monocyte"
    assert PredictionSet((CellType.MONOCYTE, CellType.LYMPHOCYTE), 0.95, "lac by type").label == "unidentified"
    with pytest.raises(ValueError, match="each once"):
        PredictionSet((), 0.95, "lac by type")


def test_a_card_that_cannot_be_read_says_why() -> None:
    spec = conformal_spec(*cells(80, 5), np.arange(80))
    assert read_conformal(None) is None
    assert prediction_sets(cells(3, 0)[0], None) == [None] * 3
    with pytest.raises(ValueError, match="method 'aps'"):
        read_conformal(spec | {"method": "aps"})
    with pytest.raises(ValueError, match="no limit for basophil"):
        read_conformal(spec | {"limits": {"0.95": {t.value: 0.5 for t in TYPES[1:]}}})
    limits = read_conformal(spec)
    assert limits is not None
    with pytest.raises(ValueError, match=r"no limits at 0.8, but at 0.9, 0.95, 0.99"):
        limits.at(0.8)


class Lymphocytes:
    """A graph that takes every cell for a lymphocyte, without being sure."""

    identity = ModelIdentity("lymphocytes", "1", "", "none", "Apache-2.0")

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        logits = np.zeros((len(batch), 8), np.float32)
        logits[:, 4] = 1
        return logits, np.zeros((len(batch), 2), np.float32), np.zeros(len(batch), np.float32)


def test_sets_rest_on_the_prior_of_calibration_and_labels_on_that_in_force() -> None:
    limits = read_conformal({"method": "lac by type", "limits": {"0.95": {t.value: 0.87 for t in TYPES}}})
    even = dict.fromkeys(TYPES, 1 / 8)
    spec = ClassifierSpec(16, 8.0, 1.0, even, 1.0, limits)
    prior = {t: 0.93 if t is CellType.NEUTROPHIL else 0.01 for t in TYPES}
    crops = [CellCrop("a", np.full((16, 16, 3), 200, np.uint8), Microns(8.0))]
    graph = Lymphocytes()
    plain = NetworkClassifier(graph, spec, even, Thresholds(0.0, 1.0)).classify(crops)[0]
    moved = NetworkClassifier(graph, spec, prior, Thresholds(0.0, 1.0)).classify(crops)[0]
    assert plain.prediction_set is not None
    assert moved.prediction_set is not None
    assert plain.prediction_set.types == (CellType.LYMPHOCYTE,)
    assert moved.prediction_set.types == (CellType.NEUTROPHIL, CellType.LYMPHOCYTE)
