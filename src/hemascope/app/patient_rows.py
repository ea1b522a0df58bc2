"""Answers about patients with all that is known of them, and the file that holds both."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.bags.truth import label_of
from hemascope.core.bag_task import BagTask, TaskKind, truth_slices
from hemascope.core.errors import OutputError
from hemascope.core.patient import PatientFacts
from hemascope.evaluate.patients.answers import FACTS, NO_FOLD, PatientAnswers

DIGITS = ".9g"


def gather_answers(
    tasks: Sequence[BagTask],
    facts: Sequence[PatientFacts],
    splits: Sequence[str],
    folds: Sequence[int] | NDArray[np.intp],
    cells: NDArray[np.intp],
    probabilities: Mapping[str, NDArray[np.float64]],
    numbers: Mapping[str, NDArray[np.float64]],
    truth: NDArray[np.float64],
    labels: Sequence[str] = (),
) -> PatientAnswers:
    """Return answers with what a cohort tells of the same P patients.

    Parameters
    ----------
    tasks, splits, folds, cells, probabilities, numbers, truth
        As in ``PatientAnswers``.
    facts
        P patients.
    labels
        Columns whose raw labels are kept.
    """
    names = sorted({name for fact in facts for name in fact.covariates})
    return PatientAnswers(
        tasks=tuple(tasks),
        patients=tuple(fact.patient for fact in facts),
        splits=np.array(splits, np.str_),
        folds=np.asarray(folds, np.intp),
        cells=np.asarray(cells, np.intp),
        probabilities=dict(probabilities),
        numbers=dict(numbers),
        truth=truth,
        facts={name: np.array([getattr(fact, name) for fact in facts], np.str_) for name in FACTS},
        covariates={name: _covariate([fact.covariates.get(name) for fact in facts]) for name in names},
        labels={column: np.array([label_of(fact, column) for fact in facts], np.str_) for column in labels},
    )


def _covariate(values: Sequence[str | float | None]) -> NDArray[np.float64] | NDArray[np.str_]:
    if all(value is None or isinstance(value, float | int) for value in values):
        return np.array([np.nan if value is None else float(value) for value in values], np.float64)
    return np.array(["" if value is None else str(value) for value in values], np.str_)


def write_answers(path: Path, answers: PatientAnswers, more: Mapping[str, Sequence[str]] | None = None) -> None:
    """Write the file that ``hemascope.evaluate.patients.answers_file.read_answers`` reads, whole or not at all.

    Parameters
    ----------
    path
        A CSV file.
    answers
        P rows.
    more
        Further columns of P texts, at the end.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    columns = dict(_columns(answers)) | dict(more or {})
    write_table(path, list(columns), zip(*columns.values(), strict=True))


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV table whole or not at all; raise ``OutputError`` where it cannot be written."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text.getvalue(), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise OutputError.at(path, error) from error


def _columns(answers: PatientAnswers) -> Iterator[tuple[str, list[str]]]:
    yield "patient", list(answers.patients)
    yield "split", answers.splits.tolist()
    yield "fold", ["" if fold == NO_FOLD else str(fold) for fold in answers.folds]
    yield "cells", [str(count) for count in answers.cells]
    for task in answers.tasks:
        if task.kind is TaskKind.NUMBER:
            yield f"number.{task.name}", _numbers(answers.numbers[task.name])
        else:
            for output, told in zip(task.outputs, answers.probabilities[task.name].T, strict=True):
                yield f"probability.{task.name}.{output}", _numbers(told)
    places = truth_slices(answers.tasks)
    for task in answers.tasks:
        for column, known in zip(task.columns, answers.truth[:, places[task.name]].T, strict=True):
            yield f"truth.{column}", _truth(task, known)
    for name, texts in answers.facts.items():
        yield name, texts.tolist()
    for name, values in answers.covariates.items():
        yield f"covariate.{name}", _numbers(values) if values.dtype.kind == "f" else values.tolist()
    for name, texts in answers.labels.items():
        yield f"label.{name}", texts.tolist()


def _numbers(values: NDArray[np.generic]) -> list[str]:
    return ["" if np.isnan(value) else format(value, DIGITS) for value in values.astype(np.float64).tolist()]


def _truth(task: BagTask, known: NDArray[np.float64]) -> list[str]:
    if task.kind is TaskKind.CLASSES:
        return ["" if np.isnan(number) else task.outputs[int(number)] for number in known]
    return _numbers(known)
