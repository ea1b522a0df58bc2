"""What thresholds on malignancy spare and miss, as figures, tables and a curve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hemascope.app.evaluation.drawing.decisions import Procedures
from hemascope.app.evaluation.estimates import cells, told
from hemascope.app.evaluation.findings import Cell, Sheet, estimate_columns, plain
from hemascope.evaluate.patients.procedures import ProcedureRow

COUNTS = ("malignant", "missed", "acute", "missed_acute", "benign", "avoided", "donors", "alarmed_donors")
_SHARES = (
    "sensitivity", "acute_sensitivity", "specificity", "avoided", "unneeded_before", "unneeded", "unneeded_with_donors",
)  # fmt: skip


def procedure_figures(row: ProcedureRow) -> dict[str, Any]:
    """Return one threshold for ``evaluation.json``."""
    return {"counts": asdict(row.counts), **{f"share_{name}": told(getattr(row, name)) for name in _SHARES}}


def _row_cells(row: ProcedureRow) -> tuple[Cell, ...]:
    counts = (getattr(row.counts, name) for name in COUNTS)
    return (plain(row.counts.threshold), *counts, *(cell for name in _SHARES for cell in cells(getattr(row, name))))


def procedure_sheet(name: str, rows: Iterable[tuple[str, ProcedureRow]]) -> Sheet:
    """Return a table with a row a threshold, each with the name of its rule."""
    shares = (column for share in _SHARES for column in estimate_columns(f"share_{share}"))
    table = tuple((rule, *_row_cells(row)) for rule, row in rows)
    return Sheet(name, ("rule", "threshold", *COUNTS, *shares), table)


def procedure_curve(table: Sequence[ProcedureRow], chosen: dict[str, float]) -> Procedures:
    """Return what each threshold spares and misses, to draw; ``chosen`` are names of thresholds to mark."""
    counts = [row.counts for row in table]
    malignant, benign = counts[0].malignant, counts[0].benign
    return Procedures(
        thresholds=np.array([one.threshold for one in counts]),
        spared=np.array([one.avoided / max(benign, 1) for one in counts]),
        missed=np.array([one.missed / max(malignant, 1) for one in counts]),
        with_condition=malignant,
        without_condition=benign,
        chosen=chosen,
    )
