"""The columns of the cell tables, in one list that CSV, Parquet and AnnData share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from hemascope.core.prediction import (
    ATTRIBUTES,
    CellAttributes,
    CellPrediction,
    GenerativeJudgement,
    PredictionSet,
    RedCellPrediction,
)
from hemascope.core.report import CellResult, FieldResult, SmearReport
from hemascope.core.taxonomy import CellKind, CellType, RedCellType

Value = str | float | int | bool | None
"""What a table holds; None is an empty cell of the table."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the cell tables.

    Attributes
    ----------
    name
        Stable snake_case name; a unit is its suffix.
    dtype
        What it holds: ``text``, ``number`` (float64), ``integer`` or ``flag``.
    role
        ``fact`` of the cell, ``probability`` of a type, ``red_cell_probability`` of a type of red cells, or ``measure``
        of its shape.
    of
        Its value for one cell of one field.
    """

    name: str
    dtype: Literal["text", "number", "integer", "flag"]
    role: Literal["fact", "probability", "red_cell_probability", "measure"]
    of: Callable[[FieldResult, CellResult], Value]


ATTENTION = "attention"
"""The one column that is known only once every field was seen; sinks fill it in at their end."""


def attention_place() -> int:
    """Return the number of that column."""
    return next(place for place, column in enumerate(COLUMNS) if column.name == ATTENTION)


def attention_of(report: SmearReport) -> dict[str, float]:
    """Return each cell's share of the attention, by its id as tables show it; empty where there is none."""
    found = report.patient.attention if report.patient is not None else {}
    return {clean_text(cell_id): share for cell_id, share in found.items()}


def rows(result: FieldResult) -> Iterator[tuple[Value, ...]]:
    """Yield one row a cell, in the order of ``COLUMNS``; numbers that are not finite become None."""
    for cell in result.cells:
        yield tuple(_clean(column.of(result, cell)) for column in COLUMNS)


def clean_text(text: str) -> str:
    """Return ``text`` as valid Unicode: bytes of a file name that are no UTF-8 are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _clean(value: Value) -> Value:
    """Return ``value`` as it stands in a table."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _of_prediction(read: Callable[[CellPrediction], Value]) -> Callable[[FieldResult, CellResult], Value]:
    """Return a getter that is None where there is no prediction."""
    return lambda field, cell: None if cell.prediction is None else read(cell.prediction)


def _of_judgement(read: Callable[[GenerativeJudgement], Value]) -> Callable[[FieldResult, CellResult], Value]:
    """Return a getter that is None where no generative model was asked."""
    return _of_prediction(lambda prediction: None if prediction.judgement is None else read(prediction.judgement))


def set_text(found: PredictionSet | None) -> str | None:
    """Return the types of a prediction set as tables show them, ``monocyte|lymphocyte``; None where there is none."""
    return None if found is None else "|".join(cell_type.value for cell_type in found.types)


def _probability(index: int, cell_type: CellType) -> Column:
    """Return the column with the probability of one type."""
    get = _of_prediction(lambda prediction: float(prediction.probabilities[index]))
    return Column(f"p_{cell_type.value}", "number", "probability", get)


def _of_red_cell(read: Callable[[RedCellPrediction], Value]) -> Callable[[FieldResult, CellResult], Value]:
    """Return a getter that is None where the red cell was not typed."""
    return lambda field, cell: None if cell.red_cell is None else read(cell.red_cell)


def _red_cell_probability(index: int, red_cell_type: RedCellType) -> Column:
    """Return the column with the probability of one type of red cell."""
    get = _of_red_cell(lambda prediction: float(prediction.probabilities[index]))
    return Column(f"p_red_cell_{red_cell_type.value}", "number", "red_cell_probability", get)


def _of_looks(read: Callable[[CellAttributes], Value]) -> Callable[[FieldResult, CellResult], Value]:
    """Return a getter that is None where nothing was told of the cell's looks."""
    return lambda field, cell: None if cell.attributes is None else read(cell.attributes)


def _attribute(name: str) -> Column:
    """Return the column with the value of one attribute."""
    get = _of_looks(lambda looks: looks.attributes[name].value if name in looks.attributes else None)
    return Column(name, "text", "fact", get)


def clump_of(field: FieldResult, cell: CellResult) -> int | None:
    """Return the number of the platelet clump in its field, from 1, that ``cell`` belongs to; None for none."""
    if cell.cell.kind is not CellKind.PLATELET:
        return None
    numbers = (number for number, clump in enumerate(field.clumps, 1) if cell.cell.id in clump.cell_ids)
    return next(numbers, None)


