"""Benchmark ``segmentation``: outlines of white cells and nuclei against the public mask images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hemascope.app.bench_fields import FieldAnalyzer, Progress
from hemascope.app.bench_record import Measures
from hemascope.app.mask_outlines import read_mask
from hemascope.core.report import FailedInput
from hemascope.data.catalog import open_fields
from hemascope.data.records import FieldRecord
from hemascope.evaluate.segmentation import MaskMatch, match_mask, score_masks
from hemascope.sources.discover import Source


@dataclass(frozen=True, slots=True)
class MaskSet:
    """Images with masks, under the first part of their keys."""

    key: str
    data_set: str
    records: tuple[FieldRecord, ...]


def open_masks(root: Path, split: str, limit: int | None) -> tuple[MaskSet, ...]:
    """Return the sets with masks: wbc_seg whole and by stain, and bccd.

    Raises
    ------
    DataSetError
        If a set is absent or malformed or has no such split.
    """
    single = open_fields("wbc_seg", root, split)[:limit]
    fields = tuple(r for r in open_fields("bccd", root, split, "original") if r.mask is not None)[:limit]
    parts = {record.source: tuple(r for r in single if r.source == record.source) for record in single}
    return (
        MaskSet("wbc_seg", "wbc_seg", single),
        *(MaskSet(f"wbc_seg_{name}", "wbc_seg", records) for name, records in sorted(parts.items())),
        MaskSet("bccd", "bccd", fields),
    )


def match_masks(
    analyzer: FieldAnalyzer, records: Sequence[FieldRecord], progress: Progress, title: str
) -> dict[str, MaskMatch]:
    """Return image name to match; one that could not be analyzed counts as one in which nothing was found."""
    sources = [Source(record.path, record.name) for record in records]
    matches: dict[str, MaskMatch] = {}
    progress(title, 0, len(records))
    for number, (record, result) in enumerate(zip(records, analyzer.results(sources), strict=True), 1):
        cells = () if isinstance(result, FailedInput) else [item.cell for item in result.cells]
        matches[record.name] = match_mask(record.name, record.group, read_mask(record), cells)
        progress(title, number, len(records))
    return matches


def measure_masks(sets: Sequence[MaskSet], matches: dict[str, dict[str, MaskMatch]]) -> Measures:
    """Return the figures of every set; ``matches`` is data set to image name to match."""
    measures = Measures()
    for group in sets:
        measures.add(group.key, score_masks([matches[group.data_set][record.name] for record in group.records]))
    return measures
