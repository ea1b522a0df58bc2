"""Parts that really look at pixels, simply: cells by color and components, types by brightness.

They satisfy the ports, and what they answer on the painted sets can be worked out by hand.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from hemascope.app.analyze import AnalysisRequest, OnResult, analyze
from hemascope.app.analyzer import Analyzer
from hemascope.app.bench_request import BenchmarkParts
from hemascope.app.provenance import gather_provenance
from hemascope.core.cell import Cell, CellCrop
from hemascope.core.geometry import Box, Polygon
from hemascope.core.prediction import AbstentionReason, CellPrediction, RedCellPrediction
from hemascope.core.provenance import ModelIdentity
from hemascope.core.report import SmearReport
from hemascope.core.smear import Field, QcVerdict
from hemascope.core.taxonomy import CellKind, CellType, RedCellType
from hemascope.core.units import Scale, ScaleSource
from hemascope.data.folds import Fold
from hemascope.recipes import AnalysisRecipe
from hemascope.sources.discover import Source
from hemascope.sources.raster import RasterReader
from hemascope.wiring import build_sinks, load_prior


class ColorSegmenter:
    """Finds disks of the painted colors; with ``blind`` it sees no platelets and no cell right of x = 78."""

    def __init__(self, blind: bool = False) -> None:
        self._blind = blind
        self.identity = ModelIdentity("colors", "1", "", "opencv", "Apache-2.0")

    def find(self, field: Field) -> list[Cell]:
        boxes = []
        for kind, color in KINDS.items():
            mask = (np.abs(field.pixels.astype(int) - color).max(axis=2) < 12).astype(np.uint8)
            count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
            boxes += [(kind, *stats[i, :4].tolist()) for i in range(1, count) if stats[i, 4] > 9]
        if self._blind:
            boxes = [row for row in boxes if row[0] is not CellKind.PLATELET and row[1] < 78]
        return [
            Cell(f"{field.id}#{n}", field.id, kind, Polygon.from_box(Box(x, y, x + w, y + h)), 0.9 - n / 1000)
            for n, (kind, x, y, w, h) in enumerate(boxes)
        ]


KINDS = {
    CellKind.WHITE_CELL: (90, 40, 150),
    CellKind.RED_CELL: (200, 120, 130),
    CellKind.PLATELET: (150, 110, 180),
}


class RankedSegmenter(ColorSegmenter):
    """Tells one candidate more than it finds: a platelet that is none, in the corner."""

    def candidates(self, field: Field, least_score: float) -> list[Cell]:
        corner = Polygon.from_box(Box(0, 0, 8, 8))
        return [*self.find(field), Cell(f"{field.id}#99", field.id, CellKind.PLATELET, corner, least_score)]


class BrightnessClassifier:
    """Tells the type from the crop's mean brightness: sure of bright and dark ones, and never of an eosinophil."""

    def __init__(self) -> None:
        self.identity = ModelIdentity("brightness", "1", "", "numpy", "Apache-2.0")
        self.crop_size = (64, 36.0)

    def classify(self, crops: Sequence[CellCrop]) -> list[CellPrediction]:
        return [self._answer(crop) for crop in crops]

    def _answer(self, crop: CellCrop) -> CellPrediction:
        number = int(np.clip((float(crop.pixels.mean()) - 5) // 30, 0, 7))
        probabilities = np.full(8, 0.01)
        probabilities[number] = 0.93
        unsure = list(CellType)[number] is CellType.EOSINOPHIL
        return CellPrediction(crop.cell_id, probabilities, 0.5, AbstentionReason.LOW_CONFIDENCE if unsure else None)


class RednessClassifier:
    """Calls a red cell normal where its center is red, and hypochromic where it is pale."""

    def __init__(self) -> None:
        self.identity = ModelIdentity("redness", "1", "", "numpy", "Apache-2.0")
        self.crop_size = (16, 4.0)

    def classify(self, crops: Sequence[CellCrop]) -> list[RedCellPrediction]:
        return [RedCellPrediction(crop.cell_id, self._answer(crop)) for crop in crops]

    def _answer(self, crop: CellCrop) -> np.ndarray:
        pale = crop.pixels[6:10, 6:10, 1].mean() > 150
        probabilities = np.full(len(RedCellType), 0.01)
        probabilities[list(RedCellType).index(RedCellType.HYPOCHROMIC if pale else RedCellType.NORMAL)] = 0.89
        return probabilities


RECIPE_SHA256 = "0" * 64
"""What the weights of ``RednessClassifier`` are said to have been trained by."""


def analyzer(blind: bool) -> Analyzer:
    return Analyzer(
        reader=RasterReader(),
        segmenter=ColorSegmenter(blind),
        classifier=BrightnessClassifier(),
        judge=lambda field, cells: QcVerdict(),
        scale=Scale(0.1, ScaleSource.STATED),
        red_cells=RednessClassifier(),
    )


def parts() -> BenchmarkParts:
    """Return a network that sees everything and a classical method that is half blind."""
    return BenchmarkParts(
        analyzer=lambda method: analyzer(blind=method == "classical"),
        classifier=BrightnessClassifier,
        whole_run=lambda method: partial(_whole_run, analyzer(blind=method == "classical")),
        red_cells=RednessClassifier,
        red_cell_recipe=lambda: RECIPE_SHA256,
        fold_analyzers=lambda runs: {Fold(k, 3): analyzer(blind=k == 2) for k in (1, 2, 3)},
    )


def _whole_run(own: Analyzer, sources: Sequence[Source], out: Path, on_result: OnResult) -> SmearReport:
    provenance = gather_provenance(AnalysisRecipe(), [], "hemascope bench report")
    return analyze(AnalysisRequest(sources, out, load_prior("even"), provenance), own, build_sinks, on_result)


def silent(title: str, done: int, total: int) -> None:
    """Show no progress."""
    assert 0 <= done <= total
