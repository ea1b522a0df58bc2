"""`hemascope cohort simulate` and `check`: what one writes the other reads, and what was planted is raised."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hemascope.app.cohort import open_cohort
from hemascope.app.cohort_checks import check_cohort, open_checked, task_of_column, warnings_of
from hemascope.app.cohort_simulation import (
    EMBEDDINGS_FILE,
    MANIFEST_FILE,
    TRUTH_FILE,
    SimulationRequest,
    simulate,
    write_simulated,
)
from hemascope.bags.truth import truth_of
from hemascope.cli.cohort import app
from hemascope.core.bag_task import TaskKind
from hemascope.core.errors import CohortError, InputError, OutputError
from hemascope.core.patient import PatientFacts
from hemascope.synth.cohort.simulated import Shortcut, SimulatedCohort

pytest.importorskip("anndata")

EASY = "myeloma-720-easy"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulated") / "cohort"


@pytest.fixture(scope="module")
def written(folder: Path) -> SimulatedCohort:
    return write_simulated(
        SimulationRequest(EASY, folder, seed=2, patients=60, shortcut=Shortcut.CELLS, label="gain1q")
    )


def test_our_reader_gives_back_what_was_drawn(folder: Path, written: SimulatedCohort) -> None:
    read = open_cohort(folder / MANIFEST_FILE, labels=written.truth.tasks[0].outputs)
    order = np.argsort(written.cohort.patients, kind="stable")
    drawn = written.cohort.select(order)
    assert read.patients == drawn.patients
    assert read.bags.encoder == drawn.bags.encoder
    assert np.array_equal(read.bags.values, drawn.bags.values)
    assert np.array_equal(truth_of(read.facts, written.truth.tasks), written.table[order])
    for got, wanted in zip(read.facts, drawn.facts, strict=True):
        assert (got.site, got.scanner, got.stain, got.split) == (
            wanted.site,
            wanted.scanner,
            wanted.stain,
            wanted.split,
        )
        assert got.covariates == wanted.covariates


def test_truth_names_the_cells_and_the_best_answers(folder: Path, written: SimulatedCohort) -> None:
    told = json.loads((folder / TRUTH_FILE).read_text(encoding="utf-8"))
    assert told["planted"]["shortcut"] == "cells"
    assert len(told["patients"]) == 60
    carries = written.truth.states.informative[written.drawn.states]
    for place, (name, patient) in enumerate(told["patients"].items()):
        start, stop = written.drawn.bags.starts[place : place + 2]
        assert name == written.cohort.patients[place]
        assert patient["informative"] == np.flatnonzero(carries[start:stop]).tolist()
        assert set(patient["best"]) == set(written.truth.tasks[0].outputs)
        assert all(0 <= p <= 1 for p in patient["best"].values())
    manifest = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
    assert "informative" not in manifest


def test_check_raises_what_was_planted_and_ends_in_1(folder: Path, written: SimulatedCohort, tmp_path: Path) -> None:
    assert written.planted is not None
    result = CliRunner().invoke(
        app, ["check", str(folder / MANIFEST_FILE), "--label", "gain1q", "--json", str(tmp_path / "checks.json")]
    )
    assert result.exit_code == 1
    assert "RAISED" in result.output
    document = json.loads((tmp_path / "checks.json").read_text(encoding="utf-8"))
    (raised,) = [check for check in document["checks"] if check["raised"]]
    assert (raised["check"], raised["label"]) == ("cell_number", "gain1q")
    assert raised["advice"]


def test_a_clean_cohort_ends_in_0(tmp_path: Path) -> None:
    runner = CliRunner()
    made = runner.invoke(app, ["simulate", EASY, "--out", str(tmp_path / "clean"), "--patients", "40"])
    assert made.exit_code == 0, made.output
    assert "40 simulated patients" in made.output
    manifest = str(tmp_path / "clean" / MANIFEST_FILE)
    result = runner.invoke(app, ["check", manifest, "--json", str(tmp_path / "checks.json")])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "checks.json").read_text(encoding="utf-8"))["raised"] == 0


def test_nothing_is_left_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hemascope.app.cohort_simulation._write_cells", fail)
    with pytest.raises(OutputError, match="free some disk space"):
        write_simulated(SimulationRequest(EASY, tmp_path / "out", patients=12))
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_not_touched(folder: Path, written: SimulatedCohort) -> None:
    before = (folder / EMBEDDINGS_FILE).read_bytes()
    with pytest.raises(OutputError, match="not an empty folder"):
        write_simulated(SimulationRequest(EASY, folder, patients=12))
    assert (folder / EMBEDDINGS_FILE).read_bytes() == before
    assert written.facts


def test_splits_keep_their_proportions() -> None:
    made = simulate(SimulationRequest("eight-classes", Path("unused"), patients=50))
    assert [fact.split for fact in made.facts].count("test") == 10
    assert len(simulate(SimulationRequest(EASY, Path("unused"), patients=3)).facts) == 3


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (SimulationRequest("myeloma", Path("unused")), "no preset 'myeloma'"),
        (SimulationRequest(EASY, Path("unused"), patients=2), "2 patients cannot"),
        (SimulationRequest(EASY, Path("unused"), patients=9, label="del1p"), "no label 'del1p'"),
    ],
)
def test_requests_that_cannot_be_met(request_: SimulationRequest, words: str) -> None:
    with pytest.raises(InputError, match=words):
        simulate(request_)


def test_a_column_that_is_not_there_is_named(folder: Path, written: SimulatedCohort) -> None:
    assert written.facts
    with pytest.raises(CohortError, match="no column 'del1p'"):
        open_checked(folder / MANIFEST_FILE, labels=["del1p"])


def test_warnings_say_what_was_raised_and_how_much_more() -> None:
    made = simulate(SimulationRequest(EASY, Path("unused"), patients=90, shortcut=Shortcut.DUPLICATES))
    results = check_cohort(made.cohort, made.table, made.truth.tasks)
    told = warnings_of(results, most=3)
    assert len(told) == 4
    assert all("share" in line and "what to do: keep one of the two" in line for line in told[:3])
    assert told[3].startswith("9 more")
    assert warnings_of([result for result in results if not result.raised]) == []


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["0", "1", "NA"], TaskKind.MARKERS),
        (["positive", "Negative"], TaskKind.MARKERS),
        (["AML", "MDS", ""], TaskKind.CLASSES),
        (["11.5", "9"], TaskKind.NUMBER),
        (["AML", "AML"], None),
        ([f"name {n}" for n in range(30)], None),
    ],
)
def test_what_a_column_can_be_asked_for(texts: list[str], kind: TaskKind | None) -> None:
    facts = [PatientFacts(f"p{n}", labels={"column": text}) for n, text in enumerate(texts)]
    task = task_of_column(facts, "column")
    assert (task.kind if task else None) is kind
