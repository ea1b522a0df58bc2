"""Analyzed fields with a painted picture and real records, for the tests of exports and reports."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import Cell, Morphometry, Nucleus
from hemascope.core.geometry import Polygon
from hemascope.core.morphology import PlateletClump
from hemascope.core.prediction import (
    ATTRIBUTES,
    SUBTYPES,
    AbstentionReason,
    AttributeAnswer,
    CellAttributes,
    CellPrediction,
    GenerativeJudgement,
    PredictionSet,
    RedCellPrediction,
)
from hemascope.core.provenance import ModelIdentity, Provenance, TableIdentity
from hemascope.core.report import CellResult, FailedInput, FieldResult, SmearReport
from hemascope.core.smear import Field, QcReason, QcStatus, QcVerdict
from hemascope.core.taxonomy import NUCLEATED_TYPES, CellKind, CellType, RedCellType
from hemascope.core.units import Scale, ScaleSource
from hemascope.reporting.differential import compute_differential, summarize
from hemascope.reporting.generative import compute_generative
from hemascope.reporting.morphology import compute_red_cells
from hemascope.reporting.platelets import compute_platelets
from hemascope.reporting.subtypes import compute_subtypes
from hemascope.wiring import load_grading

PRIOR = {cell_type.value: 1 / len(CellType) for cell_type in CellType}
RADII = {CellKind.WHITE_CELL: 42, CellKind.RED_CELL: 24, CellKind.PLATELET: 8}
COLORS = {CellKind.WHITE_CELL: (196, 184, 214), CellKind.RED_CELL: (214, 168, 166), CellKind.PLATELET: (150, 110, 170)}


def circle(x: float, y: float, radius: float, points: int = 32) -> Polygon:
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return Polygon(np.stack((x + radius * np.cos(angle), y + radius * np.sin(angle)), axis=1).astype(np.float32))


def prediction(rng: np.random.Generator, cell_id: str) -> CellPrediction:
    likely = NUCLEATED_TYPES[int(rng.integers(len(NUCLEATED_TYPES)))]
    chances = rng.dirichlet(np.full(len(CellType), 0.2)) * 0.5
    chances[list(CellType).index(likely)] += 0.5
    low = chances.max() < 0.6
    anomaly = float(rng.gamma(4, 0.15))
    reason = AbstentionReason.LOW_CONFIDENCE if low else AbstentionReason.ANOMALY if anomaly > 1 else None
    order = [list(CellType)[k] for k in np.argsort(-chances)]
    found = PredictionSet(
        tuple(t for t in order if t is order[0] or chances[list(CellType).index(t)] > 0.1), 0.95, "lac"
    )
    return CellPrediction(cell_id, chances, anomaly, reason, found)


def red_cell_prediction(cell_id: str, probabilities: NDArray[np.float64]) -> RedCellPrediction:
    return RedCellPrediction(cell_id, probabilities)


def red_cell(rng: np.random.Generator, cell_id: str) -> RedCellPrediction:
    """Three of five cells are normal."""
    likely = 0 if rng.random() < 0.6 else int(rng.integers(1, len(RedCellType)))
    chances = rng.dirichlet(np.full(len(RedCellType), 0.2)) * 0.4
    chances[likely] += 0.6
    return red_cell_prediction(cell_id, chances)


def attributes(cell_id: str, prediction: CellPrediction, number: int) -> CellAttributes | None:
    """Every attribute of a mature cell, a subtype where its type has any; nothing of what is unidentified."""
    if prediction.abstention or prediction.most_likely is CellType.ERYTHROBLAST:
        return None
    names = SUBTYPES.get(prediction.most_likely, ())
    subtype = AttributeAnswer(names[number % len(names)], 0.8125) if names else None
    asked = () if prediction.most_likely is CellType.IMMATURE_GRANULOCYTE else ATTRIBUTES
    return CellAttributes(cell_id, subtype, {name: AttributeAnswer(f"{name} {number % 2}", 0.75) for name in asked})


def judgement(rng: np.random.Generator, prediction: CellPrediction) -> GenerativeJudgement:
    """Four of five cells are taken for the same type, and one of five is strange."""
    likely = prediction.most_likely if rng.random() < 0.8 else CellType.BASOPHIL
    anomaly = float(rng.uniform(1.0, 2.5) if rng.random() < 0.2 else rng.uniform(0, 1))
    return GenerativeJudgement(likely, float(rng.uniform(0.3, 1)), float(rng.normal(1, 0.5)), anomaly, 64)


def measure(outline: Polygon, nucleus: Nucleus | None, mpp: float) -> Morphometry:
    area, perimeter = max(outline.area, 0.01) * mpp**2, max(outline.perimeter, 0.1) * mpp
    shape = (area, perimeter, min(1.0, 4 * np.pi * area / perimeter**2), 0.1)
    if nucleus is None:
        return Morphometry(*shape)
    inside = nucleus.area * mpp**2
    around = max(area - inside, 0.0)
    return Morphometry(*shape, inside, around, inside / area, inside / around if around else None, 1)


def verdict(status: QcStatus) -> QcVerdict:
    measures = {"focus_um": 0.31, "exposure": 0.7}
    if status is QcStatus.PASS:
        return QcVerdict((), measures)
    return QcVerdict((QcReason("out_of_focus", status, "Focus is 0.31, below 0.5 <b>&</b>."),), measures)


def field_result(
    seed: int = 0,
    field_id: str = "slide/a.png",
    *,
    status: QcStatus = QcStatus.PASS,
    scale: ScaleSource = ScaleSource.STATED,
    white: int = 3,
    red: int = 20,
    platelets: int = 3,
    size: tuple[int, int] = (640, 480),
    typed: bool = False,
    clumped: bool = False,
    told: bool = False,
    judged: bool = False,
) -> FieldResult:
    """Return a painted field; ``typed`` gives a type to every whole red cell, ``clumped`` calls platelets a clump.

    ``told`` gives subtypes and attributes to white cells, ``judged`` what a generative model says of them.
    """
    rng = np.random.default_rng(seed)
    types = np.random.default_rng(seed + 1000)
    strange = np.random.default_rng(seed + 2000)
    width, height = size
    picture: NDArray[np.uint8] = np.full((height, width, 3), (236, 230, 232), np.uint8)
    cells = []
    wanted = {CellKind.RED_CELL: red, CellKind.WHITE_CELL: white, CellKind.PLATELET: platelets}
    for kind in (kind for kind, count in wanted.items() for _ in range(count)):
        radius = RADII[kind] * rng.uniform(0.85, 1.15)
        x, y = rng.uniform(0, (width, height))
        cv2.circle(picture, (int(x), int(y)), int(radius), COLORS[kind], -1, cv2.LINE_AA)
        outline = circle(x, y, radius).clipped(width, height)
        nucleus = None
        if kind is CellKind.WHITE_CELL:
            cv2.circle(picture, (int(x), int(y)), int(radius * 0.6), (104, 62, 142), -1, cv2.LINE_AA)
            nucleus = Nucleus((circle(x, y, radius * 0.6).clipped(width, height),))
        cell_id = f"{field_id}#{len(cells)}"
        touches = bool(min(x, y, width - x, height - y) < radius)
        cell = Cell(cell_id, field_id, kind, outline, float(rng.uniform(0.5, 1)), nucleus, touches)
        answer = prediction(rng, cell_id) if kind is CellKind.WHITE_CELL else None
        if answer and judged:
            answer = replace(answer, judgement=judgement(strange, answer))
        whole = typed and kind is CellKind.RED_CELL and not touches
        morphology = red_cell(types, cell_id) if whole else None
        looks = attributes(cell_id, answer, len(cells)) if told and answer else None
        cells.append(CellResult(cell, measure(outline, nucleus, 0.15), answer, morphology, looks))
    noise = rng.normal(0, 6, picture.shape)
    pixels = np.clip(cv2.GaussianBlur(picture, (0, 0), 1.2) + noise, 0, 255).astype(np.uint8)
    field = Field(field_id, pixels, Scale(0.15, scale), Path("images") / "a.png", f"{seed:064x}", ("alpha removed",))
    lumped = [cell.cell for cell in cells if cell.cell.kind is CellKind.PLATELET][:3] if clumped else []
    clumps = (PlateletClump(tuple(cell.id for cell in lumped), lumped[0].outline),) if lumped else ()
    return FieldResult(field, verdict(status), tuple(cells), {"find": 0.1}, clumps)


def report_of(results: list[FieldResult], failed: tuple[FailedInput, ...] = ()) -> SmearReport:
    fields = tuple(summarize(result) for result in results)
    table = load_grading("icsh_2015")
    return SmearReport(
        title="Painted fields",
        fields=fields,
        failed=failed,
        differential=compute_differential(fields, "uniform", PRIOR),
        excluded_fields=tuple(field.id for field in fields if field.verdict.status is QcStatus.FAIL),
        statements=("Research use only.", "The model has seen no blasts."),
        provenance=Provenance(
            software={"hemascope": "0.1.0", "python": "3.11"},
            models=(ModelIdentity("finder", "1", "ab" * 32, "onnxruntime-cpu-fp32", "Apache-2.0"),),
            recipe={"prior": "uniform", "threshold": 0.5, "limits": [1, 2]},
            recipe_sha256="cd" * 32,
            command="hemascope analyze images",
            started="2026-01-02T03:04:05Z",
            tables=(TableIdentity(table.name, table.version, table.digest()),),
        ),
        red_cells=compute_red_cells(fields, table),
        platelets=compute_platelets(fields, table, 4.5),
        subtypes=compute_subtypes(fields),
        generative=compute_generative(fields),
    )
