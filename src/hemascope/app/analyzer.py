"""One field after another through every room: read, scale, find, judge, measure, type."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hemascope.app.alike import CROPPED, sizes_alike
from hemascope.app.judge_cells import Judging, cut_crops
from hemascope.cells.clumps import find_clumps
from hemascope.cells.measure import measure
from hemascope.cells.nucleus import find_nucleus
from hemascope.cells.scale import estimate_scale
from hemascope.core.cell import Cell, CellCrop
from hemascope.core.errors import InputError
from hemascope.core.optics import background_color
from hemascope.core.ports import AttributeTeller, CellClassifier, FieldReader, RedCellClassifier, Segmenter
from hemascope.core.prediction import CellAttributes, CellPrediction, RedCellPrediction
from hemascope.core.provenance import ModelIdentity
from hemascope.core.report import CellResult, FailedInput, FieldResult
from hemascope.core.smear import Field, QcReason, QcStatus, QcVerdict
from hemascope.core.taxonomy import UNIDENTIFIED, CellKind, CellType
from hemascope.core.units import Scale, ScaleSource
from hemascope.sources.discover import Source

RED_CELLS_AT_ONCE = 256
"""Crops held together: a slide's field has tens of thousands of red cells."""

WHITE_CELLS_AT_ONCE = 256
"""Crops held together of a size that the classifier of white cells does not take."""

Judge = Callable[[Field, Sequence[Cell]], QcVerdict]
"""Quality control: a field and its cells to a verdict."""

EstimateScale = Callable[[Sequence[Field], Segmenter], Scale]
"""Fields taken alike to their scale, by the cells found in them."""


class StageClock:
    """Seconds spent in each stage of one field."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, stage: str) -> None:
        """Add the time since the last mark to ``stage``."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


