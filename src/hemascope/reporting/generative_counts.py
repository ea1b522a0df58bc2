"""What a generative model says of one field, as counts."""

from __future__ import annotations

from hemascope.core.report import FieldResult, GenerativeCounts
from hemascope.core.taxonomy import CellKind


def count_judgements(result: FieldResult) -> GenerativeCounts:
    """Return what was said of the nucleated cells of one field."""
    found = [cell.prediction for cell in result.cells if cell.cell.kind is CellKind.WHITE_CELL and cell.prediction]
    judgements = [prediction.judgement for prediction in found if prediction.judgement is not None]
    return GenerativeCounts(
        judged=len(judgements),
        unlike=sum(judgement.badly_explained for judgement in judgements),
        disputed=sum(prediction.disputed for prediction in found),
    )
