"""The file of answers that training and prediction write, read back: one row a patient and split."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask, TaskKind, truth_slices
from hemascope.core.errors import CohortError
from hemascope.evaluate.patients.answers import FACTS, NO_FOLD, TEST, PatientAnswers

SUM_TOLERANCE = 1e-3
"""How far the probabilities of exclusive classes may sum from 1: they are written with few digits."""


def read_answers(path: Path, tasks: Sequence[BagTask]) -> PatientAnswers:
    """Read a file of answers.

    Columns: ``patient``, ``split``, ``fold``, ``cells``, ``probability.TASK.OUTPUT`` for each output, ``number.TASK``,
    ``truth.COLUMN``, ``site``, ``scanner``, ``stain``, ``specimen``, ``covariate.NAME``, ``label.COLUMN``. An empty
    field is missing. Answers, ``patient``, ``split`` and ``cells`` must be there; any other column may be absent.

    Parameters
    ----------
    path
        A CSV file in UTF-8.
    tasks
        What was asked, as in the recipe.

    Raises
    ------
    CohortError
        Naming the file and the line of what is malformed.
    """
    table = _read_table(path)
    table.require("patient", "split", "cells", *_answer_columns(tasks))
    answers = PatientAnswers(
        tasks=tuple(tasks),
        patients=tuple(table.filled_texts("patient").tolist()),
        splits=table.filled_texts("split"),
        folds=np.nan_to_num(table.numbers("fold", _fold), nan=NO_FOLD).astype(np.intp),
        cells=table.numbers("cells", _cells, required=True).astype(np.intp),
        probabilities={task.name: _probabilities(table, task) for task in tasks if task.kind is not TaskKind.NUMBER},
        numbers={t.name: table.numbers(f"number.{t.name}", _number) for t in tasks if t.kind is TaskKind.NUMBER},
        truth=_truth(table, tasks),
        facts={name: table.texts(name) for name in FACTS},
        covariates={name: _covariate(table.texts(f"covariate.{name}")) for name in table.named("covariate.")},
        labels={name: table.texts(f"label.{name}") for name in table.named("label.")},
    )
    _check_patients(table, answers)
    return answers


def infer_tasks(path: Path) -> tuple[BagTask, ...]:
    """Return the tasks that the columns of a file of answers tell of, where there is no recipe to ask.

    ``probability.TASK.OUTPUT`` with a column ``truth.TASK`` is a task of classes, without one of markers, and
    ``number.TASK`` is a number; the name of a task holds no dot.

    Raises
    ------
    CohortError
        If the file cannot be read or has no such column.
    """
    table = _read_table(path)
    tasks: list[BagTask] = []
    outputs: dict[str, list[str]] = {}
    for task, _, output in (name.partition(".") for name in table.named("probability.")):
        outputs.setdefault(task, []).append(output)
    for task, names in outputs.items():
        classes = f"truth.{task}" in table.header and len(names) > 1
        tasks.append(BagTask(task, TaskKind.CLASSES if classes else TaskKind.MARKERS, tuple(names)))
    tasks += [BagTask(name, TaskKind.NUMBER, (name,)) for name in table.named("number.")]
    if not tasks:
        raise CohortError(f"{path} has no column probability.TASK.OUTPUT or number.TASK: it is not a file of answers")
    return tuple(tasks)


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows of text, and errors that say where."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def error(self, row: int, what: str) -> CohortError:
        return CohortError(f"{self.path}, line {self.lines[row]}: {what}")

    def require(self, *columns: str) -> None:
        absent = [column for column in columns if column not in self.header]
        if absent:
            raise CohortError(f"{self.path} lacks the columns {', '.join(absent)}; were these tasks asked in that run?")

    def named(self, prefix: str) -> list[str]:
        return [column.removeprefix(prefix) for column in self.header if column.startswith(prefix)]

    def texts(self, column: str) -> NDArray[np.str_]:
        if column not in self.header:
            return np.full(len(self.rows), "", np.str_)
        place = self.header.index(column)
        return np.array([row[place].strip() for row in self.rows], np.str_)

    def filled_texts(self, column: str) -> NDArray[np.str_]:
        values = self.texts(column)
        if (values == "").any():
            raise self.error(int((values == "").argmax()), f"column {column} is empty; every row needs one")
        return values

    def numbers(self, column: str, read: Callable[[str], float], *, required: bool = False) -> NDArray[np.float64]:
        """Return what ``read`` makes of each text, NaN where it is empty; ``read`` says in words what it wants."""
        values = np.full(len(self.rows), np.nan)
        for row, text in enumerate(self.filled_texts(column) if required else self.texts(column)):
            if text:
                try:
                    values[row] = read(str(text))
                except ValueError as error:
                    raise self.error(row, f"column {column} says '{text}': {error}") from None
        return values


def _read_table(path: Path) -> _Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = tuple(name.strip() for name in next(reader, ()))
            content = [(reader.line_num, tuple(row)) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"cannot read the answers in {path}: {error}; give a CSV file in UTF-8") from error
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise CohortError(f"{path} has the column {twice[0]} twice; keep one of them")
    if not content:
        raise CohortError(f"{path} holds no answers; did the run that wrote it finish?")
    table = _Table(path, header, tuple(row for _, row in content), tuple(line for line, _ in content))
    for number, row in enumerate(table.rows):
        if len(row) != len(header):
            raise table.error(number, f"{len(row)} fields, but the header names {len(header)}; the file is damaged")
    return table


def _answer_columns(tasks: Sequence[BagTask]) -> list[str]:
    columns = []
    for task in tasks:
        if task.kind is TaskKind.NUMBER:
            columns.append(f"number.{task.name}")
        else:
            columns += [f"probability.{task.name}.{output}" for output in task.outputs]
    return columns


def _probabilities(table: _Table, task: BagTask) -> NDArray[np.float64]:
    columns = [table.numbers(f"probability.{task.name}.{output}", _probability) for output in task.outputs]
    values = np.stack(columns, axis=1)
    if task.kind is TaskKind.CLASSES:
        missing = np.isnan(values)
        partly = missing.any(axis=1) & ~missing.all(axis=1)
        if partly.any():
            raise table.error(int(partly.argmax()), f"some probabilities of {task.name} are missing; give all or none")
        off = np.abs(values.sum(axis=1) - 1) > SUM_TOLERANCE
        if off.any():
            row = int(off.argmax())
            raise table.error(row, f"probabilities of {task.name} sum to {values[row].sum():.4f}, not to 1")
    return values


def _truth(table: _Table, tasks: Sequence[BagTask]) -> NDArray[np.float64]:
    truth = np.full((len(table.rows), sum(len(task.columns) for task in tasks)), np.nan)
    for task, places in zip(tasks, truth_slices(tasks).values(), strict=True):
        readers = {TaskKind.CLASSES: _class_of(task), TaskKind.MARKERS: _marker, TaskKind.NUMBER: _number}
        read = readers[task.kind]
        for place, column in zip(range(places.start, places.stop), task.columns, strict=True):
            truth[:, place] = table.numbers(f"truth.{column}", read)
    return truth


def _covariate(texts: NDArray[np.str_]) -> NDArray[np.float64] | NDArray[np.str_]:
    """Return numbers where every text that is there is one, otherwise the texts."""
    try:
        values = np.array([_number(str(text)) if text else np.nan for text in texts], np.float64)
    except ValueError:
        return texts
    return values if np.isfinite(values).any() else texts


def _check_patients(table: _Table, answers: PatientAnswers) -> None:
    seen: dict[tuple[str, str], int] = {}
    splits: dict[str, set[str]] = {}
    for row, key in enumerate(zip(answers.patients, answers.splits.tolist(), strict=True)):
        if key in seen:
            raise table.error(row, f"patient {key[0]} is in split {key[1]} twice, first in line {seen[key]}")
        seen[key] = table.lines[row]
        splits.setdefault(key[0], set()).add(key[1])
        others = splits[key[0]] - {TEST}
        if TEST in splits[key[0]] and others:
            raise table.error(row, f"patient {key[0]} is in {TEST} and in {min(others)}; a test patient is in no other")


def _number(text: str) -> float:
    value = float(text)
    if not np.isfinite(value):
        raise ValueError("a finite number is wanted, or nothing where it is missing")
    return value


def _probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError("a probability lies between 0 and 1")
    return value


def _fold(text: str) -> float:
    value = int(text)
    if value < 0:
        raise ValueError("a fold is a whole number of 0 or more")
    return value


def _cells(text: str) -> float:
    value = int(text)
    if value < 1:
        raise ValueError("a bag has one cell or more")
    return value


def _marker(text: str) -> float:
    if text not in ("0", "1", "0.0", "1.0"):
        raise ValueError("a marker is 0 or 1, or nothing where it was not tested")
    return float(text)


def _class_of(task: BagTask) -> Callable[[str], float]:
    def read(text: str) -> float:
        if text not in task.outputs:
            raise ValueError(f"it is none of the classes of {task.name}: {', '.join(task.outputs)}")
        return float(task.outputs.index(text))

    return read
