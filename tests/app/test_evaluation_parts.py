"""Runs opened for evaluation, patients on a plane, and folders written whole or not at all."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patient_runs import write_run

from hemascope.app.evaluation.findings import Findings, Headline, Picture, Sheet
from hemascope.app.evaluation.inputs import open_run
from hemascope.app.evaluation.projection import place_on_plane
from hemascope.app.evaluation.write import write_evaluation
from hemascope.core.errors import CohortError, MissingExtraError, OutputError

DOCUMENT = {"run": "painted", "remarks": ["chosen elsewhere"], "provenance": {"software": {"hemascope": "0"}}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "painted", out_of_fold=20, test=10, unclear=3)


def test_the_test_split_is_judged_and_thresholds_come_from_out_of_fold_patients(run: Path) -> None:
    opened = open_run(run)
    assert (opened.split, len(opened.judged)) == ("test", 10)
    assert opened.tuning is not None
    assert set(opened.tuning.splits.tolist()) == {"out_of_fold"}
    assert not set(opened.tuning.patients) & set(opened.judged.patients)
    assert not opened.cross_fitted
    assert set(opened.embedding) == set(opened.judged.patients)
    assert opened.disease_task() == opened.judged.task("disease")


def test_without_a_test_split_out_of_fold_patients_are_judged_across_folds(run: Path) -> None:
    opened = open_run(run, split="out_of_fold")
    assert opened.cross_fitted
    assert opened.tuning is opened.judged


def test_an_unknown_split_is_refused_with_those_there_are(run: Path) -> None:
    with pytest.raises(CohortError, match="no patient of the split 'tset'; it has borderline, out_of_fold, test"):
        open_run(run, split="tset")


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", out_of_fold=8, test=4, unclear=0)
    (run / "DONE").unlink()
    with pytest.raises(CohortError, match="not finished"):
        open_run(run)


def test_a_file_of_answers_alone_says_what_was_asked(run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "answers.csv"
    alone.write_bytes((run / "predictions.csv").read_bytes())
    opened = open_run(alone)
    assert [task.name for task in opened.judged.tasks] == ["disease", "cytogenetics", "hemoglobin"]
    assert opened.taxonomy is None
    assert open_run(alone, taxonomy="leukemia_letter").disease_task() is not None


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_place_without_answers_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CohortError, match="finished run"):
        open_run(tmp_path / name)


@pytest.mark.parametrize("left", [0, 10, 400])
def test_damaged_vectors_are_refused(tmp_path: Path, left: int) -> None:
    run = write_run(tmp_path / "run", out_of_fold=8, test=4, unclear=0)
    whole = (run / "patients.npz").read_bytes()
    (run / "patients.npz").write_bytes(whole[:left])
    with pytest.raises(CohortError, match=r"patients\.npz cannot be read"):
        open_run(run)


def test_components_find_the_plane_in_which_patients_lie() -> None:
    random = np.random.default_rng(0)
    flat = random.normal(size=(50, 2)) * (3, 1)
    turned = (flat @ np.linalg.qr(random.normal(size=(6, 6)))[0][:2]).astype(np.float32)
    places, method = place_on_plane(turned, "components")
    assert method == "principal components"
    assert abs(np.corrcoef(places[:, 0], places[:, 1]).min()) < 1e-6
    assert places[:, 0].var() > places[:, 1].var()
    again, _ = place_on_plane(turned, "components")
    np.testing.assert_array_equal(places, again)


def test_few_patients_and_constant_vectors_still_have_a_place() -> None:
    places, method = place_on_plane(np.ones((4, 3), np.float32))
    assert method == "principal components"
    np.testing.assert_array_equal(places, 0)


def test_without_umap_the_map_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    vectors = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    assert place_on_plane(vectors, "auto")[1] == "principal components"
    with pytest.raises(MissingExtraError, match=r"hemascope\[umap\]"):
        place_on_plane(vectors, "umap")


@pytest.mark.slow
def test_umap_keeps_two_clouds_apart() -> None:
    pytest.importorskip("umap")
    random = np.random.default_rng(0)
    far = np.repeat([[0.0], [12.0]], 20, axis=0)
    places, method = place_on_plane((random.normal(size=(40, 8)) + far).astype(np.float32), "umap")
    assert method == "UMAP"
    centers = places[:20].mean(axis=0), places[20:].mean(axis=0)
    spread = max(float(places[:20].std()), float(places[20:].std()))
    assert np.linalg.norm(centers[0] - centers[1]) > 4 * spread


def topic(paint: Callable[[], Any] | None = None) -> Findings:
    from matplotlib.figure import Figure

    sheet = Sheet("sizes", ("name", "value"), (("a", 1.5), ("b", None)))
    picture = Picture("empty", "Nothing", "Nothing to see.", paint or (lambda: Figure(figsize=(1, 1))))
    line = Headline("a<b", "accuracy", 0.5, 0.4, 0.6, "%", 12)
    return Findings("one", "One", {"value": 1}, (sheet,), (picture,), (line,), ("mind the gap",))


def test_an_evaluation_is_written_whole(tmp_path: Path) -> None:
    page = write_evaluation(tmp_path / "out", DOCUMENT, [topic()], "10 patients", lambda name: None)
    assert json.loads((page.parent / "evaluation.json").read_text("utf-8"))["run"] == "painted"
    with (page.parent / "tables" / "sizes.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["name", "value"], ["a", "1.5"], ["b", ""]]
    assert (page.parent / "figures" / "empty.png").read_bytes().startswith(b"\x89PNG")
    text = page.read_text("utf-8")
    assert "Research use only" in text
    assert "a&lt;b" in text
    assert "50.0% [40.0%, 60.0%]" in text
    assert "mind the gap" in text


def test_an_earlier_evaluation_is_replaced_and_survives_a_failure(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_evaluation(out, DOCUMENT, [topic()], "", lambda name: None)

    def fail() -> None:
        raise RuntimeError("no picture")

    with pytest.raises(RuntimeError):
        write_evaluation(out, DOCUMENT | {"run": "other"}, [topic(fail)], "", lambda name: None)
    assert json.loads((out / "evaluation.json").read_text("utf-8"))["run"] == "painted"
    write_evaluation(out, DOCUMENT | {"run": "other"}, [topic()], "", lambda name: None)
    assert json.loads((out / "evaluation.json").read_text("utf-8"))["run"] == "other"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(OutputError, match=r"thesis\.txt"):
        write_evaluation(tmp_path, DOCUMENT, [topic()], "", lambda name: None)
    with pytest.raises(OutputError, match="is a file"):
        write_evaluation(tmp_path / "thesis.txt", DOCUMENT, [topic()], "", lambda name: None)


def test_figures_are_shown_with_their_unit() -> None:
    assert Headline("t", "n", None).text == "-"
    assert Headline("t", "n", 0.91234).text == "0.912"
    assert Headline("t", "n", 1.634, 1.5, 1.8, "g/dL").text == "1.63 [1.50, 1.80] g/dL"
