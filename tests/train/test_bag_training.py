"""Members, ensembles, and the whole way from a manifest to answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from bag_cohorts import DISEASE, HEMOGLOBIN, MARKERS, TASKS, KilledError, planted, recipe_of, write_cohort
from typer.testing import CliRunner

from hemascope.app.bag_calibration import BagCalibration
from hemascope.app.bag_run import recipe_to_toml
from hemascope.app.bag_training import train_bag_model, without_threshold
from hemascope.bags.folds import plan_folds
from hemascope.cli.main import app
from hemascope.evaluate.patients.answers_file import read_answers
from hemascope.recipes import load_recipe
from hemascope.recipes.bags import BagTrainingRecipe
from hemascope.train.bags.curves import draw_member_curves
from hemascope.train.bags.members import fit_members, in_units, seed_of, told_by, told_out_of_fold
from hemascope.train.optimize import RunLog

RECIPE = recipe_of(epochs=12, folds=3)


def ignore(epoch: int, epochs: int, loss: float) -> None:
    """Show no progress."""


def test_members_have_seeds_of_their_own() -> None:
    recipe = recipe_of(seed=3, folds=5, members=3)
    seeds = [seed_of(recipe, fold, number) for fold in range(1, 6) for number in range(1, 4)]
    assert len(set(seeds)) == 15
    assert not set(seeds) & {seed_of(recipe.model_copy(update={"seed": 4}), f, n) for f in (1, 5) for n in (1, 3)}


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


def test_an_ensemble_killed_in_its_second_member_ends_as_one_that_was_not(tmp_path: Path) -> None:
    bags, truth = planted(30)
    recipe = recipe_of(epochs=7, folds=2)
    plan = plan_folds(TASKS, truth, [""] * 30, 2, 0)
    through = fit_members(recipe, TASKS, bags, truth, plan, tmp_path / "a", ignore)

    def kill(done: int, most: int, loss: float) -> None:
        if done == 7 + 6:
            raise KilledError

    with pytest.raises(KilledError):
        fit_members(recipe, TASKS, bags, truth, plan, tmp_path / "b", kill)
    epochs: list[int] = []
    resumed = fit_members(recipe, TASKS, bags, truth, plan, tmp_path / "b", lambda done, *_: epochs.append(done))
    assert epochs == [13, 14]
    everybody = np.arange(30)
    np.testing.assert_array_equal(
        told_by(resumed, TASKS, bags, everybody).outputs, told_by(through, TASKS, bags, everybody).outputs
    )
    assert [(row["fold"], row["member"]) for row in RunLog(tmp_path / "b").rows()] == [(1, 1), (2, 1)]


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
        "calibration.json", "checks.json", "model", "DONE", "fold-1-member-1", "fold-2-member-1", "fold-3-member-1",
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


def test_a_marker_without_a_threshold_is_told() -> None:
    calibration = BagCalibration({"markers": 1.0}, {"markers": {"t": None, "gain": 0.4}}, {})
    [words] = without_threshold(calibration)
    assert words.startswith("'t' got no threshold")


@pytest.mark.slow
def test_shortcuts_are_warned_of_before_training(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path / "cohort", 60)
    sick = f",{DISEASE.outputs[2]},"
    told = [row.replace(",here,", ",north,") if sick in row else row for row in manifest.read_text().splitlines()]
    manifest.write_text("\n".join(told) + "\n")
    warned: list[str] = []
    recipe = recipe_of(epochs=1, folds=2)
    train_bag_model(recipe, manifest, tmp_path / "run", None, "test", lambda *_: None, on_warning=warned.append)
    assert any("site" in words for words in warned)
    assert json.loads((tmp_path / "run" / "checks.json").read_text())["raised"] >= 1


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
