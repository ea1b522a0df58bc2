"""A manifest to an ensemble and back: who is answered by whom, and what is written."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from bag_cohorts import DISEASE, HEMOGLOBIN, MARKERS, TASKS, planted, recipe_of, write_cohort
from typer.testing import CliRunner

from hemascope.app.bag_calibration import cross_fitted, fit_calibration, numbers_of, probabilities_of
from hemascope.app.bag_cohort import fitting_truth, laboratory_columns, open_training_cohort, tasks_of
from hemascope.app.bag_run import describe_inputs, recipe_to_toml, start_bag_run
from hemascope.app.bag_training import train_bag_model
from hemascope.app.patient_rows import gather_answers, write_answers
from hemascope.bags.folds import plan_folds
from hemascope.bags.taxonomy import load_taxonomy
from hemascope.cli.main import app
from hemascope.core.errors import CohortError, OutputError, RecipeError
from hemascope.core.patient import PatientFacts
from hemascope.evaluate.patients.answers_file import read_answers
from hemascope.recipes import load_recipe
from hemascope.recipes.bags import BagTrainingRecipe
from hemascope.train.bags.curves import draw_member_curves
from hemascope.train.bags.members import fit_members, in_units, seed_of, told_by, told_out_of_fold, turned

RECIPE = recipe_of(epochs=12, folds=3)


def ignore(epoch: int, epochs: int, loss: float) -> None:
    """Show no progress."""


def test_a_recipe_reads_back_from_its_own_text(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    odd = RECIPE.model_copy(update={"source": 'a "quoted"\nline, µ and \\', "learning_rate": 1e-05})
    path.write_text(recipe_to_toml(odd), encoding="utf-8")
    assert load_recipe(path, BagTrainingRecipe) == odd


def test_patients_are_opened_with_their_truth_and_excluded_ones_are_only_asked(tmp_path: Path) -> None:
    opened = open_training_cohort(RECIPE, write_cohort(tmp_path, excluded=4))
    apart = opened.plan.asked["excluded"]
    assert len(apart) == 4
    assert {opened.cohort.facts[place].labels["disease"] for place in apart} == {"between"}
    assert np.isnan(opened.truth[apart, 0]).all()
    assert not np.isnan(opened.truth[apart, 1:]).any()
    for fold in opened.plan.folds:
        assert not set(apart) & {*fold.train, *fold.watch, *fold.held_out}
    one = opened.cohort.patients.index("p1")
    assert np.isnan(opened.truth[one, 1])


def test_a_label_that_is_no_class_is_an_error_for_those_who_stay(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path, excluded=1)
    manifest.write_text(manifest.read_text().replace("borderline", ""))
    with pytest.raises(CohortError, match="'between'"):
        open_training_cohort(RECIPE, manifest)


def test_a_class_with_fewer_patients_than_folds_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="class 'healthy' of 'disease' has 14 patients"):
        open_training_cohort(recipe_of(folds=20), write_cohort(tmp_path))


def test_fewer_patients_than_the_test_leaves_are_not_learned_from(tmp_path: Path) -> None:
    opened = open_training_cohort(recipe_of(folds=1), write_cohort(tmp_path, splits=True))
    named = {name: {f.patient for f in opened.cohort.facts if f.split == name} for name in ("train", "val", "test")}
    [fold] = opened.plan.folds
    names = np.array(opened.cohort.patients)
    assert set(names[fold.train]) == named["train"]
    assert set(names[fold.watch]) == set(names[fold.held_out]) == named["val"]
    assert set(names[opened.plan.asked["test"]]) == named["test"]


def test_a_task_without_outputs_needs_a_table_of_diseases() -> None:
    recipe = RECIPE.model_copy(update={"tasks": (RECIPE.tasks[0].model_copy(update={"outputs": ()}),)})
    table = load_taxonomy("leukemia_letter")
    [task] = tasks_of(recipe, table)
    assert task.outputs == table.coarse
    assert laboratory_columns([task], table) == ("disease",)
    assert laboratory_columns(TASKS, table) == laboratory_columns([task], None) == ()
    with pytest.raises(RecipeError, match="name its outputs"):
        tasks_of(recipe, None)


def test_what_fits_no_task_is_missing() -> None:
    fact = PatientFacts("p", labels={"disease": "between", "t": "1", "gain": "perhaps", "hemoglobin": "9.5"})
    np.testing.assert_array_equal(fitting_truth(fact, TASKS, None), [np.nan, np.nan, np.nan, 9.5])


def test_a_run_is_not_continued_with_another_cohort(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path / "cohort")
    opened = open_training_cohort(RECIPE, manifest)
    start_bag_run(tmp_path / "run", RECIPE, opened, manifest, "")
    start_bag_run(tmp_path / "run", RECIPE, opened, manifest, "")
    np.save(tmp_path / "cohort" / "p0.npy", np.ones((3, 8), np.float32))
    changed = open_training_cohort(RECIPE, manifest)
    with pytest.raises(RecipeError, match="another recipe or cohort"):
        start_bag_run(tmp_path / "run", RECIPE, changed, manifest, "")
    with pytest.raises(RecipeError, match="another recipe or cohort"):
        start_bag_run(tmp_path / "run", recipe_of(seed=1, epochs=12, folds=3), opened, manifest, "")


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path / "cohort")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        start_bag_run(tmp_path / "file" / "run", RECIPE, open_training_cohort(RECIPE, manifest), manifest, "")


def test_inputs_name_everybody_once(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path, excluded=3)
    opened = open_training_cohort(RECIPE, manifest)
    inputs = describe_inputs(RECIPE, opened, manifest, "")
    held = [name for fold in inputs["folds"] for name in fold["held_out"]]
    assert sorted(held + inputs["asked"]["excluded"]) == sorted(opened.cohort.patients)
    assert json.loads(json.dumps(inputs)) == inputs


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


def test_members_have_seeds_of_their_own() -> None:
    recipe = recipe_of(seed=3, folds=5, members=3)
    seeds = [seed_of(recipe, fold, number) for fold in range(1, 6) for number in range(1, 4)]
    assert len(set(seeds)) == 15
    assert not set(seeds) & {seed_of(recipe.model_copy(update={"seed": 4}), f, n) for f in (1, 5) for n in (1, 3)}


def test_turned_vectors_lie_in_the_frame() -> None:
    rng = np.random.default_rng(0)
    frame = rng.normal(size=(30, 4)).astype(np.float32)
    rotation, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    np.testing.assert_allclose(turned((frame @ rotation + 3).astype(np.float32), frame), frame, atol=1e-4)


def test_held_out_patients_are_answered_by_members_that_never_saw_them(tmp_path: Path) -> None:
    bags, truth = planted(30)
    recipe = recipe_of(epochs=2, folds=3, members=2)
    plan = plan_folds(TASKS, truth, [""] * 30, 3, 0)
    members = fit_members(recipe, TASKS, bags, truth, plan, tmp_path, ignore)
    assert [(member.fold, member.seed_number) for member in members] == [(f, n) for f in (1, 2, 3) for n in (1, 2)]
    places, folds, told = told_out_of_fold(members, TASKS, bags, plan)
    assert sorted(places) == list(range(30))
    assert told.outputs.shape == (2, 30, 6)
    for number, fold in enumerate(plan.folds, 1):
        np.testing.assert_array_equal(places[folds == number], fold.held_out)
        own = told_by([m for m in members if m.fold == number], TASKS, bags, fold.held_out)
        np.testing.assert_array_equal(told.outputs[:, folds == number], own.outputs)
    assert draw_member_curves(tmp_path, {"one": tmp_path / "fold-1-member-1"}).stat().st_size > 1000


def test_numbers_come_back_in_their_unit(tmp_path: Path) -> None:
    bags, truth = planted(30)
    plan = plan_folds((HEMOGLOBIN,), truth[:, 3:], [""] * 30, 1, 0)
    [member] = fit_members(
        recipe_of((HEMOGLOBIN,), epochs=1, folds=1), (HEMOGLOBIN,), bags, truth[:, 3:], plan, tmp_path, ignore
    )
    train = truth[plan.folds[0].train, 3]
    assert member.facts.means["hemoglobin"] == pytest.approx(train.mean())
    told = in_units(np.array([[0.0], [1.0]], np.float32), (HEMOGLOBIN,), member.facts)
    np.testing.assert_allclose(told[:, 0], [train.mean(), train.mean() + train.std(ddof=1)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in ``run`` beside its cohort."""
    home = tmp_path_factory.mktemp("bags")
    manifest = write_cohort(home / "cohort", 45, excluded=5)
    (home / "recipe.toml").write_text(recipe_to_toml(RECIPE))
    asked = [
        "train",
        "bags",
        str(home / "recipe.toml"),
        "--cohort",
        str(manifest),
        "--run",
        str(home / "run"),
        "--quiet",
    ]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.exit_code == 0
    assert done.output.strip().endswith("model")
    return home


