"""Benchmark ``classification``: types of single cells, and types of found cells in whole fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hemascope.app.bench_fields import FieldAnalyzer, FieldAnswer, Progress, analyze_records
from hemascope.app.bench_record import Measures, Metrics
from hemascope.cells.crop import cut_square
from hemascope.core.cell import CellCrop
from hemascope.core.errors import UnreadableImageError
from hemascope.core.ports import CellClassifier
from hemascope.core.prediction import AbstentionReason, CellPrediction
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.data.catalog import open_crops, open_fields
from hemascope.data.records import CropRecord, FieldRecord
from hemascope.evaluate.classification import ClassificationScores, score_classification
from hemascope.evaluate.color_baseline import color_features, nearest_neighbor
from hemascope.evaluate.end_to_end import TypedAnswer, answer_labels, pooled_shares, score_answers, typed_labels
from hemascope.evaluate.estimate import Estimate

CROPS = "pbc_acevedo_128"
"""The set of single cells."""

FIELD_SETS = (("bccd", "cbc_cleaned"), ("chula_wbc_fields", None))
"""Sets of fields with known types, with their label version: bccd names types by field, the other by cell."""

_CLASSES = tuple(CellType)
_BATCH = 64


def read_pixels(record: CropRecord | FieldRecord) -> NDArray[np.uint8]:
    """Return the pixels of an image of a set, H x W x 3 uint8 RGB.

    Raises
    ------
    UnreadableImageError
        If the file is no image or is truncated.
    """
    try:
        with Image.open(record.path) as file:
            return np.asarray(file.convert("RGB"), np.uint8)
    except OSError as error:
        raise UnreadableImageError(
            f"{record.path} cannot be read ({error}); restore the set's original file"
        ) from error


def type_crops(classifier: CellClassifier, records: Sequence[CropRecord], progress: Progress) -> list[CellPrediction]:
    """Return the classifier's answer for every single-cell image, cut to the width and side it takes."""
    side, width = classifier.crop_size
    predictions: list[CellPrediction] = []
    for start in range(0, len(records), _BATCH):
        batch = []
        for record in records[start : start + _BATCH]:
            pixels = read_pixels(record)
            height, across = pixels.shape[:2]
            view = cut_square(pixels, (across / 2, height / 2), width / record.width_um * across, side)
            batch.append(CellCrop(record.name, view, Microns(width)))
        predictions += classifier.classify(batch)
        progress(f"typing {CROPS}", len(predictions), len(records))
    return predictions


def measure_crops(records: Sequence[CropRecord], predictions: Sequence[CellPrediction]) -> Measures:
    """Return the figures of single cells: all eight classes, the type of highest probability, abstention apart."""
    measures = Measures()
    probabilities = np.stack([prediction.probabilities for prediction in predictions])
    truth = class_numbers(records)
    groups = [record.group for record in records]
    scores = score_classification(probabilities, truth, groups, [c.value for c in _CLASSES])
    measures.add(CROPS, {"labeled": Estimate(len(records))} | scores.overall | _decided(predictions, truth))
    for name, estimates in scores.per_class.items():
        measures.add(f"{CROPS}.{name}", estimates | _told_as(scores, name))
    return measures


def class_numbers(records: Sequence[CropRecord]) -> NDArray[np.intp]:
    """Return the place of each cell's type in ``CellType``."""
    return np.array([_CLASSES.index(record.cell_type) for record in records], np.intp)


