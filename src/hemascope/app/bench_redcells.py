"""Benchmark ``redcells``: are red cells found at their points, and told by type; on test fields and over folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import FieldAnalyzer, Progress
from hemascope.app.bench_record import Measures
from hemascope.cells.crop import cut_square
from hemascope.core.cell import Cell, CellCrop
from hemascope.core.ports import RedCellClassifier
from hemascope.core.report import FailedInput, FieldResult
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import RED_CELL_DIAMETER, Microns
from hemascope.data.chula_rbc12 import read_anemia_fields
from hemascope.data.records import FieldRecord
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.points import (
    COMPLETE,
    REACH,
    PointMatch,
    match_points,
    median_radius,
    score_points,
    stained_coverage,
)
from hemascope.evaluate.red_cell_answers import TYPES, RedCellPlace, typed_places
from hemascope.evaluate.red_cell_groups import compare_groups
from hemascope.evaluate.red_cell_types import MISSED, OVERALL, score_told, score_types
from hemascope.reporting.red_cell_counts import count_red_cells
from hemascope.sources.discover import Source

SET = "chula_rbc12"

RADIUS_PX = 18.75
"""Half a red cell of the set in pixels, 7.5 um at 0.2 um a pixel: which fields count as completely labeled must not
depend on what was found in them."""


@dataclass(frozen=True, slots=True, eq=False)
class PointedField:
    """What is kept of an analyzed field with labeled points.

    Attributes
    ----------
    record
        The labels.
    match
        Found red cells and points, joined.
    coverage
        See ``stained_coverage``.
    at_points
        What the classifier tells of a view at each typed point, N x types; even for a field that failed.
    found
        What was told of the cell found at each typed point, N type numbers, or ``MISSED`` where none was typed.
    inside
        For each typed point whether it lies inside the border.
    failure
        Why it could not be analyzed, or "".
    """

    record: FieldRecord
    match: PointMatch
    coverage: float
    at_points: NDArray[np.float64]
    found: NDArray[np.int64]
    inside: NDArray[np.bool_]
    failure: str = ""


def look_at_points(
    analyzer: FieldAnalyzer, classifier: RedCellClassifier, records: Sequence[FieldRecord], progress: Progress
) -> list[PointedField]:
    """Return what is found and told in every field, in order; where one fails, nothing was found."""
    sources = [Source(record.path, record.name) for record in records]
    fields = []
    for number, (record, result) in enumerate(zip(records, analyzer.results(sources), strict=True), 1):
        fields.append(_failed(record, result) if isinstance(result, FailedInput) else _look(record, result, classifier))
        progress(f"typing {SET}", number, len(records))
    return fields


def _failed(record: FieldRecord, failure: FailedInput) -> PointedField:
    points = [(p.x, p.y) for p in record.points]
    typed = len(typed_places(record))
    even = np.full((typed, len(TYPES)), 1 / len(TYPES))
    nothing = match_points([], points, 1.0, (np.inf, np.inf), 0)
    return PointedField(
        record, nothing, 0.0, even, np.full(typed, MISSED), np.ones(typed, np.bool_), failure.message
    )  # fmt: skip


def _look(record: FieldRecord, result: FieldResult, classifier: RedCellClassifier) -> PointedField:
    size = (result.field.width, result.field.height)
    red = [item for item in result.cells if item.cell.kind is CellKind.RED_CELL]
    radius = _radius(result, [item.cell for item in red])
    points = [(p.x, p.y) for p in record.points]
    match = match_points([item.cell.outline.centroid for item in red], points, radius, size, radius)
    told = np.full(len(points), MISSED, np.int64)
    for item, index in zip(red, match.partner, strict=True):
        if index is not None and item.red_cell is not None:
            told[index] = TYPES.index(item.red_cell.label)
    typed = np.array([p.red_cell_type is not None for p in record.points], np.bool_)
    return PointedField(
        record=record,
        match=match,
        coverage=stained_coverage(result.field.pixels, points, REACH * RADIUS_PX, RADIUS_PX),
        at_points=_type_places(result, typed_places(record), classifier),
        found=told[typed],
        inside=match.points_count[typed],
    )


def _radius(result: FieldResult, cells: Sequence[Cell]) -> float:
    """Return half the diameter of the field's median whole red cell in pixels; of a usual one where there is none."""
    found = median_radius([cell.outline.area for cell in cells if not cell.touches_border])
    return found if found is not None else RED_CELL_DIAMETER / 2 / _mpp(result)


def _mpp(result: FieldResult) -> float:
    if result.field.scale is None:
        raise ValueError(f"{result.field.id}: an analyzed field has a scale")
    return result.field.scale.mpp


def _type_places(
    result: FieldResult, places: Sequence[RedCellPlace], classifier: RedCellClassifier
) -> NDArray[np.float64]:
    """Return what the classifier tells of a view at each point, N x types."""
    side, width = classifier.crop_size
    crops = [
        CellCrop(f"{n}", cut_square(result.field.pixels, (p.x, p.y), width / _mpp(result), side), Microns(width))
        for n, p in enumerate(places)
    ]
    return np.array([p.probabilities for p in classifier.classify(crops)], np.float64).reshape(-1, len(TYPES))


def measure_points(fields: Sequence[PointedField]) -> Measures:
    """Return the figures of finding: over all fields, and over those that are completely labeled."""
    measures = Measures()
    complete = [field for field in fields if field.coverage >= COMPLETE]
    for name, chosen in (("found", fields), ("found_complete", complete)):
        scores = score_points([f.match for f in chosen], [f.record.group for f in chosen])
        measures.add(f"{SET}.{name}", scores)
        measures.metrics[f"{SET}.{name}.fields"] = len(chosen)
    return measures


def measure_types(fields: Sequence[PointedField]) -> Measures:
    """Return the figures of types: at the points themselves, and of the cells found there."""
    places = [place for field in fields for place in typed_places(field.record)]
    measures = Measures()
    add_scores(measures, "types", score_types(places, np.concatenate([f.at_points for f in fields])))
    inside, told = np.concatenate([f.inside for f in fields]), np.concatenate([f.found for f in fields])
    whole = [place for place, keep in zip(places, inside, strict=True) if keep]
    add_scores(measures, "types_found", score_told(whole, told[inside]))
    measures.metrics[f"{SET}.types_found.missed"] = int((told[inside] == MISSED).sum())
    return measures


def add_scores(measures: Measures, task: str, scores: Mapping[str, Mapping[str, Estimate]]) -> None:
    """Take the scores of one task under ``chula_rbc12.<task>`` and its types."""
    for name, estimates in scores.items():
        measures.add(f"{SET}.{task}" if name == OVERALL else f"{SET}.{task}.{name}", estimates)


def measure_anemias(analyzer: FieldAnalyzer, root: Path, limit: int | None, progress: Progress) -> Measures:
    """Return the mean share of each type in the fields of five anemias; no field of them was trained on."""
    records = read_anemia_fields(root / SET)[:limit]
    results = analyzer.results([Source(record.path, record.name) for record in records])
    counts = []
    for number, (record, result) in enumerate(zip(records, results, strict=True), 1):
        if isinstance(result, FieldResult):
            counts.append((record.disease, count_red_cells(result)))
        progress("anemias", number, len(records))
    measures = Measures()
    for group in compare_groups(counts):
        prefix = f"{SET}_anemias.{group.name}"
        measures.metrics.update({f"{prefix}.fields": group.fields, f"{prefix}.cells": group.cells})
        measures.add(prefix, {f"share_{name}": share for name, share in group.shares.items()})
    return measures