@pytest.mark.slow
def test_the_run_folder_is_complete_and_right(trained: Path) -> None:
    run = trained / "run"
    wanted = {
        "recipe.toml", "inputs.json", "environment.json", "log.jsonl", "predictions.csv", "patients.npz", "curves.png",
        "calibration.json", "model", "DONE", "fold-1-member-1", "fold-2-member-1", "fold-3-member-1",
    }  # fmt: skip
    assert wanted == {path.name for path in run.iterdir()}
    assert load_recipe(run / "recipe.toml", BagTrainingRecipe) == RECIPE
    answers = read_answers(run / "predictions.csv", TASKS)
    assert sorted(answers.patients) == sorted(f"p{number}" for number in range(45))
    assert (answers.splits == "out_of_fold").sum() == 40
    assert set(answers.folds[answers.splits == "out_of_fold"]) == {1, 2, 3}
    judged = answers.of_split("out_of_fold")
    right = judged.probabilities["disease"].argmax(axis=1) == judged.truth[:, 0]
    assert right.mean() > 0.8
    assert np.abs(judged.numbers["hemoglobin"] - judged.truth[:, 3]).mean() < 0.7
    with np.load(run / "patients.npz") as told:
        assert told["patients"].tolist() == list(answers.patients)
        assert told["embedding"].shape == (45, 32)


