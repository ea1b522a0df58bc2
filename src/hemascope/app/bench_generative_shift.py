"""Protocol ``shift``: learned on PBC alone, asked about four other laboratories, generative beside discriminative."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fewshot import standardized
from hemascope.app.bench_record import Measures
from hemascope.app.generative_rows import fit_chosen
from hemascope.app.generative_task import Embedding, GenerativeTask, line_up, without_targets
from hemascope.app.target_cells import TARGETS, class_numbers, group_names
from hemascope.app.transfer_variants import PRIORS
from hemascope.classify.adapt import reweigh
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.core.ports import EmbeddingClassifier
from hemascope.evaluate.transfer import SourceAnswers, gained_recall, mean_recall, score_source, score_sources
from hemascope.stats.log_softmax import log_softmax

NETWORK = "network"
"""Row of a classifier's own logits: the discriminative model that the others are compared with."""

Told = dict[str, dict[str, SourceAnswers]]
"""``<embedding>.<row>.<prior>`` to target to answers."""


def measure(task: GenerativeTask, measures: Measures) -> dict[str, object]:
    """Add ``<target>.shift.<embedding>.<row>.<prior>.<metric>`` and the means over targets; return what was chosen.

    Only encoders that saw no image of a target take part. ``gain`` is over the network of the first encoder that has
    one, over the linear probe of the first where none has, under the same prior and on the same cells.
    """
    encoders = [encoder for encoder in task.encoders if without_targets(encoder)]
    told: Told = {}
    for encoder in encoders:
        logits = {name: task.answers(encoder, name).logits for name in TARGETS}
        own = {name: log_softmax(values) for name, values in logits.items() if values is not None}
        if own:
            told |= answers_under_priors(task, f"{encoder.name}.{NETWORK}", own)
    chosen: dict[str, object] = {}
    for embedding in line_up(encoders):
        rows, chosen[embedding.name] = _rows(task, embedding)
        for row, log_p in rows.items():
            told |= answers_under_priors(task, f"{embedding.name}.{row}", log_p)
    reference = reference_row(told)
    for row, by_target in told.items():
        add_row(measures, f"shift.{row}", by_target, told[f"{reference}.{row.rsplit('.', 1)[1]}"])
    return {"encoders": [encoder.name for encoder in encoders], "chosen": chosen, "reference": reference}


def answers_under_priors(task: GenerativeTask, row: str, log_p: Mapping[str, NDArray[np.float64]]) -> Told:
    """Return ``<row>.<prior>`` to target to the answers that log probabilities under equal shares give."""
    told: Told = {}
    for prior, weights in PRIORS.items():
        told[f"{row}.{prior}"] = {
            name: SourceAnswers(
                class_numbers(task.cells(name)),
                np.asarray(reweigh(values, weights).argmax(axis=1), np.intp),
                group_names(task.cells(name)),
            )
            for name, values in log_p.items()
        }
    return told


def reference_row(told: Told) -> str:
    """Return the row, without its prior, that gains are over: the first network, or else the first linear probe."""
    rows = [key.rsplit(".", 1)[0] for key in told]
    networks = [row for row in rows if row.endswith(f".{NETWORK}")]
    return (networks or [row for row in rows if row.endswith(".linear_probe")])[0]


def add_row(
    measures: Measures, row: str, told: Mapping[str, SourceAnswers], reference: Mapping[str, SourceAnswers]
) -> None:
    """Add mean recall and gain of one row: each target, and the mean of all."""
    for name, answers in told.items():
        measures.add(f"{name}.{row}", score_source(answers))
    measures.add(f"mean.{row}", {"mean_recall": score_sources(told), "gain": gained_recall(told, reference)})
    measures.metrics[f"mean.{row}.lowest"] = round(min(mean_recall(answers) for answers in told.values()), 6)


def _rows(
    task: GenerativeTask, embedding: Embedding
) -> tuple[dict[str, dict[str, NDArray[np.float64]]], dict[str, object]]:
    """Return row to target to log probabilities under equal shares of the types, and what validation chose."""
    train, validation = task.labeled(embedding, "train"), task.labeled(embedding, "val")
    targets = [task.values(embedding, name) for name in TARGETS]
    known, chosen_on, *asked = standardized(train.values, validation.values, *targets)
    fitted = fit_chosen(
        LabeledEmbeddings(known, train.labels, train.groups),
        LabeledEmbeddings(chosen_on, validation.labels, validation.groups),
    )
    return {row: _told(classifier, asked) for row, classifier in fitted.rows.items()}, fitted.chosen


def _told(classifier: EmbeddingClassifier, asked: list[NDArray[np.float32]]) -> dict[str, NDArray[np.float64]]:
    each = (log_softmax(classifier.logits(values)) for values in asked)
    return dict(zip(TARGETS, each, strict=True))