@dataclass(frozen=True)
class Analyzer:
    """Everything one analysis needs; parts are any objects that satisfy their ports.

    Attributes
    ----------
    reader, segmenter, classifier, judge
        The replaceable parts.
    scale
        The scale of every field, as the user states it; None to read or estimate it.
    scale_sample
        Fields looked at to estimate the scale of fields taken alike.
    estimate
        How it is estimated from them.
    red_cells
        Types red cells; None to leave them untyped.
    attributes
        Tells what white cells look like; None to leave that out.
    generative
        Says how well a generative model explains white cells, and what follows; None to leave that out.
    """

    reader: FieldReader
    segmenter: Segmenter
    classifier: CellClassifier
    judge: Judge
    scale: Scale | None = None
    scale_sample: int = 12
    estimate: EstimateScale = estimate_scale
    red_cells: RedCellClassifier | None = None
    attributes: AttributeTeller | None = None
    generative: Judging | None = None
    _scales: dict[tuple[Path, int, int], Scale] = field(default_factory=dict, init=False, repr=False)

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        """What answers: the finder, the classifiers, what tells attributes, and what judges cells, each once."""
        parts = (self.segmenter, self.classifier, *((self.red_cells,) if self.red_cells else ()))
        told = self.attributes.identities if self.attributes else ()
        judged = self.generative.judge.identities if self.generative else ()
        return tuple(dict.fromkeys((*(part.identity for part in parts), *told, *judged)))

    def results(self, sources: Sequence[Source]) -> Iterator[FieldResult | FailedInput]:
        """Yield one result a source, in order; a file that cannot be read yields what is wrong with it.

        Pixels are held for one field at a time (and for the sample, while a scale is estimated).
        """
        seen: dict[str, str] = {}
        for source in sources:
            clock = StageClock()
            try:
                read = self.reader.read(source.path, source.field_id)
                clock.mark("read")
                scaled = read.with_scale(self.scale_of(read, source, sources))
            except InputError as error:
                yield FailedInput(str(source.path), type(error).__name__, str(error))
                continue
            clock.mark("scale")
            result = self.analyze(scaled, clock)
            first = seen.setdefault(read.sha256, read.id)
            yield result if first == read.id else _repeated(result, first)

    def analyze(self, scaled: Field, clock: StageClock | None = None) -> FieldResult:
        """Return the result for one field whose scale is known.

        Raises
        ------
        ValueError
            If its scale is not known.
        """
        if scaled.scale is None:
            raise ValueError(f"{scaled.id}: analyzing a field needs its scale")
        clock = clock or StageClock()
        found = self.segmenter.find(scaled)
        clock.mark("find")
        verdict = self.judge(scaled, found)
        clock.mark("quality")
        cells = self._measured(scaled, found, scaled.scale)
        clock.mark("measure")
        white = [c.cell for c in cells if c.cell.kind is CellKind.WHITE_CELL]
        crops = cut_crops(scaled, white, self.classifier.crop_size)
        answers = self.classifier.classify(crops)
        clock.mark("classify")
        if self.generative:
            answers = self.generative.weigh(scaled, white, {self.classifier.crop_size: crops}, answers)
            clock.mark("generative")
        predictions = {prediction.cell_id: prediction for prediction in answers}
        looks = self._looks(scaled, list(zip(white, crops, strict=True)), predictions)
        clock.mark("attributes")
        red = self._morphology(scaled, [c.cell for c in cells if c.cell.kind is CellKind.RED_CELL])
        clock.mark("red_cells")
        typed = tuple(
            replace(
                c, prediction=predictions.get(c.cell.id), red_cell=red.get(c.cell.id), attributes=looks.get(c.cell.id)
            )
            for c in cells
        )
        return FieldResult(scaled, verdict, typed, clock.seconds, find_clumps(found))

    def _measured(self, scaled: Field, found: Sequence[Cell], scale: Scale) -> list[CellResult]:
        light = background_color(scaled.pixels)
        results: list[CellResult] = []
        for cell in found:
            if cell.kind is CellKind.WHITE_CELL and cell.nucleus is None:
                cell = replace(cell, nucleus=find_nucleus(scaled.pixels, cell.outline, light))
            results.append(CellResult(cell, measure(cell.outline, scale.mpp, cell.nucleus)))
        return results

    def _looks(
        self, scaled: Field, cells: Sequence[tuple[Cell, CellCrop]], predictions: Mapping[str, CellPrediction]
    ) -> dict[str, CellAttributes]:
        """Return what cells look like whose type is asked; crops that are cut already are taken as they are."""
        found: dict[str, CellAttributes] = {}
        if self.attributes is None:
            return found
        asked = []
        for cell, crop in cells:
            cell_type = _told_type(predictions.get(cell.id))
            if cell_type in self.attributes.cell_types:
                asked.append((cell, crop, cell_type))
        for start in range(0, len(asked), WHITE_CELLS_AT_ONCE):
            some, cut, types = zip(*asked[start : start + WHITE_CELLS_AT_ONCE], strict=True)
            crops = {
                size: cut if size == self.classifier.crop_size else cut_crops(scaled, some, size)
                for size in self.attributes.crop_sizes
            }
            found |= {looks.cell_id: looks for looks in self.attributes.tell(crops, types)}
        return found

    def _morphology(self, scaled: Field, cells: Sequence[Cell]) -> dict[str, RedCellPrediction]:
        """Return the types of whole red cells: what the border cuts has no shape."""
        predictions: dict[str, RedCellPrediction] = {}
        if self.red_cells is None:
            return predictions
        whole = [cell for cell in cells if not cell.touches_border]
        for start in range(0, len(whole), RED_CELLS_AT_ONCE):
            crops = cut_crops(scaled, whole[start : start + RED_CELLS_AT_ONCE], self.red_cells.crop_size)
            predictions |= {prediction.cell_id: prediction for prediction in self.red_cells.classify(crops)}
        return predictions

    def scale_of(self, read: Field, source: Source, sources: Sequence[Source]) -> Scale:
        """Return the stated scale, or the file's, or that of the fields taken like it."""
        known = self.scale or read.scale
        if known:
            return known
        key = (source.path.parent, read.width, read.height)
        if key not in self._scales:
            self._scales[key] = self._estimated(read, source, sources)
        return self._scales[key]

    def _estimated(self, read: Field, source: Source, sources: Sequence[Source]) -> Scale:
        """Return the scale that fields of the same size tell, or else, as for crops, of about the same size."""
        scale = self.estimate(self._taken_alike(read, source, sources, 1.0), self.segmenter)
        if scale.source is not ScaleSource.ASSUMED:
            return scale
        return self.estimate(self._taken_alike(read, source, sources, CROPPED), self.segmenter)

    def _taken_alike(self, read: Field, source: Source, sources: Sequence[Source], factor: float) -> list[Field]:
        """Return a sample of fields of the same folder and size within a factor, the given one first."""
        siblings = [s for s in sources if s.path.parent == source.path.parent and s.path != source.path]
        fields = [read]
        chosen = np.linspace(0, len(siblings) - 1, min(self.scale_sample - 1, len(siblings))).astype(int)
        for index in chosen:
            try:
                other = self.reader.read(siblings[index].path, siblings[index].field_id)
            except InputError:
                continue  # it is reported when its own turn comes
            if other.scale is None and sizes_alike(read, other, factor):
                fields.append(other)
        return fields


def _told_type(prediction: CellPrediction | None) -> CellType | None:
    """Return the type that was decided on; None where none was."""
    if prediction is None or prediction.label == UNIDENTIFIED:
        return None
    return CellType(prediction.label)


def _repeated(result: FieldResult, first: str) -> FieldResult:
    reason = QcReason("duplicate", QcStatus.FAIL, f"the same file as {first}; its cells are not counted again")
    return replace(result, verdict=replace(result.verdict, reasons=(*result.verdict.reasons, reason)))
