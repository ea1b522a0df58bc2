"""Cohorts opened for training, run folders, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bag_cohorts import TASKS, recipe_of, write_cohort
from typer.testing import CliRunner

from hemascope.app.bag_cohort import fitting_truth, laboratory_columns, open_training_cohort, tasks_of
from hemascope.app.bag_run import describe_inputs, recipe_to_toml, start_bag_run
from hemascope.bags.taxonomy import load_taxonomy
from hemascope.cli.main import app
from hemascope.core.errors import CohortError, OutputError, RecipeError, WeightsError
from hemascope.core.patient import PatientFacts
from hemascope.recipes import load_recipe
from hemascope.recipes.bags import BagTrainingRecipe
from hemascope.wiring.patients import build_bag_model

RECIPE = recipe_of(epochs=12, folds=3)


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


def test_a_class_that_nobody_learned_from_has_is_an_error(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path, splits=True)
    rows = [row.split(",") for row in manifest.read_text().splitlines()]
    split, label = rows[0].index("split"), rows[0].index("disease")
    for row in rows[1:]:
        if row[split] == "train" and row[label] == "ill":
            row[label] = "sick"
    manifest.write_text("\n".join(",".join(row) for row in rows) + "\n")
    with pytest.raises(CohortError, match=r"split 'train'.*ill.* has no patients"):
        open_training_cohort(recipe_of(folds=1), manifest)


def test_a_class_with_fewer_patients_than_folds_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="class 'healthy' of 'disease' has 14 patients"):
        open_training_cohort(recipe_of(folds=20), write_cohort(tmp_path))


def test_the_splits_of_a_manifest_are_kept(tmp_path: Path) -> None:
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
    with pytest.raises(RecipeError, match=r"another recipe or cohort \(other: cells\)"):
        start_bag_run(tmp_path / "run", RECIPE, changed, manifest, "")
    with pytest.raises(RecipeError, match=r"another recipe or cohort \(other: recipe\)"):
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


def test_predict_wants_a_cohort_or_files_and_not_both(tmp_path: Path) -> None:
    for more in ([], [str(tmp_path / "a.npy"), "--cohort", str(tmp_path / "m.csv")]):
        done = CliRunner().invoke(app, ["predict", str(tmp_path), *more])
        assert "not both" in str(done.exception)


def test_two_files_of_one_name_are_an_error(tmp_path: Path) -> None:
    from hemascope.app.predict_patients import cohort_of_features

    with pytest.raises(CohortError, match="two files are called 'p'"):
        cohort_of_features([tmp_path / "a" / "p.npy", tmp_path / "b" / "p.npy"])


def test_files_of_patients_are_named_as_they_were_given(tmp_path: Path) -> None:
    from hemascope.app.predict_patients import cohort_of_features

    for number in range(2):
        np.save(tmp_path / f"p{number}.npy", np.full((3, 4), number, np.float32))
    files = [tmp_path / "p1.npy", tmp_path / "p0.npy"]
    assert cohort_of_features(files).patients == ("p0", "p1")
    np.save(files[0], np.full((3, 4), np.nan, np.float32))
    with pytest.raises(CohortError, match=f"^{files[0]}: patient p1: "):
        cohort_of_features(files)


def test_labels_that_do_not_fit_are_told_with_their_rows(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path)
    header, first, *rest = manifest.read_text().splitlines()
    column = header.split(",").index("gain")
    cells = first.split(",")
    cells[column] = "maybe"
    manifest.write_text("\n".join([header, ",".join(cells), *rest]) + "\n")
    with pytest.raises(CohortError, match=r"planted.csv, line 2: patient p0: marker 'gain' holds 'maybe'"):
        open_training_cohort(RECIPE, manifest)


def test_a_column_that_the_recipe_asks_for_and_nobody_wrote(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path)
    manifest.write_text(manifest.read_text().replace("gain", "other", 1))
    with pytest.raises(
        CohortError, match=r"planted.csv has no column 'gain', which the recipe asks for; it has .*other"
    ):
        open_training_cohort(RECIPE, manifest)


def test_a_run_whose_inputs_are_damaged_is_an_error(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path / "cohort")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "inputs.json").write_text("{")
    with pytest.raises(RecipeError, match=r"inputs.json cannot be read .*--run"):
        start_bag_run(tmp_path / "run", RECIPE, open_training_cohort(RECIPE, manifest), manifest, "")


def test_the_folder_of_a_run_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{}")
    with pytest.raises(WeightsError, match=f"its model lies in {tmp_path / 'model'}; name that"):
        build_bag_model(tmp_path)


def test_a_training_that_is_not_finished_has_no_model(tmp_path: Path) -> None:
    (tmp_path / "inputs.json").write_text("{}")
    with pytest.raises(WeightsError, match=f"the training in {tmp_path} is not finished; run its command again"):
        build_bag_model(tmp_path / "model")
