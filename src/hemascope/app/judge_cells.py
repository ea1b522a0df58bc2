"""The analyzer's step with a generative model: cells judged, and what their judgement does to the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hemascope.cells.crop import crop_cell
from hemascope.core.cell import Cell, CellCrop
from hemascope.core.ports import CellJudge
from hemascope.core.prediction import AbstentionReason, CellPrediction
from hemascope.core.smear import Field
from hemascope.core.units import Microns

CELLS_AT_ONCE = 256
"""Crops held together of a size that the classifier does not take."""

Size = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Judging:
    """What judges cells, and what follows from it.

    Attributes
    ----------
    judge
        A generative model.
    abstains
        Whether a cell that it finds strange, or of another type, is left unidentified.
    max_anomaly
        A cell further than this many thresholds from everything learned is strange.
    use
        What else the model was used for: ``beside`` for nothing, ``cascade`` where the classifier heard it already.
    """

    judge: CellJudge
    abstains: bool = False
    max_anomaly: float = 1.0
    use: str = "beside"

    def weigh(
        self,
        scaled: Field,
        cells: Sequence[Cell],
        cut: Mapping[Size, Sequence[CellCrop]],
        predictions: Sequence[CellPrediction],
    ) -> list[CellPrediction]:
        """Return the predictions with their judgements, and with what follows from them.

        Parameters
        ----------
        scaled
            The field, whose scale is known.
        cells, predictions
            Its white cells and what the classifier said of each, in the same order.
        cut
            Crops of all cells that are there already, by size.

        Raises
        ------
        ValueError
            If cells and predictions are not of the same number and order.
        """
        if [cell.id for cell in cells] != [prediction.cell_id for prediction in predictions]:
            raise ValueError(f"{scaled.id}: need one prediction a white cell, in order")
        found: list[CellPrediction] = []
        for start in range(0, len(cells), CELLS_AT_ONCE):
            part = slice(start, start + CELLS_AT_ONCE)
            crops = {
                size: cut[size][part] if size in cut else cut_crops(scaled, cells[part], size)
                for size in self.judge.crop_sizes
            }
            some = predictions[part]
            judged = zip(some, self.judge.judge(crops, some), strict=True)
            found += [self._answer(replace(prediction, judgement=judgement)) for prediction, judgement in judged]
        return found

    def _answer(self, judged: CellPrediction) -> CellPrediction:
        """Return the prediction as it stands with the judgement heard."""
        if not self.abstains or judged.abstention is not None or judged.judgement is None:
            return judged
        if judged.judgement.anomaly > self.max_anomaly:
            return replace(judged, abstention=AbstentionReason.ANOMALY)
        return replace(judged, abstention=AbstentionReason.DISPUTED) if judged.disputed else judged


def cut_crops(scaled: Field, cells: Sequence[Cell], size: Size) -> list[CellCrop]:
    """Return one crop a cell of a field whose scale is known.

    Parameters
    ----------
    scaled, cells
        The field and cells of it.
    size
        Side in pixels and width in um.
    """
    side, width = size
    return [crop_cell(scaled, cell, side, Microns(width)) for cell in cells]
