"""The checks of a cohort before a model is trained on it, as a use case: results, a table, a file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.cohort import open_cohort
from hemascope.app.plain_table import NONE, PlainTable
from hemascope.bags.truth import label_of, truth_of
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.cohort import Cohort
from hemascope.core.errors import CohortError
from hemascope.core.patient import PatientFacts
from hemascope.evaluate.shortcut_results import CheckResult
from hemascope.evaluate.shortcuts import ALPHA, acquisition_covariates, check_shortcuts

FORMAT, FORMAT_VERSION = "hemascope cohort checks", 1
MOST_CLASSES = 20
"""Texts of a column that is taken for a label."""

_MARKER_TEXTS = {"0", "1", "false", "true", "negative", "positive"}


def check_cohort(cohort: Cohort, truth: NDArray[np.float64], tasks: Sequence[BagTask]) -> list[CheckResult]:
    """Return every check of a cohort, those raised first; see ``evaluate.shortcuts.check_shortcuts``."""
    return check_shortcuts(cohort, truth, tasks)


def warnings_of(results: Sequence[CheckResult], most: int = 5) -> list[str]:
    """Return a sentence for each check that was raised, with what to do; of more than ``most``, how many more."""
    raised = [result for result in results if result.raised]
    told = [f"{result.words}; what to do: {result.advice}" for result in raised[:most]]
    left = len(raised) - most
    return [*told, f"{left} more; hemascope cohort check lists them"] if left > 0 else told


def checks_document(cohort: Cohort, results: Sequence[CheckResult]) -> dict[str, object]:
    """Return the checks in plain JSON types."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "cohort": cohort.name,
        "patients": len(cohort),
        "cells": len(cohort.bags.values),
        "alpha": ALPHA,
        "raised": sum(result.raised for result in results),
        "checks": [asdict(result) | {"advice": result.advice if result.raised else ""} for result in results],
    }


def checks_table(results: Sequence[CheckResult]) -> PlainTable:
    """Return the checks as a table of text."""
    rows = tuple(
        (
            "RAISED" if result.raised else "",
            result.check.value,
            result.label or NONE,
            result.against or NONE,
            str(result.patients),
            NONE if result.effect is None else f"{result.effect:.3f} ({result.measure})",
            NONE if result.p is None else f"{result.p:.2g}",
            NONE if result.p_adjusted is None else f"{result.p_adjusted:.2g}",
        )
        for result in results
    )
    columns = ("", "Check", "Label", "Held against", "Patients", "Effect", "p", "p, Holm")
    return PlainTable("Could a model answer without looking at the disease?", columns, rows)


def open_checked(manifest: Path, variant: str = "", labels: Sequence[str] = ()) -> tuple[Cohort, list[CheckResult]]:
    """Open a cohort and check it.

    Parameters
    ----------
    manifest, variant
        As ``app.cohort.open_cohort`` takes them.
    labels
        Columns to check; every column that can be a label where there is none.

    Raises
    ------
    CohortError
        If the cohort cannot be opened, or there is no such column, or none that varies.
    """
    cohort = open_cohort(manifest, variant, labels=labels)
    known = dict.fromkeys(name for fact in cohort.facts for name in fact.labels)
    missing = [name for name in labels if name not in known]
    if missing:
        raise CohortError(f"{manifest} has no column '{missing[0]}'; columns it has: {', '.join(known)}")
    left_out = set(acquisition_covariates(cohort)) if not labels else set()
    tasks = [
        task
        for name in labels or known
        if name not in left_out and (task := task_of_column(cohort.facts, name)) is not None
    ]
    if not tasks:
        raise CohortError(f"{manifest} has no label that varies between patients; name one with --label")
    return cohort, check_cohort(cohort, truth_of(cohort.facts, tasks), tasks)


def task_of_column(facts: Sequence[PatientFacts], column: str) -> BagTask | None:
    """Return what a column can be asked for: a marker, a number, or classes; None where it does not vary.

    None too where it has more texts than ``MOST_CLASSES``: a name or a date is no label.
    """
    texts = {text for fact in facts if (text := label_of(fact, column))}
    if len(texts) < 2:
        return None
    if {text.casefold().removesuffix(".0") for text in texts} <= _MARKER_TEXTS:
        return BagTask(column, TaskKind.MARKERS, (column,))
    if all(_is_number(text) for text in texts):
        return BagTask(column, TaskKind.NUMBER, (column,))
    return BagTask(column, TaskKind.CLASSES, tuple(sorted(texts))) if len(texts) <= MOST_CLASSES else None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
