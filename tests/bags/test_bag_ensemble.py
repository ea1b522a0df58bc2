"""An ensemble's answers where they can be worked out by hand: means of probabilities, units, malignancy, abstention."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_graphs import DISEASE, DISEASES, HEMOGLOBIN, MARKERS, SEEN, SaidGraph, bag_of, spec_of

from hemascope.bags.abstention import confidence, disagreement
from hemascope.bags.calibration import mean_probabilities
from hemascope.bags.ensemble import BagEnsemble
from hemascope.bags.model_spec import BagModelSpec, attended_columns
from hemascope.core.bag_task import TaskKind
from hemascope.core.errors import CohortError, WeightsError


def test_probabilities_are_averaged_and_not_logits() -> None:
    said = SaidGraph([[log(8), 0, 0], [0, log(2), 0]])
    answer = BagEnsemble(said, spec_of(DISEASE)).predict(bag_of(4))
    assert answer.members["disease"] == pytest.approx(np.array([[0.8, 0.1, 0.1], [0.25, 0.5, 0.25]]))
    assert answer.probabilities["disease"] == pytest.approx([0.525, 0.3, 0.175])
    assert answer.patient == "p1"
    assert not answer.numbers
    assert not answer.abstained


def test_each_task_has_its_temperature_and_each_member_its_scale() -> None:
    said = SaidGraph([[2 * log(3), -2 * log(4), 1.5], [0, 0, -1]])
    markers = MARKERS.model_copy(update={"temperature": 2.0})
    answer = BagEnsemble(said, spec_of(markers, HEMOGLOBIN)).predict(bag_of(4))
    assert answer.probabilities["markers"] == pytest.approx([(0.75 + 0.5) / 2, (0.2 + 0.5) / 2])
    assert answer.members["hemoglobin"].tolist() == [13, 11]
    assert answer.numbers == {"hemoglobin": 12}
    assert set(answer.probabilities) == {"markers"}


@given(
    logits=st.lists(st.lists(st.floats(-300, 300, width=32), min_size=3, max_size=3), min_size=1, max_size=4),
    temperature=st.floats(0.1, 10),
    kind=st.sampled_from([TaskKind.CLASSES, TaskKind.MARKERS]),
)
def test_what_is_shipped_answers_as_what_was_calibrated(
    logits: list[list[float]], temperature: float, kind: TaskKind
) -> None:
    task = DISEASE.model_copy(update={"temperature": temperature, "kind": kind})
    told = BagEnsemble(SaidGraph(logits), spec_of(task, members=len(logits))).predict(bag_of(2))
    wanted = mean_probabilities(task.task, np.array(logits, np.float32)[:, None], temperature)[0]
    assert told.probabilities["disease"] == pytest.approx(wanted, abs=1e-9)


def test_malignancy_is_the_sum_over_malignant_classes() -> None:
    said = SaidGraph([[log(8), 0, 0], [0, log(2), 0]])
    model = BagEnsemble(said, spec_of(DISEASE, taxonomy=DISEASES))
    assert model.malignancy(model.predict(bag_of(4))) == pytest.approx(0.825)
    assert BagEnsemble(said, spec_of(DISEASE)).malignancy(model.predict(bag_of(4))) is None


def test_attention_is_the_mean_over_members_and_sums_to_one() -> None:
    shares = np.array([[[0.5], [0.5]], [[1.0], [0.0]]], np.float32)
    answer = BagEnsemble(SaidGraph([[0, 0, 0]] * 2, shares), spec_of(DISEASE)).predict(bag_of(2))
    assert answer.attention.tolist() == [[0.75], [0.25]]
    assert answer.attended == ("all",)


@pytest.mark.parametrize("encoder", ["f" * 64, ""])
def test_cells_of_another_encoder_are_refused(encoder: str) -> None:
    model = BagEnsemble(SaidGraph([[0, 0, 0]] * 2), spec_of(DISEASE))
    with pytest.raises(CohortError, match=r"patient p1: cells were embedded by .*dinobloom-b"):
        model.predict(bag_of(2, encoder=encoder))


def test_cells_of_another_length_are_refused() -> None:
    model = BagEnsemble(SaidGraph([[0, 0, 0]] * 2), spec_of(DISEASE))
    with pytest.raises(CohortError, match="patient p1: 4 numbers a cell, but known takes 3"):
        model.predict(bag_of(2, dimension=4))


def test_a_graph_that_is_not_what_its_card_says_is_refused() -> None:
    with pytest.raises(WeightsError, match="where its card says"):
        BagEnsemble(SaidGraph([[0, 0, 0]] * 3), spec_of(DISEASE)).predict(bag_of(2))
    with pytest.raises(WeightsError, match="where its card says"):
        BagEnsemble(SaidGraph([[0, 0]] * 2), spec_of(DISEASE)).predict(bag_of(2))


def test_a_bag_smaller_than_nearly_all_in_training_gets_no_answer() -> None:
    seen = SEEN.model_copy(update={"first_percentile": 41.5})
    model = BagEnsemble(SaidGraph([[3, 0, 0, 1]] * 2), spec_of(DISEASE, HEMOGLOBIN, cells=seen))
    assert not model.predict(bag_of(42)).abstained
    answer = model.predict(bag_of(41))
    assert set(answer.abstained) == {"disease", "hemoglobin"}
    assert "41 cells are too few" in answer.abstained["disease"]
    assert answer.probabilities["disease"].sum() == pytest.approx(1)


def test_an_unsure_answer_is_none() -> None:
    unsure = DISEASE.model_copy(update={"least_confidence": 0.53})
    said = SaidGraph([[log(8), 0, 0], [0, log(2), 0]])
    assert "0.53" in BagEnsemble(said, spec_of(unsure)).predict(bag_of(2)).abstained["disease"]
    sure = DISEASE.model_copy(update={"least_confidence": 0.52})
    assert not BagEnsemble(said, spec_of(sure)).predict(bag_of(2)).abstained


def test_members_that_differ_give_no_answer() -> None:
    split = MARKERS.model_copy(update={"greatest_disagreement": 0.3})
    far = HEMOGLOBIN.model_copy(update={"greatest_disagreement": 0.9})
    said = SaidGraph([[log(9), 0, 1], [-log(9), 0, 1]])
    answer = BagEnsemble(said, spec_of(split, far)).predict(bag_of(2))
    assert "members differ by 0.4, more than 0.3" in answer.abstained["markers"]
    assert "hemoglobin" not in answer.abstained


def test_confidence_and_disagreement() -> None:
    assert confidence(TaskKind.CLASSES, np.array([0.2, 0.7, 0.1])) == 0.7
    assert confidence(TaskKind.MARKERS, np.array([0.05, 0.6])) == 0.6
    assert disagreement(np.array([[0.1, 0.2], [0.1, 0.6]])) == pytest.approx(0.2)
    assert disagreement(np.array([11.0, 13.0])) == 1


def test_attention_is_named_after_what_it_is_for() -> None:
    tasks = (DISEASE.task, HEMOGLOBIN.task)
    assert attended_columns(1, tasks) == ("all",)
    assert attended_columns(3, tasks[:1]) == ("leukemia", "lymphoma", "healthy")
    assert attended_columns(4, tasks)[::3] == ("disease.leukemia", "hemoglobin.hemoglobin")
    with pytest.raises(ValueError, match="2 columns"):
        attended_columns(2, tasks)


def test_a_specification_survives_its_card_and_a_wrong_one_does_not() -> None:
    spec = spec_of(DISEASE, HEMOGLOBIN, taxonomy=DISEASES)
    values = spec.model_dump(mode="json")
    assert BagModelSpec.read(values, "folder") == spec
    assert spec.outputs == 4
    for wrong in (
        {"dimension": 0},
        {"members": 3},
        {"unknown": 1},
        {"use": "diagnosis"},
        {"taxonomy": replace_key(values["taxonomy"], "malignant", ["myeloma"])},
        {"tasks": [replace_key(values["tasks"][0], "thresholds", {"myeloma": 0.5}), values["tasks"][1]]},
    ):
        with pytest.raises(WeightsError, match="folder: no specification of a model of patients"):
            BagModelSpec.read(values | wrong, "folder")


def replace_key(values: dict[str, object], key: str, value: object) -> dict[str, object]:
    return values | {key: value}


def test_an_answer_is_for_the_patient_that_was_asked() -> None:
    model = BagEnsemble(SaidGraph([[0, 0, 0]] * 2), spec_of(DISEASE))
    assert model.predict(replace(bag_of(2), patient="somebody")).patient == "somebody"
