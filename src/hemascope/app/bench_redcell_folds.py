"""The part of the benchmark ``redcells`` over folds: saved answers of every fold put together, and what is simpler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_classification import read_pixels
from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures, Metrics
from hemascope.app.bench_redcells import SET, add_scores
from hemascope.cells.crop import cut_square
from hemascope.core.errors import DataSetError
from hemascope.data.folds import Fold
from hemascope.data.records import FieldRecord
from hemascope.evaluate.color_baseline import nearest_neighbor
from hemascope.evaluate.red_cell_answers import (
    ANSWERS_FILE,
    RedCellAnswers,
    RedCellPlace,
    read_answers,
    type_numbers,
    typed_places,
)
from hemascope.evaluate.red_cell_baseline import red_cell_features
from hemascope.evaluate.red_cell_types import OVERALL, score_told, score_types

VIEW_PX = 64
"""Width of the view at a point that the baseline looks at, in pixels of the field: all fields were taken alike."""

COMPARED = ("accuracy", "macro_f1", "macro_f1_20")

Features = Mapping[RedCellPlace, NDArray[np.float64]]


def gather_folds(runs: Path, recipe_sha256: str, records: Sequence[FieldRecord]) -> list[RedCellAnswers]:
    """Return the answers of all folds in the run folders under ``runs``, in order.

    Parameters
    ----------
    recipe_sha256
        Digest of the recipe they must have been trained by: that of the shipped weights.
    records
        All fields of the set.

    Raises
    ------
    DataSetError
        If there are none, one is of another recipe, a fold is absent or there twice, or together they do not answer for
        every typed cell of the set exactly once.
    """
    answers = [read_answers(path) for path in sorted(runs.glob(f"*/{ANSWERS_FILE}"))]
    if not answers:
        raise DataSetError(f"{runs}: no run folder with {ANSWERS_FILE}; run hemascope train red-cells with --fold")
    for answer in answers:
        if answer.recipe_sha256 != recipe_sha256:
            raise DataSetError(
                f"{runs}: fold {answer.fold} was trained by recipe {answer.recipe_sha256[:12]}, the shipped weights by "
                f"{recipe_sha256[:12]}; train all by one recipe"
            )
    count = Fold.parse(answers[0].fold).count
    wanted = [str(Fold(index, count)) for index in range(1, count + 1)]
    present = sorted(answer.fold for answer in answers)
    if present != sorted(wanted):
        raise DataSetError(f"{runs}: there are the folds {', '.join(present)}; exactly {', '.join(wanted)} are needed")
    told = Counter(place for answer in answers for place in answer.places)
    if told != Counter(place for record in records for place in typed_places(record)):
        raise DataSetError(
            f"{runs}: the folds do not answer for every typed cell of {SET} once; train them on this set"
        )
    return sorted(answers, key=lambda answer: Fold.parse(answer.fold).index)


def measure_folds(answers: Sequence[RedCellAnswers]) -> Measures:
    """Return the figures of types over all folds, at the points, and the accuracy of each fold."""
    places = [place for answer in answers for place in answer.places]
    measures = Measures()
    add_scores(measures, "folds", score_types(places, np.concatenate([a.probabilities for a in answers])))
    for answer in answers:
        scores = score_types(answer.places, answer.probabilities)[OVERALL]
        name = f"fold_{Fold.parse(answer.fold).index}"
        measures.add(f"{SET}.folds.{name}", {key: scores[key] for key in ("labeled", *COMPARED)})
    return measures


def describe_cells(records: Sequence[FieldRecord], progress: Progress) -> Features:
    """Return the baseline's numbers of every typed cell of the fields."""
    features: dict[RedCellPlace, NDArray[np.float64]] = {}
    for number, record in enumerate(records, 1):
        pixels = read_pixels(record)
        for place in typed_places(record):
            features[place] = red_cell_features(cut_square(pixels, (place.x, place.y), VIEW_PX, VIEW_PX))
        progress("size and color baseline", number, len(records))
    return features


def simple_baselines(
    task: str, parts: Sequence[tuple[Sequence[RedCellPlace], Sequence[RedCellPlace]]], features: Features
) -> dict[str, Metrics]:
    """Return what always telling the most frequent known type and the nearest neighbor by a dozen numbers reach.

    Parameters
    ----------
    task
        Whose keys to use.
    parts
        Known and asked cells, one pair a fold; scored together. A pair without known cells is refused.
    features
        Of every one of them.
    """
    asked = [place for _, cells in parts for place in cells]
    told: dict[str, list[NDArray[np.intp]]] = {"most_frequent": [], "size_and_color": []}
    for known, cells in parts:
        numbers = type_numbers(known)
        told["most_frequent"].append(np.full(len(cells), np.bincount(numbers).argmax(), np.intp))
        rows = [[features[place] for place in side] for side in (known, cells)]
        told["size_and_color"].append(nearest_neighbor(rows[0], numbers, rows[1]))
    found: dict[str, Metrics] = {}
    for name, guesses in told.items():
        scores = Measures()
        overall = score_told(asked, np.concatenate(guesses))[OVERALL]
        scores.add(f"{SET}.{task}", {key: overall[key] for key in COMPARED})
        found[name] = scores.metrics
    return found


def baselines(
    every: Sequence[FieldRecord],
    asked: Sequence[FieldRecord],
    folds: Sequence[RedCellAnswers] | None,
    progress: Progress,
) -> dict[str, Metrics]:
    """Return what the simple baselines reach, learned from what was trained on.

    Parameters
    ----------
    every
        All fields of the set.
    asked
        The fields of the split; where some are in the train split, the figures at their points are left out.
    folds
        Answers of a cross-validation, whose folds the baselines then take too.
    """
    features = describe_cells(every, progress)
    names = {record.name for record in asked}
    known = [place for record in every if record.split == "train" for place in typed_places(record)]
    cells = [place for record in asked for place in typed_places(record)]
    found: dict[str, Metrics] = {"most_frequent": {}, "size_and_color": {}}
    if known and not names & {place.field for place in known}:
        found = simple_baselines("types", [(known, cells)], features)
    if folds:
        parts = [
            ([place for other in folds if other is not fold for place in other.places], fold.places) for fold in folds
        ]
        over_folds = simple_baselines("folds", parts, features)
        found = {name: found[name] | over_folds[name] for name in found}
    return found
