"""Labeled fields through an analyzer, keeping only what is scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hemascope.core.ports import CandidateFinder, Segmenter
from hemascope.core.provenance import ModelIdentity
from hemascope.core.report import FailedInput, FieldResult
from hemascope.data.records import FieldRecord
from hemascope.evaluate.end_to_end import TypedBox, typed_boxes
from hemascope.evaluate.matching import FoundBox, found_boxes
from hemascope.sources.discover import Source

LEAST_SCORE = 0.02
"""Candidates below the finder's threshold are looked at down to this score: an area under a curve needs its low end."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


class FieldAnalyzer(Protocol):
    """Images to results, one at a time."""

    @property
    def segmenter(self) -> Segmenter:
        """What finds the cells."""
        ...

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        """What finds the cells and what types them."""
        ...

    def results(self, sources: Sequence[Source]) -> Iterator[FieldResult | FailedInput]:
        """Return one result a source, in order."""
        ...


@dataclass(frozen=True, slots=True)
class FieldAnswer:
    """What is kept of an analyzed field.

    Attributes
    ----------
    found
        Every cell found, as a box.
    ranked
        The same and the candidates below the finder's threshold, where it was asked for them; else the same.
    typed
        The white cells with their types.
    stages
        Stage to seconds.
    seconds
        From asking for the field to having its result.
    failure
        Why it could not be analyzed, or "": then nothing was found.
    """

    found: tuple[FoundBox, ...] = ()
    ranked: tuple[FoundBox, ...] = ()
    typed: tuple[TypedBox, ...] = ()
    stages: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    failure: str = ""


def analyze_sources(
    analyzer: FieldAnalyzer, sources: Sequence[Source], progress: Progress, title: str, *, rank: bool = False
) -> dict[str, FieldAnswer]:
    """Return field id to answer, one for every source; a field that fails counts as one in which nothing was found.

    Parameters
    ----------
    rank
        Whether to ask the finder for what it leaves out too, if it can tell.
    """
    answers: dict[str, FieldAnswer] = {}
    progress(title, 0, len(sources))
    finder = analyzer.segmenter if rank and isinstance(analyzer.segmenter, CandidateFinder) else None
    timed = _timed(analyzer.results(sources))
    for number, (source, (result, seconds)) in enumerate(zip(sources, timed, strict=True), 1):
        answers[source.field_id] = _answer(result, seconds, finder)
        progress(title, number, len(sources))
    return answers


def _timed(results: Iterator[FieldResult | FailedInput]) -> Iterator[tuple[FieldResult | FailedInput, float]]:
    """Yield each result with the seconds it took to come."""
    started = time.perf_counter()
    for result in results:
        yield result, time.perf_counter() - started
        started = time.perf_counter()


def _answer(result: FieldResult | FailedInput, seconds: float, finder: CandidateFinder | None) -> FieldAnswer:
    if isinstance(result, FailedInput):
        return FieldAnswer(failure=result.message, seconds=seconds)
    found = found_boxes(cell.cell for cell in result.cells)
    ranked = found_boxes(finder.candidates(result.field, LEAST_SCORE)) if finder else found
    return FieldAnswer(found, ranked, typed_boxes(result), dict(result.seconds), seconds)


def analyze_records(
    analyzer: FieldAnalyzer, records: Sequence[FieldRecord], progress: Progress, title: str, *, rank: bool = False
) -> dict[str, FieldAnswer]:
    """Return record name to answer, each image of one set analyzed once; ``rank`` as in ``analyze_sources``."""
    sources = [Source(path, name) for name, path in {record.name: record.path for record in records}.items()]
    return analyze_sources(analyzer, sources, progress, title, rank=rank)


def models_of(*analyzers: FieldAnalyzer) -> tuple[ModelIdentity, ...]:
    """Return what answered, each once."""
    return tuple(dict.fromkeys(identity for analyzer in analyzers for identity in analyzer.models))