@pytest.mark.slow
def test_the_ensemble_answers_what_its_members_answered(trained: Path) -> None:
    out, shares = trained / "predictions.csv", trained / "attention.csv"
    manifest = trained / "cohort" / "planted.csv"
    asked = ["predict", str(trained / "run" / "model"), "--cohort", str(manifest), "--out", str(out), "--quiet"]
    assert CliRunner().invoke(app, [*asked, "--attention", str(shares)], catch_exceptions=False).exit_code == 0
    told, known = (read_answers(path, TASKS) for path in (out, trained / "run" / "predictions.csv"))
    assert set(told.splits) == {"new", "excluded"}
    mine, theirs = told.of_split("excluded"), known.of_split("excluded")
    assert mine.patients == theirs.patients
    for task in (DISEASE, MARKERS):
        np.testing.assert_allclose(mine.probabilities[task.name], theirs.probabilities[task.name], atol=2e-3)
    np.testing.assert_allclose(mine.numbers["hemoglobin"], theirs.numbers["hemoglobin"], atol=2e-2)
    with shares.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    total: dict[str, float] = {}
    for row in rows:
        total[row["patient"]] = total.get(row["patient"], 0.0) + float(row["attention.all"])
    assert len(total) == 45
    np.testing.assert_allclose(list(total.values()), 1, atol=1e-6)


@pytest.mark.slow
def test_files_are_patients_too(trained: Path) -> None:
    out = trained / "files.csv"
    files = [str(trained / "cohort" / f"p{number}.npy") for number in (3, 5)]
    done = CliRunner().invoke(
        app, ["predict", str(trained / "run" / "model"), *files, "--out", str(out)], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "Research use only" in done.output
    told = read_answers(out, TASKS)
    assert told.patients == ("p3", "p5")
    assert np.isnan(told.truth).all()


@pytest.mark.slow
def test_a_finished_run_is_run_again_without_training(trained: Path) -> None:
    run = trained / "run"
    before = (run / "predictions.csv").read_text()
    epochs: list[int] = []
    train_bag_model(
        RECIPE, trained / "cohort" / "planted.csv", run, trained / "again", "again", lambda e, *_: epochs.append(e)
    )
    assert epochs == []
    assert (run / "predictions.csv").read_text() == before
    assert (trained / "again" / "model.onnx").is_file()


def test_predict_wants_a_cohort_or_files_and_not_both(tmp_path: Path) -> None:
    for more in ([], [str(tmp_path / "a.npy"), "--cohort", str(tmp_path / "m.csv")]):
        done = CliRunner().invoke(app, ["predict", str(tmp_path), *more])
        assert "not both" in str(done.exception)


def test_two_files_of_one_name_are_an_error(tmp_path: Path) -> None:
    from hemascope.app.predict_patients import cohort_of_features

    with pytest.raises(CohortError, match="two files are called 'p'"):
        cohort_of_features([tmp_path / "a" / "p.npy", tmp_path / "b" / "p.npy"])
