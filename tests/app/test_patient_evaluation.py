"""`evaluate_run` on answers whose figures are known beforehand, and one whole path."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patient_runs import CLASSES, MARKERS, write_rows, write_run
from PIL import Image

from hemascope.app.evaluate_run import EvaluationRequest, evaluate_run, evaluation_document, open_evaluation
from hemascope.app.evaluation.bag_sizes import judge_bag_sizes
from hemascope.app.evaluation.borderline import judge_borderline
from hemascope.app.evaluation.classes import judge_classes
from hemascope.app.evaluation.comparison import compare_runs
from hemascope.app.evaluation.findings import Findings, Sheet
from hemascope.app.evaluation.inputs import Evaluated, open_run
from hemascope.app.evaluation.malignancy import judge_malignancy
from hemascope.app.evaluation.markers import judge_markers
from hemascope.app.evaluation.numbers import judge_number
from hemascope.app.evaluation.patient_map import map_patients
from hemascope.app.evaluation.subgroups import judge_subgroups
from hemascope.app.evaluation.working_points import working_points
from hemascope.core.errors import CohortError
from hemascope.evaluate.patients.questions import questions_of
from hemascope.stats.ranking import auroc

RESAMPLES = 100


def opened(path: Path, rows: list[dict[str, object]], split: str = "") -> Evaluated:
    """Return answers written to a file and read back."""
    return open_run(write_rows(path / "answers.csv", rows), split, "leukemia_letter", RESAMPLES)


def patient(number: int, split: str, **columns: object) -> dict[str, object]:
    return {"patient": f"{split}{number}", "split": split, "cells": 100 + number, **columns}


def disease(number: int, split: str, truth: str, **shares: float) -> dict[str, object]:
    told = {f"probability.disease.{name}": shares.get(name, 0.0) for name in CLASSES}
    return patient(number, split, **{"truth.disease": truth}, **told)


def marker(number: int, split: str, told: float, there: int, fold: object = "") -> dict[str, object]:
    return patient(number, split, fold=fold) | {"probability.markers.amp": told, "truth.amp": there}


def marker_points(run: Evaluated) -> dict[str, Any]:
    question = questions_of(run.judged, "markers")[0]
    tuning = questions_of(run.tuning, "markers")[0] if run.tuning else None
    return {point.rule: point for point in working_points(run, question, tuning)}


def figures(findings: Findings | None) -> Any:
    assert findings is not None
    return findings.figures


def test_thresholds_come_from_out_of_fold_patients_whatever_the_test_split_says(tmp_path: Path) -> None:
    chosen_on = [(0.1, 0), (0.3, 0), (0.5, 1), (0.7, 1)]
    judged = [(0.2, 0), (0.45, 0), (0.35, 1), (0.9, 1)]
    rows = [marker(k, "out_of_fold", *one, fold=k % 2) for k, one in enumerate(chosen_on)]
    rows += [marker(k, "test", *one) for k, one in enumerate(judged)]
    youden = marker_points(opened(tmp_path, rows))["youden"]
    assert youden.threshold == pytest.approx(0.4)
    counts = youden.scores.counts
    assert (counts.true_positive, counts.false_positive, counts.true_negative, counts.false_negative) == (1, 1, 1, 1)


def test_changing_the_test_answers_moves_no_threshold(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [marker(k, "out_of_fold", random.random(), k % 2) for k in range(20)]
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        test = [marker(k, "test", random.random(), int(random.integers(2))) for k in range(20)]
        found.append(marker_points(opened(tmp_path / name, rows + test)))
    assert [found[0][rule].thresholds for rule in found[0]] == [found[1][rule].thresholds for rule in found[1]]


def test_without_a_test_split_a_fold_has_no_say_in_its_own_threshold(tmp_path: Path) -> None:
    low = [(0.1, 0), (0.2, 0), (0.3, 1), (0.4, 1)]
    high = [(0.6, 0), (0.7, 0), (0.8, 1), (0.9, 1)]
    rows = [marker(k, "out_of_fold", *one, fold=0) for k, one in enumerate(low)]
    rows += [marker(10 + k, "out_of_fold", *one, fold=1) for k, one in enumerate(high)]
    run = opened(tmp_path, rows)
    assert run.cross_fitted
    youden = marker_points(run)["youden"]
    assert youden.thresholds == {0: pytest.approx(0.75), 1: pytest.approx(0.25)}
    assert youden.scores.sensitivity.value == pytest.approx(0.5)
    assert youden.scores.specificity.value == pytest.approx(0.5)
    assert "optimistic" in evaluation_document(run, [])["remarks"][0]


def test_one_fold_and_no_test_split_is_called_optimistic(tmp_path: Path) -> None:
    rows = [marker(k, "out_of_fold", 0.1 * k, int(k > 4), fold=0) for k in range(10)]
    run = opened(tmp_path, rows)
    assert evaluation_document(run, [])["remarks"][0].startswith("OPTIMISTIC")
    assert "same patients" in marker_points(run)["youden"].chosen_on


def test_without_anything_to_choose_on_the_threshold_is_a_fixed_one(tmp_path: Path) -> None:
    run = opened(tmp_path, [marker(k, "elsewhere", 0.1 * k, int(k > 4)) for k in range(10)])
    assert list(marker_points(run)) == ["fixed"]
    assert marker_points(run)["fixed"].threshold == 0.5
    assert "fixed" in evaluation_document(run, [])["remarks"][0]


def test_the_areas_of_markers_are_those_of_the_pairs(tmp_path: Path) -> None:
    told, there = [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]
    rows = [marker(k, "test", *one) for k, one in enumerate(zip(told, there, strict=True))]
    run = opened(tmp_path, [*rows, patient(9, "test") | {"probability.markers.amp": 0.5, "truth.amp": ""}])
    found = figures(judge_markers(run, run.judged.task("markers")))["markers"]["amp"]
    assert (found["patients"], found["positive"]) == (4, 2)
    assert found["auroc"]["value"] == auroc(told, np.array(there, bool)) == 0.75
    assert found["prevalence"]["value"] == 0.5


def test_a_marker_of_one_kind_only_is_undefined_but_no_error(tmp_path: Path) -> None:
    run = opened(tmp_path, [marker(k, "test", 0.1 * k, 0) for k in range(6)])
    findings = judge_markers(run, run.judged.task("markers"))
    assert findings is not None
    assert figures(findings)["markers"]["amp"]["auroc"]["value"] is None
    assert {picture.name for picture in findings.pictures} == {"reliability_markers", "decision_markers"}
    assert [line.text for line in findings.headlines] == ["-"]


def test_accuracy_top_two_and_confusion_are_counted(tmp_path: Path) -> None:
    rows = [
        disease(0, "test", "mds", mds=0.9, mpn=0.1),
        disease(1, "test", "mds", mpn=0.6, mds=0.4),
        disease(2, "test", "mpn", mpn=0.7, mds=0.3),
        disease(3, "test", "healthy", mpn=0.6, mds=0.3, healthy=0.1),
    ]
    run = opened(tmp_path, rows)
    found = figures(judge_classes(run, run.judged.task("disease")))
    assert found["accuracy"]["value"] == 0.5
    assert found["top_2_accuracy"]["value"] == 0.75
    counts = np.array(found["confusion"]["counts"])
    mds, mpn, healthy = (CLASSES.index(name) for name in ("mds", "mpn", "healthy"))
    assert counts[mds, mds] == counts[mds, mpn] == counts[mpn, mpn] == counts[healthy, mpn] == 1
    assert counts.sum() == 4
    assert found["classes"]["mds"]["sensitivity"]["value"] == 0.5
    assert found["macro_auroc_classes"] == 3


def test_malignancy_sums_the_malignant_classes_and_counts_donors_apart(tmp_path: Path) -> None:
    rows = [
        disease(0, "out_of_fold", "mds", mds=0.5, mpn=0.3, healthy=0.2),
        disease(1, "out_of_fold", "reactive", mds=0.1, mpn=0.1, reactive=0.8),
        disease(2, "test", "acute_leukemia", acute_leukemia=0.3, mds=0.3, healthy=0.4),
        disease(3, "test", "mpn", mpn=0.1, reactive=0.9),
        disease(4, "test", "reactive", reactive=1.0),
        disease(5, "test", "reactive", reactive=0.1, mds=0.9),
        disease(6, "test", "healthy", healthy=0.2, lymphoma=0.8),
    ]
    found = figures(judge_malignancy(opened(tmp_path, rows)))
    youden = found["thresholds"]["youden"]
    assert youden["threshold"] == pytest.approx(0.5)
    counts = youden["procedures"]["counts"]
    assert (counts["malignant"], counts["missed"], counts["missed_acute"]) == (2, 1, 0)
    assert (counts["benign"], counts["avoided"], counts["donors"], counts["alarmed_donors"]) == (2, 1, 1, 1)
    assert (found["patients"], found["positive"]) == (5, 2)


def test_without_a_taxonomy_nothing_is_said_of_malignancy(tmp_path: Path) -> None:
    rows = [disease(k, "test", "mds", mds=0.5, mpn=0.5) for k in range(3)]
    assert judge_malignancy(open_run(write_rows(tmp_path / "answers.csv", rows))) is None


def test_without_any_truth_there_is_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="nothing is known to be true of the 2 patients of the split 'test'"):
        opened(tmp_path, [disease(k, "test", "", mds=1.0) for k in range(2)])


def test_a_task_without_a_truth_is_left_out_of_every_topic(tmp_path: Path) -> None:
    rows = [disease(k, "test", "", mds=0.7, mpn=0.3) | {"number.hb": 10 + k, "truth.hb": 11 + k} for k in range(6)]
    run = opened(tmp_path, rows)
    assert judge_classes(run, run.judged.task("disease")) is None
    assert judge_malignancy(run) is None
    assert judge_bag_sizes(run) is None
    assert judge_borderline(run) is not None


def test_a_number_is_compared_with_what_was_measured(tmp_path: Path) -> None:
    rows = [patient(k, "test") | {"number.hb": 10 + k + 0.5 * (-1) ** k, "truth.hb": 10 + k} for k in range(8)]
    run = opened(tmp_path, rows)
    found = figures(judge_number(run, run.judged.task("hb")))
    assert found["mean_absolute_error"]["value"] == pytest.approx(0.5)
    assert found["bias"]["value"] == pytest.approx(0)
    assert found["pearson"]["value"] > 0.9
    half = 1.96 * 0.5 * math.sqrt(8 / 7)
    assert found["limits_of_agreement"] == pytest.approx([-half, half], abs=1e-5)


def test_borderline_patients_are_a_cohort_of_their_own(tmp_path: Path) -> None:
    rows = [
        disease(0, "test", "mds", mds=1.0),
        disease(1, "borderline", "", mds=0.6, acute_leukemia=0.4) | {"label.disease": "MDS-AML borderline"},
        disease(2, "borderline", "", acute_leukemia=0.9, mds=0.1) | {"label.disease": "MDS-AML borderline"},
        disease(3, "unclear", "", healthy=1.0),
    ]
    run = opened(tmp_path, rows)
    found = figures(judge_borderline(run))["disease"]
    assert found["MDS-AML borderline"]["suspected"] == ["mds", "acute_leukemia"]
    assert found["MDS-AML borderline"]["among_suspected"]["value"] == 1
    assert found["MDS-AML borderline"]["mean_probability"]["acute_leukemia"] == pytest.approx(0.65)
    assert found["unclear"]["patients"] == 1
    assert figures(judge_classes(run, run.judged.task("disease")))["patients"] == 1


def test_a_subgroup_in_which_the_model_fails_is_found(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    rows = []
    for k in range(400):
        site, there = ("north", "south")[k % 2], int(random.integers(2))
        skill = 2.5 if site == "north" else 0.0
        told = 1 / (1 + math.exp(-(random.normal() + skill * (there - 0.5))))
        rows.append(marker(k, "test", told, there) | {"site": site})
    findings = judge_subgroups(opened(tmp_path, rows))
    tests = {test["column"]: test for test in figures(findings)["markers"]["tests"]}
    assert tests["site"]["p_holm"] < 0.001
    assert tests["bag size"]["p_holm"] > 0.05
    assert findings is not None
    assert "more than chance" in findings.remarks[0]


def test_the_map_of_patients_out_of_fold_is_of_one_network(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", out_of_fold=41, test=12, unclear=0)
    findings = map_patients(open_run(run, "out_of_fold"), "components")
    assert (figures(findings)["fold"], figures(findings)["patients"]) == (0, 11)
    assert figures(map_patients(open_run(run), "components")) == {
        "method": "principal components", "patients": 12, "fold": None
    }  # fmt: skip


def test_two_models_are_compared_on_the_patients_they_share(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    runs = []
    for name, skill in (("good", 3.0), ("poor", 0.0)):
        (tmp_path / name).mkdir()
        rows = []
        for k in range(60 if name == "good" else 50):
            there = k % 2
            told = {m: 1 / (1 + math.exp(-(random.normal() + skill * (there - 0.5)))) for m in ("a", "b")}
            row = {f"probability.markers.{m}": value for m, value in told.items()} | {
                "truth.a": there,
                "truth.b": there,
            }
            rows.append(patient(k, "test", **row))
        runs.append(opened(tmp_path / name, rows))
    found = figures(compare_runs(*runs))
    assert found["patients"] == 50
    assert found["markers"]["a"]["p_value"] < 0.01
    average = found["markers"]["average"]
    assert average["difference"]["value"] == pytest.approx(
        average["ours"]["value"] - average["theirs"]["value"], abs=1e-5
    )
    assert average["difference"]["low"] > 0
    itself = figures(compare_runs(runs[0], runs[0]))["markers"]
    assert (itself["a"]["p_value"], itself["average"]["difference"]["value"]) == (1, 0)


def test_runs_that_disagree_about_the_truth_or_share_nobody_are_refused(tmp_path: Path) -> None:
    runs = []
    for name, split, there in (("a", "test", 1), ("b", "test", 0), ("c", "test_of_c", 1)):
        (tmp_path / name).mkdir()
        rows = [marker(k, split, 0.5, there if k == 0 else k % 2) for k in range(6)]
        runs.append(opened(tmp_path / name, rows))
    with pytest.raises(CohortError, match="disagree about what is true of amp"):
        compare_runs(runs[0], runs[1])
    with pytest.raises(CohortError, match="share no patient"):
        compare_runs(runs[0], runs[2])


def test_two_rows_differing_in_length_are_no_table() -> None:
    with pytest.raises(ValueError, match="2 cells"):
        Sheet("bad", ("a", "b"), ((1,),))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("runs") / "painted", out_of_fold=120, test=90)
    request = EvaluationRequest(run, resamples=RESAMPLES, projection="components")
    return evaluate_run(open_evaluation(request)).page.parent


@pytest.mark.slow
def test_the_whole_evaluation_stands_in_one_folder(whole: Path) -> None:
    assert whole.name == "evaluation"
    document = json.loads((whole / "evaluation.json").read_text("utf-8"))
    assert document["schema_version"] == 1
    assert "Research use only" in document["use"]
    assert set(document["tasks"]) == {"disease", "cytogenetics", "hemoglobin"}
    topics = {"malignancy", "subgroups", "cell_ratios", "unsettled", "bag_sizes", "patient_map"}
    assert set(document["topics"]) == topics
    assert document["tuning"] == {"split": "out_of_fold", "patients": 120, "cross_fitted": False}
    assert set(document["provenance"]["files_sha256"]) == {"predictions.csv", "recipe.toml", "patients.npz"}
    assert set(document["tasks"]["cytogenetics"]["markers"]) == set(MARKERS)
    assert document["topics"]["cell_ratios"]["disease.acute_leukemia"]["ratio_myeloblast"]["spearman"]["value"] > 0


@pytest.mark.slow
def test_no_path_of_this_machine_stands_in_what_is_written(whole: Path) -> None:
    for name in ("evaluation.json", "evaluation.html"):
        assert str(whole.parent.parent) not in (whole / name).read_text("utf-8")


@pytest.mark.slow
def test_every_picture_is_on_the_page_and_not_empty(whole: Path) -> None:
    page = (whole / "evaluation.html").read_text("utf-8")
    assert "Research use only" in page
    names = sorted(path.name for path in (whole / "figures").iterdir())
    assert page.count("data:image/png;base64,") == len(names)
    wanted = {
        "roc_disease.png", "precision_recall_cytogenetics.png", "reliability_disease.png", "confusion_disease.png",
        "confusion_disease_fine.png", "decision_malignancy.png", "malignancy_procedures.png", "subgroups_disease.png",
        "subgroups_cytogenetics_average.png", "ratios_disease.png", "patient_map.png", "number_hemoglobin.png",
        "bag_sizes_disease.png", "unsettled_disease.png",
    }  # fmt: skip
    assert wanted <= set(names)
    for name in names:
        with Image.open(whole / "figures" / name) as picture:
            assert picture.info["Description"].startswith("Research use only")
            assert np.asarray(picture.convert("L")).std() > 5


@pytest.mark.slow
def test_tables_have_as_many_cells_as_columns(whole: Path) -> None:
    tables = list((whole / "tables").iterdir())
    assert len(tables) > 15
    for path in tables:
        with path.open(encoding="utf-8", newline="") as file:
            columns, *rows = csv.reader(file)
        assert rows
        assert {len(row) for row in rows} == {len(columns)}


@pytest.mark.slow
def test_the_same_run_gives_the_same_figures(whole: Path, tmp_path: Path) -> None:
    request = EvaluationRequest(whole.parent, tmp_path / "again", resamples=RESAMPLES, projection="components")
    again = evaluate_run(open_evaluation(request)).page.parent
    first, second = (json.loads((folder / "evaluation.json").read_text("utf-8")) for folder in (whole, again))
    for document in (first, second):
        del document["provenance"]["made"]
    assert first == second
