"""Benchmark ``detection``: what is found against every public set of boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hemascope.app.bench_fields import FieldAnalyzer, FieldAnswer, Progress, analyze_records
from hemascope.app.bench_record import Measures
from hemascope.core.taxonomy import CellKind
from hemascope.data.adjudications import read_adjudications
from hemascope.data.catalog import open_fields
from hemascope.data.folds import Fold, split_by_fold
from hemascope.data.records import FieldRecord
from hemascope.evaluate.detection import mean_average_precision, score_detection
from hemascope.evaluate.matching import FieldMatch, match_field

_ALL = tuple(CellKind)


@dataclass(frozen=True, slots=True)
class Family:
    """Figures of some kinds against one labeling of one set.

    Attributes
    ----------
    key
        First part of their keys.
    data_set, version
        The labels; version None for a set with one.
    kinds
        The kinds.
    """

    key: str
    data_set: str
    version: str | None
    kinds: tuple[CellKind, ...]


HEADLINES = (
    Family("bccd", "bccd", "cbc_cleaned", (CellKind.WHITE_CELL,)),
    Family("bccd", "bccd", "txl", (CellKind.RED_CELL, CellKind.PLATELET)),
    Family("txl_pbc_boxes", "txl_pbc_boxes", None, _ALL),
    Family("aybu_fields", "aybu_fields", None, _ALL),
    Family("chula_wbc_fields", "chula_wbc_fields", None, _ALL),
)
"""One family a set and kind. On bccd white cells are counted in version cbc_cleaned, which covers every field of the
test split; red cells and platelets in version txl, which boxes them all on the fields it covers."""

BY_VERSION = tuple(Family(f"bccd_{version}", "bccd", version, _ALL) for version in ("txl", "cbc_cleaned", "original"))
"""All kinds in every label version of bccd, beside the headlines."""

DATA_SETS = tuple(dict.fromkeys(family.data_set for family in HEADLINES))


@dataclass(frozen=True, slots=True)
class LabeledSets:
    """The labels of a run: data set and version to records, the same images in every version of one set."""

    records: dict[tuple[str, str | None], tuple[FieldRecord, ...]]

    def images(self, data_set: str) -> tuple[FieldRecord, ...]:
        """Return one record an image of a set."""
        found = (record for (name, _), records in self.records.items() if name == data_set for record in records)
        return tuple({record.name: record for record in found}.values())


def open_labeled_sets(root: Path, split: str, limit: int | None) -> LabeledSets:
    """Return the labels of every family.

    Parameters
    ----------
    root
        Folder of the sets.
    split
        A value of the split column, or ``all``.
    limit
        Keep this many images of each set, the first of its table; None for all.

    Raises
    ------
    DataSetError
        If a set is absent or malformed or has no such split.
    """
    records = {}
    for family in (*HEADLINES, *BY_VERSION):
        key = (family.data_set, family.version)
        if key not in records:
            records[key] = open_fields(family.data_set, root, split, family.version)
    if limit is not None:
        # The first images by the most covering version, so that every version sees the same ones.
        for name in DATA_SETS:
            kept = set([record.name for record in LabeledSets(records).images(name)][:limit])
            for key in [key for key in records if key[0] == name]:
                records[key] = tuple(record for record in records[key] if record.name in kept)
    return LabeledSets(records)


Answers = dict[str, dict[str, FieldAnswer]]
"""Data set to image name to what was found in it."""


def find_everything(analyzer: FieldAnalyzer, labels: LabeledSets, progress: Progress, title: str) -> Answers:
    """Return what one analyzer finds."""
    return {
        name: analyze_records(analyzer, labels.images(name), progress, f"{title}: {name}", rank=True)
        for name in DATA_SETS
    }


def find_by_folds(analyzers: Mapping[Fold, FieldAnalyzer], labels: LabeledSets, progress: Progress) -> Answers:
    """Return what each fold's analyzer finds in the part that it was not trained on.

    Parameters
    ----------
    analyzers
        Of every fold of one cross-validation.
    labels
        All records of every set.
    """
    answers: Answers = {name: {} for name in DATA_SETS}
    for fold, analyzer in analyzers.items():
        for name in DATA_SETS:
            left_out = [r for r in split_by_fold(labels.images(name), fold) if r.split == "test"]
            answers[name] |= analyze_records(analyzer, left_out, progress, f"fold {fold}: {name}", rank=True)
    return answers


def join(
    labels: LabeledSets, answers: Answers, families: Sequence[Family], *, ranked: bool = False
) -> dict[str, tuple[FieldMatch, ...]]:
    """Return ``<family>.<kind>`` to the found and labeled objects of every field, joined.

    Parameters
    ----------
    ranked
        Whether to join the candidates below the finder's threshold too.
    """
    adjudications = read_adjudications()
    joined = {}
    for family in families:
        records = labels.records[family.data_set, family.version]
        for kind in family.kinds:
            joined[f"{family.key}.{kind.value}"] = tuple(
                match_field(record, answer.ranked if ranked else answer.found, kind, adjudications)
                for record in records
                for answer in (answers[family.data_set][record.name],)
            )
    return joined


def measure_detection(labels: LabeledSets, answers: Answers) -> Measures:
    """Return every figure of every family."""
    families = (*HEADLINES, *BY_VERSION)
    measures = Measures()
    curves = join(labels, answers, families, ranked=True)
    for key, matches in join(labels, answers, families).items():
        measures.add(key, score_detection(matches, curves[key]).estimates())
    for family in families:
        if len(family.kinds) == len(_ALL) and all(
            measures.metrics[f"{family.key}.{kind.value}.average_precision"] is not None for kind in family.kinds
        ):
            kinds = [curves[f"{family.key}.{kind.value}"] for kind in family.kinds]
            measures.add(f"{family.key}.mean", {"average_precision": mean_average_precision(kinds)})
    return measures


def count_labels(labels: LabeledSets) -> dict[str, int]:
    """Return set, and set and kind, to how many fields and labels of them were scored against."""
    counts: dict[str, int] = {name: len(labels.images(name)) for name in DATA_SETS}
    for family in HEADLINES:
        records = labels.records[family.data_set, family.version]
        for kind in family.kinds:
            counts[f"{family.key}.{kind.value}"] = sum(len(record.of_kind(kind)) for record in records)
    return counts
