"""Protocol ``shift``: learned on PBC alone, asked about four other laboratories, generative beside discriminative."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fewshot import standardized
from hemascope.app.bench_record import Measures
from hemascope.app.generative_rows import fit_chosen
from hemascope.app.generative_shift_looks import answers_by_looks
from hemascope.app.generative_task import DESCRIPTORS, Embedding, GenerativeTask, line_up, of_all_types, without_targets
from hemascope.app.target_cells import TARGETS, class_numbers, group_names
from hemascope.app.transfer_variants import PRIORS
from hemascope.classify.adapt import reweigh
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.core.ports import EmbeddingClassifier
from hemascope.evaluate.transfer import SourceAnswers, gained_recall, mean_recall, score_source, score_sources
from hemascope.stats.log_softmax import log_softmax

PENALTY = 0.01
"""C of the linear probe, as in the protocol ``transfer``."""

NETWORK = "network"
"""Row of a classifier's own logits: the discriminative model that the others are compared with."""

ADAPTED = "_adapted"
"""At the end of rows that looked at all cells of a target together, without labels."""

Told = dict[str, dict[str, SourceAnswers]]
"""``<embedding>.<row>.<prior>`` to target to answers."""


def measure(task: GenerativeTask, measures: Measures) -> dict[str, object]:
    """Add ``<target>.shift.<embedding>.<row>.<prior>.<metric>`` and the means over targets; return what was chosen.

    Only encoders that saw no image of a target take part: the descriptors and those with logits of their own, or all
    where none has any. ``gain`` is over the network of the first that has one, or else the linear probe of the first,
    under the same prior and on the same cells; that of an adapted row is over the adapted network.
    """
    encoders = [encoder for encoder in task.encoders if without_targets(encoder) and of_all_types(encoder)]
    told: Told = {}
    chosen: dict[str, object] = {}
    networks = []
    for encoder in encoders:
        logits = {name: task.answers(encoder, name).logits for name in TARGETS}
        own = {name: log_softmax(values) for name, values in logits.items() if values is not None}
        if own:
            told |= answers_under_priors(task, f"{encoder.name}.{NETWORK}", own)
            by_looks, chosen[f"{encoder.name}.looks"] = answers_by_looks(task, encoder)
            told |= {f"{encoder.name}.{row}": answers for row, answers in by_looks.items()}
            networks.append(encoder)
    beside = [encoder for encoder in encoders if not networks or encoder.name == DESCRIPTORS]
    for embedding in line_up([*beside, *networks]):
        rows, chosen[embedding.name] = _rows(task, embedding)
        for row, log_p in rows.items():
            told |= answers_under_priors(task, f"{embedding.name}.{row}", log_p)
    reference = reference_row(told)
    for row, by_target in told.items():
        add_row(measures, f"shift.{row}", by_target, told[compared_with(row, reference)])
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


def compared_with(row: str, reference: str) -> str:
    """Return the row that a row's gain is over: the reference under the same prior, adapted if the row is."""
    name, prior = row.rsplit(".", 1)
    return f"{reference}{ADAPTED}.{prior}" if name.endswith(ADAPTED) else f"{reference}.{prior}"


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
        PENALTY,
    )
    return {row: _told(classifier, asked) for row, classifier in fitted.rows.items()}, fitted.chosen


def _told(classifier: EmbeddingClassifier, asked: list[NDArray[np.float32]]) -> dict[str, NDArray[np.float64]]:
    each = (log_softmax(classifier.logits(values)) for values in asked)
    return dict(zip(TARGETS, each, strict=True))