def color_only(records: Sequence[CropRecord], known: Sequence[CropRecord], progress: Progress) -> Metrics:
    """Return accuracy and balanced accuracy of the nearest neighbor by color among the training cells.

    Undefined where the cells asked about are themselves among the known ones.
    """
    accuracy, balanced = f"{CROPS}.accuracy", f"{CROPS}.balanced_accuracy"
    if {record.name for record in records} & {record.name for record in known}:
        return {accuracy: None, balanced: None}
    features = []
    for number, record in enumerate((*known, *records), 1):
        # Every second pixel each way: colors are the same, and it takes a quarter of the time.
        features.append(color_features(read_pixels(record)[::2, ::2]))
        if number % _BATCH == 0:
            progress("color baseline", number, len(known) + len(records))
    truth = class_numbers(records)
    told = nearest_neighbor(features[: len(known)], class_numbers(known), features[len(known) :])
    recalls = [float((told[truth == k] == k).mean()) for k in np.unique(truth)]
    return {accuracy: round(float((told == truth).mean()), 6), balanced: round(float(np.mean(recalls)), 6)}


def most_frequent(labels: Sequence[str], accuracy_key: str) -> Metrics:
    """Return the accuracy of always telling the most frequent label."""
    return {accuracy_key: round(max(Counter(labels).values()) / len(labels), 6) if labels else None}


def open_typed_fields(root: Path, split: str, limit: int | None) -> dict[str, tuple[FieldRecord, ...]]:
    """Return set to the fields of it that have a cell of known type."""
    opened = {}
    for name, version in FIELD_SETS:
        records = (record for record in open_fields(name, root, split, version) if typed_labels(record))
        opened[name] = tuple(records)[:limit]
    return opened


def open_single_cells(root: Path, split: str, limit: int | None) -> tuple[CropRecord, ...]:
    """Return the single cells of a split; of ``limit`` ones an even sample, because the table is sorted by type."""
    records = open_crops(CROPS, root, split)
    if limit is None or limit >= len(records):
        return records
    return tuple(records[i] for i in np.linspace(0, len(records) - 1, limit).round().astype(int))


def type_fields(
    analyzer: FieldAnalyzer, fields: dict[str, tuple[FieldRecord, ...]], progress: Progress
) -> dict[str, dict[str, FieldAnswer]]:
    """Return set to field name to what was found."""
    return {name: analyze_records(analyzer, records, progress, f"typing {name}") for name, records in fields.items()}


def answers_of(records: Sequence[FieldRecord], found: dict[str, FieldAnswer]) -> list[TypedAnswer]:
    """Return what was told of every typed label of a set."""
    return [answer for record in records for answer in answer_labels(record, found[record.name].typed)]


def measure_fields(
    fields: dict[str, tuple[FieldRecord, ...]], found: dict[str, dict[str, FieldAnswer]]
) -> tuple[Measures, Metrics]:
    """Return the figures of found and typed cells, and the baseline of the most frequent type."""
    measures, baseline = Measures(), Metrics()
    for name, records in fields.items():
        answers = answers_of(records, found[name])
        shares = pooled_shares(answers, {field: answer.typed for field, answer in found[name].items()})
        scores = score_answers(answers)
        for part in dict.fromkeys((*scores, *shares)):
            measures.add(f"{name}.{part}", scores.get(part, {}) | shares.get(part, {}))
        baseline |= most_frequent([answer.true.value for answer in answers], f"{name}.differential.accuracy")
    return measures, baseline


def _decided(predictions: Sequence[CellPrediction], truth: NDArray[np.intp]) -> dict[str, Estimate]:
    """Return how many cells the model declines, and its accuracy on the others.

    That a platelet is not nucleated is no refusal: the answer platelet stands.
    """
    refusals = (AbstentionReason.LOW_CONFIDENCE, AbstentionReason.ANOMALY)
    decided = np.array([prediction.abstention not in refusals for prediction in predictions])
    right = np.array([int(np.argmax(p.probabilities)) for p in predictions]) == truth
    return {
        "unidentified": Estimate.share(int((~decided).sum()), len(decided)),
        "accuracy_decided": Estimate.share(int((right & decided).sum()), int(decided.sum())),
    }


def _told_as(scores: ClassificationScores, name: str) -> dict[str, Estimate]:
    """Return a row of the confusion matrix."""
    row = scores.confusion[scores.classes.index(name)]
    return {f"told_as_{told}": Estimate(int(count)) for told, count in zip(scores.classes, row, strict=True)}
