"""`hemascope evaluate` as a user types it; torch is not loaded."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

RUN = """
import atexit, sys
sys.modules.update(dict.fromkeys({without!r}))
atexit.register(lambda: "torch" in sys.modules and sys.stderr.write("torch was loaded"))
from hemascope.cli.main import main
main()
"""


def hemascope(*arguments: str | Path, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1"}
    command = [sys.executable, "-c", RUN.format(without=without), "evaluate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty patients and one marker, half out of fold and half in the test split, told without a mistake."""
    path = tmp_path_factory.mktemp("answers") / "answers.csv"
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["patient", "split", "fold", "cells", "probability.markers.del(17p)", "truth.del(17p)"])
        for number in range(60):
            there = number % 3 == 0
            split, fold = ("out_of_fold", number % 5) if number < 30 else ("test", "")
            told = 0.5 + (0.3 if there else -0.3) + random.uniform(-0.15, 0.15)
            rows.writerow([f"p{number}", split, fold, 100 + number, f"{told:.4f}", int(there)])
    return path


@pytest.mark.slow
def test_the_figures_are_printed_and_the_page_is_written(answers: Path, tmp_path: Path) -> None:
    done = hemascope(answers, "--out", tmp_path / "judged", "--resamples", "100")
    assert done.returncode == 0, done.stderr
    assert "AUROC of del(17p)" in done.stdout
    assert "1.000" in done.stdout
    assert "Thresholds were chosen on 30 patients (out-of-fold)" in done.stdout
    assert "Research use only" in done.stdout
    assert (tmp_path / "judged" / "evaluation.html").is_file()
    assert (tmp_path / "judged" / "tables" / "thresholds_markers.csv").is_file()
    assert (tmp_path / "judged" / "figures" / "roc_markers.png").is_file()


@pytest.mark.slow
def test_without_a_place_it_stands_beside_the_answers_and_quiet_says_nothing(answers: Path) -> None:
    done = hemascope(answers, "--quiet", "--resamples", "100")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (answers.parent / "evaluation" / "evaluation.json").is_file()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    done = hemascope(tmp_path / "nowhere")
    assert done.returncode == 2
    assert "does not exist; give the folder of a finished run" in done.stderr


def test_an_unknown_split_is_refused(answers: Path) -> None:
    done = hemascope(answers, "--split", "tset")
    assert done.returncode == 2
    assert "it has out_of_fold, test" in done.stderr


def test_without_matplotlib_the_extra_is_named(answers: Path) -> None:
    done = hemascope(answers, without=("matplotlib",))
    assert done.returncode == 2
    assert "pip install 'hemascope[train]'" in done.stderr
