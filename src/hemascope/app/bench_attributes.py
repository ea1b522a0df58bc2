"""Benchmark ``attributes``: the eleven attributes of WBCAtt and two subtypes from embeddings."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from hemascope.app.attribute_cells import (
    FULL,
    QUESTIONS,
    REDUCED,
    AnsweredCells,
    EncodedCells,
    Progress,
    examples_of,
    groups_of,
    of_split,
    open_answered_cells,
)
from hemascope.app.attribute_training import PENALTIES, FittedHeads, fit_choice, named_encoder
from hemascope.app.bench_record import Measures, Metrics
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, describe_set, needed_root
from hemascope.classify.attribute_heads import Question
from hemascope.core.provenance import ModelIdentity
from hemascope.evaluate.classification import ClassificationScores, score_classification
from hemascope.evaluate.estimate import Estimate

DEFAULT_CHOICES = ("descriptors",)
"""What is measured where no encoder is named; several joined by ``+`` stand side by side."""

SHOWN = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll")


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return the figures of heads on every choice of encoders: learned on train, chosen on val, asked on a split."""
    root = needed_root(request)
    sets = open_answered_cells(root)
    asked = [of_split(one, request.split, request.limit) for one in sets]
    cells = EncodedCells(partial(named_encoder, build=parts.protocol_encoder), progress)
    measures, baselines = Measures(), Metrics()
    models: list[ModelIdentity] = []
    notes: dict[str, object] = {}
    for choice in request.encoders or DEFAULT_CHOICES:
        fitted = fit_choice(choice, cells, sets, PENALTIES)
        name = "+".join(encoder.name for encoder in fitted.encoders)
        models += [encoder.identity for encoder in fitted.encoders if encoder.identity not in models]
        notes[name] = {"validation_loss": round(fitted.loss, 6), "penalties": _penalties(fitted)}
        for one in (one for one in asked if one.records):
            _measure(measures, baselines, name, fitted, one, cells.values(choice, one.records))
    return Outcome(
        data={FULL: describe_set(FULL, root, ""), REDUCED: describe_set(REDUCED, root, "")},
        n={one.data_set: len(one.records) for one in asked},
        measures=measures,
        baselines={"most_frequent": baselines},
        models=tuple(models),
        notes={"heads": notes},
    )


def _penalties(fitted: FittedHeads) -> dict[str, float]:
    return {head.head.question.name: head.c for head in fitted.fitted}


def _measure(
    measures: Measures,
    baselines: Metrics,
    name: str,
    fitted: FittedHeads,
    cells: AnsweredCells,
    values: NDArray[np.float32],
) -> None:
    for question in (q for q in QUESTIONS if q.name in cells.answers):
        examples = examples_of(question, cells, values)
        if not len(examples.labels):
            continue
        probabilities = fitted.heads.probabilities(examples.values)[question.name]
        scores = score_classification(probabilities, examples.labels, groups_of(question, cells), question.values)
        key = f"{cells.data_set}.{name}.{question.name}"
        labeled = {"labeled": Estimate(len(examples.labels))}
        measures.add(key, labeled | {metric: scores.overall[metric] for metric in SHOWN})
        measures.add(key, _confusion(scores))
        baselines |= _most_frequent(key, examples.labels, question)


def _confusion(scores: ClassificationScores) -> dict[str, Estimate]:
    """Return how often each true value was told as each value."""
    return {
        f"{true}.told_as_{told}": Estimate(int(scores.confusion[row, column]))
        for row, true in enumerate(scores.classes)
        for column, told in enumerate(scores.classes)
        if scores.confusion[row].any()
    }


def _most_frequent(key: str, labels: np.ndarray[tuple[int, ...], np.dtype[np.intp]], question: Question) -> Metrics:
    """Return the accuracy and macro-F1 of always telling the value that is most frequent among the cells asked about.

    This knows the test cells' shares, so it is a hard baseline.
    """
    counts = np.bincount(labels, minlength=len(question.values))
    share = counts.max() / counts.sum()
    f1 = 2 * share / (1 + share) / (counts > 0).sum()
    return {f"{key}.accuracy": round(float(share), 6), f"{key}.macro_f1": round(float(f1), 6)}
