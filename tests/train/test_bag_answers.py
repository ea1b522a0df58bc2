"""Answers as files, and their calibration on patients who had no say in it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from bag_cohorts import TASKS, planted, recipe_of

from hemascope.app.bag_calibration import cross_fitted, fit_calibration, numbers_of, probabilities_of
from hemascope.app.bag_cohort import tasks_of
from hemascope.app.patient_rows import gather_answers, write_answers
from hemascope.bags.taxonomy import load_taxonomy
from hemascope.core.patient import PatientFacts
from hemascope.evaluate.patients.answers_file import read_answers
from hemascope.train.bags.members import turned

RECIPE = recipe_of(epochs=12, folds=3)


def test_answers_are_read_back_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    told = rng.dirichlet(np.ones(3), 3)
    told[2] = np.nan
    facts = [
        PatientFacts("a", {"disease": "AML, odd"}, {"age": 41.0, "sex": "f"}, site="x", stain="MGG"),
        PatientFacts("b", {}, {"age": 7.5}),
        PatientFacts("c"),
    ]
    truth = np.array([[0, 1, np.nan, 12.25], [2, np.nan, 0, np.nan], [np.nan] * 4])
    answers = gather_answers(
        TASKS, facts, ["out_of_fold", "test", "excluded"], [2, -1, -1], np.array([5, 6, 7]),
        {"disease": told, "markers": rng.random((3, 2))}, {"hemoglobin": np.array([9.5, np.nan, 11])}, truth,
        ["disease"],
    )  # fmt: skip
    write_answers(tmp_path / "predictions.csv", answers, {"note": ["", "x", ""]})
    read = read_answers(tmp_path / "predictions.csv", TASKS)
    for field in dataclasses.fields(answers):
        wanted, found = getattr(answers, field.name), getattr(read, field.name)
        if isinstance(wanted, dict):
            assert wanted.keys() == found.keys()
            for name, values in wanted.items():
                if values.dtype.kind == "f":
                    np.testing.assert_allclose(found[name], values, rtol=1e-8)
                else:
                    assert found[name].tolist() == values.tolist()
        else:
            np.testing.assert_array_equal(found, wanted)


def random_outputs(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    _, truth = planted(60, seed)
    rng = np.random.default_rng(seed)
    outputs = rng.normal(0, 2, (2, 60, 6))
    outputs[:, np.arange(60), truth[:, 0].astype(int)] += 2
    return outputs, truth, rng.permutation(np.arange(60) % 3) + 1


def test_a_fold_is_calibrated_without_its_own_truth() -> None:
    outputs, truth, folds = random_outputs(0)
    told, given = cross_fitted(TASKS, outputs, truth, folds, None)
    assert set(given) == {1, 2, 3}
    changed = truth.copy()
    changed[folds == 2] = np.roll(truth[folds == 2], 1, axis=0)
    other, _ = cross_fitted(TASKS, outputs, changed, folds, None)
    np.testing.assert_array_equal(other["disease"][folds == 2], told["disease"][folds == 2])
    assert not np.allclose(other["disease"][folds == 1], told["disease"][folds == 1])


def test_one_fold_is_calibrated_on_itself() -> None:
    outputs, truth, folds = random_outputs(1)
    told, given = cross_fitted(TASKS, outputs, truth, np.ones_like(folds), None)
    whole = fit_calibration(TASKS, outputs, truth, None)
    assert given[1] == whole
    expected = probabilities_of(TASKS, outputs, whole.temperatures)
    np.testing.assert_array_equal(told["markers"], expected["markers"])


def test_thresholds_are_of_markers_and_confidence_leaves_a_few_out() -> None:
    outputs, truth, _ = random_outputs(2)
    truth[:, 2] = 0
    found = fit_calibration(TASKS, outputs, truth, None)
    assert set(found.thresholds) == {"markers"}
    assert found.thresholds["markers"]["gain"] is None
    assert 0 < (found.thresholds["markers"]["t"] or 0) < 1
    sure = probabilities_of(TASKS, outputs, found.temperatures)["disease"].max(axis=1)
    assert (sure < found.least_confidence["disease"]).sum() == 3
    assert found.malignancy is None
    np.testing.assert_allclose(numbers_of(TASKS, outputs)["hemoglobin"], outputs[..., 5].mean(axis=0))


def test_the_threshold_of_malignancy_misses_no_acute_leukemia() -> None:
    table = load_taxonomy("leukemia_letter")
    recipe = RECIPE.model_copy(update={"tasks": (RECIPE.tasks[0].model_copy(update={"outputs": ()}),)})
    tasks = tasks_of(recipe, table)
    rng = np.random.default_rng(0)
    truth = rng.integers(0, len(table.coarse), (200, 1)).astype(float)
    outputs = rng.normal(0, 1, (1, 200, len(table.coarse)))
    outputs[0, np.arange(200), truth[:, 0].astype(int)] += 1
    found = fit_calibration(tasks, outputs, truth, table)
    told = probabilities_of(tasks, outputs, found.temperatures)["disease"]
    counted = [name in table.malignant for name in table.coarse]
    acute = truth[:, 0] == table.coarse.index("acute_leukemia")
    assert found.malignancy_rule == "all_acute"
    assert found.malignancy is not None
    assert told[acute][:, counted].sum(axis=1).min() >= found.malignancy
    assert found.malignancy > 0.05


def test_turned_vectors_lie_in_the_frame() -> None:
    rng = np.random.default_rng(0)
    frame = rng.normal(size=(30, 4)).astype(np.float32)
    rotation, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    np.testing.assert_allclose(turned((frame @ rotation + 3).astype(np.float32), frame), frame, atol=1e-4)
