"""A recipe beside its changes: what is trained, once, and what is compared."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ablation_parts import DISEASE, HEMOGLOBIN, MARKERS, small_recipe, write_study

from hemascope.app.ablation import Ablation, AblationRequest, run_ablation
from hemascope.app.ablation_rows import Group, changed_rows, own_row
from hemascope.app.ablation_scores import Figure, adjusted, compare_rows, figures_of, of_patients
from hemascope.app.ablation_tables import ablation_page, remarks_of, write_ablation
from hemascope.app.ablation_training import read_times
from hemascope.core.bag_task import BagTask
from hemascope.core.errors import CohortError, RecipeError
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.answers_file import read_answers
from hemascope.evaluate.patients.ranking import PairedComparison
from hemascope.recipes import load_recipe
from hemascope.recipes.bags import BagTrainingRecipe
from hemascope.recipes.cell_bags import CellBagRecipe
from hemascope.stats.ranking import auroc

TASKS = (DISEASE, MARKERS, HEMOGLOBIN)
ACCURACY, AREA = Figure("disease", "accuracy"), Figure("markers", "mean AUROC")
ERROR = Figure("hemoglobin", "mean absolute error", "g/dL")


class KilledError(Exception):
    """Stands for the end of a process."""


def ignore(done: int, most: int, note: str) -> None:
    """Show no progress."""


def asked(manifest: Path, out: Path, *groups: Group, **values: object) -> AblationRequest:
    recipe = values.pop("recipe", small_recipe())
    return AblationRequest(recipe, manifest, out, frozenset(groups), resamples=100, **values)  # type: ignore[arg-type]


def answers_of(told: list[float], truth: list[float]) -> PatientAnswers:
    """Return answers about one number and two classes: ``told`` is a number, and above 0.5 the second class."""
    tasks = (HEMOGLOBIN, DISEASE)
    values, count = np.array(told), len(told)
    likely = (values > 0.5).astype(float)
    return PatientAnswers(
        tasks,
        tuple(f"p{place}" for place in range(count)),
        np.full(count, "out_of_fold"),
        np.ones(count, np.intp),
        np.ones(count, np.intp),
        {"disease": np.stack([0.9 - 0.8 * likely, 0.1 + 0.8 * likely], axis=1)},
        {"hemoglobin": values},
        np.stack([truth, truth], axis=1),
        {},
        {},
        {},
    )


def test_what_the_recipe_does_already_is_no_change() -> None:
    recipe = small_recipe(imbalance="focal", members=3)
    rows = changed_rows(recipe, TASKS, ("other", "descriptors"), frozenset(Group))
    names = {group: [row.name for row in rows if row.group is group] for group in Group}
    assert "mean" not in names[Group.AGGREGATORS]
    assert {"gated_attention", "transformer", "max", "clam", "transmil"} < set(names[Group.AGGREGATORS])
    assert names[Group.IMBALANCE] == ["none", "class_weights", "balanced_sampling"]
    assert names[Group.MEMBERS] == ["1 seed a fold", "2 seeds a fold", "5 seeds a fold"]
    assert names[Group.VARIANTS] == ["other", "handcrafted features"]
    assert len(names[Group.COUNTS]) == len(names[Group.TASKS]) == 1
    assert own_row(recipe).runs[0].recipe == recipe


def test_every_row_is_a_recipe_that_reads_back_in_a_folder_of_its_own() -> None:
    rows = changed_rows(small_recipe(), TASKS, ("other",), frozenset(Group))
    runs = {run.key: run for row in rows for run in row.runs}
    for run in runs.values():
        assert BagTrainingRecipe.model_validate(run.recipe.model_dump()) == run.recipe
    members = {row.runs[0].key for row in rows if row.group is Group.MEMBERS}
    assert len(members) == 1
    assert len(runs) == sum(len(row.runs) for row in rows if row.group is not Group.MEMBERS) + 1


def test_a_marker_and_every_other_task_is_a_model_of_its_own() -> None:
    [row] = changed_rows(small_recipe(), TASKS, (), [Group.TASKS])
    assert [(run.recipe.tasks[0].name, run.recipe.tasks[0].outputs) for run in row.runs] == [
        ("disease", ("healthy", "sick")),
        ("markers", ("t",)),
        ("markers", ("gain",)),
        ("hemoglobin", ("hemoglobin",)),
    ]
    assert changed_rows(small_recipe((DISEASE,)), (DISEASE,), (), [Group.TASKS]) == ()


def test_counts_are_a_logistic_regression_at_a_steady_rate() -> None:
    [row] = changed_rows(small_recipe(learning_rate=2e-4, epochs=7), TASKS, (), [Group.COUNTS])
    recipe, variant = row.runs[0].recipe, row.runs[0].variant
    assert variant == "counts"
    assert (recipe.aggregator.kind, recipe.aggregator.width, recipe.aggregator.head_width) == ("mean", 0, 0)
    assert (recipe.learning_rate, recipe.epochs, recipe.plateau_patience) == (0.1, 100, 0)


def test_the_recipe_of_a_frozen_encoder_differs_from_the_other_by_that_alone() -> None:
    recipes = Path(__file__).parents[2] / "recipes"
    frozen, learned = (load_recipe(recipes / f"{name}.toml", CellBagRecipe) for name in ("malaria_frozen", "malaria"))
    assert frozen == learned.model_copy(update={"name": "malaria_frozen", "frozen": True})


def test_figures_by_kind_of_task() -> None:
    assert [(figure.name, figure.less_is_better) for figure in figures_of(TASKS)] == [
        ("accuracy", False),
        ("macro AUROC", False),
        ("mean AUROC", False),
        ("mean absolute error", True),
    ]


def test_differences_of_accuracy_and_error_are_those_of_the_patients() -> None:
    truth = [0.0, 1.0] * 10
    own, better = answers_of([0.0] * 20, truth), answers_of(truth, truth)
    right = compare_rows([better], own, ACCURACY, 100)
    assert right is not None
    assert (right.ours.value, right.theirs.value, right.difference.value) == (1.0, 0.5, 0.5)
    error = compare_rows([better], own, ERROR, 100)
    assert error is not None
    assert (error.ours.value, error.difference.value) == (0.0, -0.5)
    assert error.difference.high is not None
    assert error.difference.high < 0
    area = compare_rows([better], own, Figure("disease", "macro AUROC"), 100)
    assert area is not None
    assert (area.ours.value, area.theirs.value) == (1.0, 0.5)


def test_nothing_is_compared_where_nothing_is_known() -> None:
    nobody = answers_of([0.0, 1.0], [np.nan, np.nan])
    for figure in figures_of(nobody.tasks):
        assert compare_rows([nobody], nobody, figure, 100) is None


def test_rows_on_other_patients_are_refused_and_orders_are_made_alike() -> None:
    answers = answers_of([0.0, 1.0, 0.0], [0.0, 1.0, 1.0])
    [turned] = of_patients([answers], "out_of_fold", ("p2", "p0", "p1"))
    assert turned.truth_of("disease").tolist() == [1, 0, 1]
    with pytest.raises(CohortError, match="not the same 2"):
        of_patients([answers], "out_of_fold", ("p0", "p1"))


def test_p_values_are_adjusted_over_the_rows_that_have_one() -> None:
    def of(p_value: float | None) -> PairedComparison:
        return PairedComparison(Estimate(0.5), Estimate(0.5), Estimate(0.0), p_value, 9)

    assert adjusted({"a": of(0.01), "b": None, "c": of(0.04), "d": of(None)}) == {
        "a": 0.02, "b": None, "c": 0.04, "d": None,
    }  # fmt: skip


@pytest.mark.slow
def test_a_split_nobody_is_in_is_refused_and_one_fold_is_told(tmp_path: Path) -> None:
    recipe = small_recipe(epochs=1, folds=1)
    request = asked(write_study(tmp_path), tmp_path / "out", recipe=recipe)
    with pytest.raises(CohortError, match="no patient of the split 'nobody'"):
        run_ablation(replace(request, split="nobody"), ignore)
    assert "OPTIMISTIC" in remarks_of(run_ablation(request, ignore))[1]
    on_test = run_ablation(replace(request, split="test"), ignore)
    assert "has been chosen on these patients" in remarks_of(on_test)[1]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ablation, list[str]]:
    """A finished ablation with a row that cannot be trained, and the notes of its progress."""
    home = tmp_path_factory.mktemp("ablation")
    notes: list[str] = []
    recipe = small_recipe()
    request = asked(
        write_study(home / "cohort", variants=("turned", "lost")),
        home / "out",
        Group.TASKS,
        Group.VARIANTS,
        Group.MEMBERS,
        recipe=recipe,
        others=(recipe.model_copy(update={"name": "same"}),),
    )
    found = run_ablation(request, lambda done, most, note: notes.append(f"{done}/{most} {note}"))
    write_ablation(found)
    return found, notes


@pytest.mark.slow
def test_the_same_recipe_differs_by_nothing(done: tuple[Ablation, list[str]]) -> None:
    [same] = [result for result in done[0].rows if result.row.group is Group.RECIPES]
    for figure, found in same.comparisons.items():
        assert found is not None
        assert (found.difference.value, found.difference.low, found.difference.high) == (0.0, 0.0, 0.0)
        assert found.p_value == same.p_holm[figure] == 1.0


@pytest.mark.slow
def test_a_row_that_fails_says_why_and_the_others_go_on(done: tuple[Ablation, list[str]]) -> None:
    ablation = done[0]
    failed = [result for result in ablation.rows if result.failure]
    assert [result.row.name for result in failed] == ["lost"]
    assert "p0-lost.npy" in failed[0].failure
    assert {result.row.name for result in ablation.rows if result.comparisons} == {
        "the recipe's own", "4 models of one question each", "turned", "2 seeds a fold", "3 seeds a fold",
        "5 seeds a fold", "same",
    }  # fmt: skip
    assert "- variants, lost: " in ablation_page(ablation)
    assert "With 100 resamples no p value is below 0.02" in remarks_of(ablation)[-1]


@pytest.mark.slow
def test_models_of_one_question_are_judged_together(done: tuple[Ablation, list[str]]) -> None:
    ablation = done[0]
    [row] = [result for result in ablation.rows if result.row.group is Group.TASKS]
    areas = []
    for run, marker in zip(row.row.runs[1:3], MARKERS.outputs, strict=True):
        task = BagTask(MARKERS.name, MARKERS.kind, (marker,))
        told = read_answers(ablation.request.out / "runs" / run.key / "predictions.csv", (task,))
        _, probabilities, present = told.of_split("out_of_fold").marker("markers", marker)
        areas.append(auroc(probabilities, present))
    found = row.comparisons[AREA]
    assert found is not None
    assert found.ours.value == pytest.approx(np.mean(areas))
    assert row.time is not None
    assert row.time.processor > 0


@pytest.mark.slow
def test_seeds_already_trained_are_taken_over(done: tuple[Ablation, list[str]]) -> None:
    runs = done[0].request.out / "runs"
    own, many = (read_times(runs / name / "training_time.json") for name in ("own", "members"))
    assert set(own) == {"1-1", "2-1"}
    assert set(many) == {f"{fold}-{seed}" for fold in (1, 2) for seed in range(1, 6)}
    assert {key: many[key] for key in own} == own
    one, all_own = (read_answers(runs / name, TASKS) for name in ("members/predictions-1.csv", "own/predictions.csv"))
    np.testing.assert_array_equal(one.numbers["hemoglobin"], all_own.numbers["hemoglobin"])
    np.testing.assert_array_equal(one.probabilities["markers"], all_own.probabilities["markers"])


@pytest.mark.slow
def test_done_again_it_trains_nothing_and_says_the_same(done: tuple[Ablation, list[str]]) -> None:
    ablation, notes = done
    assert sum("loss" in note for note in notes) == 2 * 2 * (1 + 4 + 1 + 4 + 1)
    again: list[str] = []
    found = run_ablation(ablation.request, lambda done, most, note: again.append(note))
    assert not any("loss" in note for note in again)
    assert ablation_page(found) == ablation_page(ablation)


@pytest.mark.slow
def test_it_goes_on_where_it_was_killed(tmp_path: Path, done: tuple[Ablation, list[str]]) -> None:
    whole = done[0]
    request = replace(whole.request, out=tmp_path / "out", groups=frozenset({Group.TASKS}), others=())
    epochs: list[str] = []

    def kill(done: int, most: int, note: str) -> None:
        epochs.append(note) if "loss" in note else None
        if len(epochs) == 9:
            raise KilledError

    with pytest.raises(KilledError):
        run_ablation(request, kill)
    finished = sorted(path.parent.name for path in (tmp_path / "out" / "runs").glob("*/DONE"))
    assert finished == ["own", "tasks-1-disease-healthy"]
    more: list[str] = []
    found = run_ablation(request, lambda done, most, note: more.append(note))
    assert sum("loss" in note for note in more) == 4 * 5 - 8
    assert found.rows[1].comparisons == whole.rows[1].comparisons  # as if it had never been killed


@pytest.mark.slow
def test_files_hold_every_row(done: tuple[Ablation, list[str]]) -> None:
    ablation, out = done[0], done[0].request.out
    document = json.loads((out / "ablation.json").read_text(encoding="utf-8"))
    assert [row["row"] for row in document["rows"]] == [result.row.name for result in ablation.rows]
    assert str(out) not in json.dumps(document["rows"][0])
    own, *others = document["rows"]
    assert "difference" not in own["figures"]["disease"]["accuracy"]
    assert own["training"]["times_own"] == 1
    assert [row["failure"] is None for row in others].count(False) == 1
    with (out / "ablation.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(ablation.rows) * 4
    assert {row["figure"] for row in rows} == {"accuracy", "macro AUROC", "mean AUROC", "mean absolute error"}
    pictures = sorted(out.glob("*.png"))
    assert len(pictures) == 4
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)


@pytest.mark.slow
def test_the_folder_of_another_recipe_is_refused(done: tuple[Ablation, list[str]]) -> None:
    request = replace(done[0].request, recipe=small_recipe(seed=9))
    with pytest.raises(RecipeError, match="another recipe"):
        run_ablation(request, ignore)
