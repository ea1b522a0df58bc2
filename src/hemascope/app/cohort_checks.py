"""The checks of a cohort before a model is trained on it, as a use case: results, a table, a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from hemascope.app.plain_table import NONE, PlainTable
from hemascope.core.bag_task import BagTask
from hemascope.core.cohort import Cohort
from hemascope.evaluate.shortcuts import ALPHA, CheckResult, check_shortcuts

FORMAT, FORMAT_VERSION = "hemascope cohort checks", 1


def check_cohort(cohort: Cohort, truth: NDArray[np.float64], tasks: Sequence[BagTask]) -> list[CheckResult]:
    """Return every check of a cohort, those raised first; see ``evaluate.shortcuts.check_shortcuts``."""
    return check_shortcuts(cohort, truth, tasks)


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
