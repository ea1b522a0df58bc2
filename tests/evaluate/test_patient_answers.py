"""The file of answers: what is read from it, and what is said of one that is damaged."""

import csv
from pathlib import Path

import numpy as np
import pytest

from hemascope.core.bag_task import BagTask, TaskKind, words_of
from hemascope.core.errors import CohortError
from hemascope.evaluate.patients.answers_file import infer_tasks, read_answers

DISEASE = BagTask("disease", TaskKind.CLASSES, ("healthy", "mds"))
MARKERS = BagTask("fish", TaskKind.MARKERS, ("del(17p)", "t(4;14)"))
HEMOGLOBIN = BagTask("hemoglobin", TaskKind.NUMBER, ("hemoglobin",), "g/dL")
TASKS = (DISEASE, MARKERS, HEMOGLOBIN)

ROW = {
    "patient": "a",
    "split": "out_of_fold",
    "fold": "0",
    "cells": "500",
    "probability.disease.healthy": "0.75",
    "probability.disease.mds": "0.25",
    "probability.fish.del(17p)": "0.1",
    "probability.fish.t(4;14)": "0.9",
    "number.hemoglobin": "12.5",
    "truth.disease": "healthy",
    "truth.del(17p)": "0",
    "truth.t(4;14)": "1",
    "truth.hemoglobin": "13",
    "site": "north",
    "scanner": "s1",
    "stain": "",
    "specimen": "blood",
    "covariate.age": "61",
    "covariate.sex": "f",
    "label.diagnosis": "N-1",
}
MISSING = {
    "patient": "b",
    "split": "test",
    "cells": "3",
    "probability.fish.del(17p)": "0.5",
    "probability.fish.t(4;14)": "0.5",
}


def write(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(ROW), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_every_column_is_read(tmp_path: Path) -> None:
    answers = read_answers(write(tmp_path / "p.csv", ROW, MISSING), TASKS)
    assert answers.patients == ("a", "b")
    assert answers.splits.tolist() == ["out_of_fold", "test"]
    assert answers.folds.tolist() == [0, -1]
    assert answers.cells.tolist() == [500, 3]
    assert answers.probabilities["disease"][0].tolist() == [0.75, 0.25]
    assert np.isnan(answers.probabilities["disease"][1]).all()
    assert answers.truth[0].tolist() == [0, 0, 1, 13]
    assert np.isnan(answers.truth[1]).all()
    assert answers.facts["site"].tolist() == ["north", ""]
    assert answers.labels["diagnosis"].tolist() == ["N-1", ""]
    assert answers.covariates["sex"].tolist() == ["f", ""]
    assert answers.covariates["age"] == pytest.approx([61, np.nan], nan_ok=True)
    assert answers.numbers["hemoglobin"] == pytest.approx([12.5, np.nan], nan_ok=True)


def test_rows_that_are_known(tmp_path: Path) -> None:
    answers = read_answers(write(tmp_path / "p.csv", ROW, MISSING), TASKS)
    assert answers.known("disease").tolist() == [True, False] == answers.known("hemoglobin").tolist()
    rows, told, there = answers.marker("fish", "t(4;14)")
    assert (rows.tolist(), told.tolist(), there.tolist()) == ([0], [0.9], [True])
    with pytest.raises(ValueError, match="each marker"):
        answers.known("fish")


def test_selecting_rows_keeps_them_whole(tmp_path: Path) -> None:
    answers = read_answers(write(tmp_path / "p.csv", ROW, MISSING), TASKS)
    test = answers.of_split("test")
    assert len(test) == 1
    assert test.patients == ("b",)
    assert test.cells.tolist() == [3]
    assert answers.select([1, 0]).patients == ("b", "a")
    assert len(answers.of_split("nowhere")) == 0


def test_tasks_are_told_from_columns(tmp_path: Path) -> None:
    tasks = infer_tasks(write(tmp_path / "p.csv", ROW))
    assert [(task.name, task.kind, task.outputs) for task in tasks] == [
        (task.name, task.kind, task.outputs) for task in TASKS
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"patient": ""}, "patient is empty"),
        ({"split": " "}, "split is empty"),
        ({"cells": ""}, "cells is empty"),
        ({"cells": "0"}, "one cell or more"),
        ({"cells": "2.5"}, "cells says '2.5'"),
        ({"fold": "-1"}, "whole number"),
        ({"probability.disease.mds": "1.2"}, "between 0 and 1"),
        ({"probability.disease.mds": "nan"}, "between 0 and 1"),
        ({"probability.disease.mds": "0.5"}, "sum to 1.2500"),
        ({"probability.disease.mds": ""}, "some probabilities of disease"),
        ({"truth.disease": "mpn"}, "none of the classes of disease: healthy, mds"),
        ({"truth.t(4;14)": "yes"}, "a marker is 0 or 1"),
        ({"truth.hemoglobin": "inf"}, "finite"),
        ({"number.hemoglobin": "much"}, "number.hemoglobin says 'much'"),
    ],
)
def test_what_is_malformed_is_named_with_its_line(tmp_path: Path, change: dict[str, str], says: str) -> None:
    path = write(tmp_path / "p.csv", MISSING, ROW | change)
    with pytest.raises(CohortError, match=says) as caught:
        read_answers(path, TASKS)
    assert str(path) in str(caught.value)
    assert "line 3" in str(caught.value)


def test_a_patient_is_once_in_a_split(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="line 3: patient a is in split out_of_fold twice, first in line 2"):
        read_answers(write(tmp_path / "p.csv", ROW, ROW), TASKS)


def test_a_test_patient_is_in_no_other_split(tmp_path: Path) -> None:
    assert len(read_answers(write(tmp_path / "p.csv", ROW, ROW | {"split": "train"}), TASKS)) == 2
    with pytest.raises(CohortError, match="line 3: patient a is in test and in out_of_fold"):
        read_answers(write(tmp_path / "p.csv", ROW, ROW | {"split": "test"}), TASKS)


def test_an_absent_answer_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"lacks the columns probability.fish.gain\(1q\)"):
        read_answers(write(tmp_path / "p.csv", ROW), (BagTask("fish", TaskKind.MARKERS, ("gain(1q)",)),))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no answers"),
        (b"patient,split,cells\n", "holds no answers"),
        (b"patient,split,cells\na,test\n", "line 2: 2 fields"),
        (b"patient,split,cells,cells\na,test,1,1\n", "column cells twice"),
        (b"patient\n\xff\xfe\n", "UTF-8"),
    ],
)
def test_a_damaged_file_is_an_error(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(content)
    with pytest.raises(CohortError, match=says):
        read_answers(path, ())


def test_an_absent_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="cannot read the answers"):
        read_answers(tmp_path / "none.csv", ())
    (tmp_path / "p.csv").write_text("patient,split,cells\na,test,1\n")
    with pytest.raises(CohortError, match="no column probability"):
        infer_tasks(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("name", "words"),
    [("acute_leukemia", "acute leukemia"), ("t4_14", "t4_14"), ("mds_mpn", "mds mpn"), ("a_1", "a 1")],
)
def test_names_as_people_write_them(name: str, words: str) -> None:
    assert words_of(name) == words