def _measure(name: str, dtype: Literal["number", "integer"] = "number") -> Column:
    """Return the column of one field of ``Morphometry``."""
    return Column(name, dtype, "measure", lambda field, cell: getattr(cell.morphometry, name))


COLUMNS: tuple[Column, ...] = (
    Column("cell_id", "text", "fact", lambda field, cell: cell.cell.id),
    Column("field_id", "text", "fact", lambda field, cell: field.field.id),
    Column("field_path", "text", "fact", lambda field, cell: str(field.field.path) if field.field.path else None),
    Column("field_sha256", "text", "fact", lambda field, cell: field.field.sha256 or None),
    Column("field_qc", "text", "fact", lambda field, cell: field.verdict.status.value),
    Column("mpp_um", "number", "fact", lambda field, cell: field.field.scale.mpp if field.field.scale else None),
    Column(
        "scale_source",
        "text",
        "fact",
        lambda field, cell: field.field.scale.source.value if field.field.scale else None,
    ),
    Column("kind", "text", "fact", lambda field, cell: cell.cell.kind.value),
    Column("type", "text", "fact", lambda field, cell: cell.label),
    Column("most_likely_type", "text", "fact", _of_prediction(lambda prediction: prediction.most_likely.value)),
    Column("confidence", "number", "fact", _of_prediction(lambda prediction: prediction.confidence)),
    Column("anomaly", "number", "fact", _of_prediction(lambda prediction: float(prediction.anomaly))),
    Column("abstention", "text", "fact", _of_prediction(lambda p: p.abstention.value if p.abstention else None)),
    Column("prediction_set", "text", "fact", _of_prediction(lambda p: set_text(p.prediction_set))),
    Column("generative_type", "text", "fact", _of_judgement(lambda judgement: judgement.cell_type.value)),
    Column("generative_confidence", "number", "fact", _of_judgement(lambda judgement: float(judgement.confidence))),
    Column("generative_zeta", "number", "fact", _of_judgement(lambda judgement: float(judgement.zeta))),
    Column("generative_anomaly", "number", "fact", _of_judgement(lambda judgement: float(judgement.anomaly))),
    Column("generative_passes", "integer", "fact", _of_judgement(lambda judgement: judgement.passes)),
    Column("subtype", "text", "fact", _of_looks(lambda looks: looks.subtype.value if looks.subtype else None)),
    Column(
        "subtype_probability",
        "number",
        "fact",
        _of_looks(lambda looks: looks.subtype.probability if looks.subtype else None),
    ),
    *(_attribute(name) for name in ATTRIBUTES),
    Column(ATTENTION, "number", "fact", lambda field, cell: None),
    Column("red_cell_type", "text", "fact", _of_red_cell(lambda prediction: prediction.label.value)),
    Column("red_cell_confidence", "number", "fact", _of_red_cell(lambda prediction: prediction.confidence)),
    Column("platelet_clump", "integer", "fact", clump_of),
    Column("score", "number", "fact", lambda field, cell: float(cell.cell.score)),
    Column("touches_border", "flag", "fact", lambda field, cell: bool(cell.cell.touches_border)),
    Column("center_x_px", "number", "fact", lambda field, cell: cell.cell.outline.centroid[0]),
    Column("center_y_px", "number", "fact", lambda field, cell: cell.cell.outline.centroid[1]),
    Column("box_x0_px", "number", "fact", lambda field, cell: cell.cell.outline.bounds.x0),
    Column("box_y0_px", "number", "fact", lambda field, cell: cell.cell.outline.bounds.y0),
    Column("box_x1_px", "number", "fact", lambda field, cell: cell.cell.outline.bounds.x1),
    Column("box_y1_px", "number", "fact", lambda field, cell: cell.cell.outline.bounds.y1),
    *(_probability(index, cell_type) for index, cell_type in enumerate(CellType)),
    *(_red_cell_probability(index, red_cell_type) for index, red_cell_type in enumerate(RedCellType)),
    _measure("area_um2"),
    _measure("perimeter_um"),
    _measure("circularity"),
    _measure("eccentricity"),
    _measure("nucleus_area_um2"),
    _measure("cytoplasm_area_um2"),
    _measure("nucleus_to_cell_ratio"),
    _measure("nucleus_to_cytoplasm_ratio"),
    _measure("nucleus_lobes", "integer"),
)
"""Every column, in order; ``docs/report.md`` describes each, and a test compares the two."""
