"""A model's answer about a painted patient, for the tests of tables and pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hemascope.core.bag_prediction import BagPrediction
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.patient_findings import PatientFindings
from hemascope.core.provenance import ModelIdentity, TableIdentity
from hemascope.core.report import FieldResult
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import CellKind
from hemascope.reporting.patient import AskedDiseases, AskedModel, BagCell, compute_patient
from hemascope.reporting.pictures import crop_cell

TABLE = AskedDiseases(
    TableIdentity("ward", "7", "12" * 32),
    "disease",
    ("acute_leukemia", "mpn"),
    {"acute_leukemia": "Acute leukemia", "mpn": "MPN", "healthy": "Healthy & well"},
    0.4,
)
TASKS = (
    BagTask("disease", TaskKind.CLASSES, ("acute_leukemia", "mpn", "healthy")),
    BagTask("fish", TaskKind.MARKERS, ("del17p", "gain_1q")),
    BagTask("hemoglobin", TaskKind.NUMBER, ("hemoglobin",), "g/dL"),
)
ASKED = AskedModel(
    ModelIdentity("patients", "3", "ef" * 32, "onnxruntime-cpu-fp32", "Apache-2.0"),
    ModelIdentity("hemascope_s", "1", "ab" * 32, "onnxruntime-cpu-fp32", "Apache-2.0"),
    TASKS,
    TABLE,
)


def bag_cells(results: Sequence[FieldResult]) -> list[BagCell]:
    """Return the nucleated cells of fields that count."""
    return [
        BagCell(cell.cell.id, result.field.id, place, cell.label or "")
        for result in results
        if result.verdict.status is not QcStatus.FAIL
        for place, cell in enumerate(result.cells)
        if cell.cell.kind is CellKind.WHITE_CELL
    ]


def prediction(cells: int, attended: tuple[str, ...] = ("all",), **changes: object) -> BagPrediction:
    """Return an answer of two members for a bag; attention falls from cell to cell."""
    weights = np.exp(-np.arange(cells, dtype=np.float64)[:, None] / (1 + np.arange(len(attended))))
    said: dict[str, object] = {
        "patient": "p",
        "probabilities": {"disease": np.array([0.25, 0.5, 0.25]), "fish": np.array([0.125, 0.75])},
        "numbers": {"hemoglobin": 9.5},
        "members": {
            "disease": np.array([[0.1, 0.6, 0.3], [0.4, 0.4, 0.2]]),
            "fish": np.array([[0.05, 0.7], [0.2, 0.8]]),
            "hemoglobin": np.array([9.0, 10.0]),
        },
        "attention": weights / weights.sum(axis=0),
        "attended": attended,
        "embedding": np.zeros(4, np.float32),
    } | changes
    return BagPrediction(**said)  # type: ignore[arg-type]


def findings_of(results: Sequence[FieldResult], **changes: Any) -> PatientFindings:
    """Return the findings on the cells of painted fields."""
    cells = bag_cells(results)
    by_id = {cell.cell.id: (result.field, cell.cell.outline) for result in results for cell in result.cells}
    return compute_patient(
        ASKED, cells, prediction(len(cells), **changes), lambda place: crop_cell(*by_id[cells[place].cell_id])
    )
