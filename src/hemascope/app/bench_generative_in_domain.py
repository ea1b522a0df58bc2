"""Protocol ``in-domain``: the eight types of PBC with all labels, generative beside discriminative."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fewshot import standardized
from hemascope.app.bench_record import Measures
from hemascope.app.generative_rows import CLASSES, Fitted, fit_chosen
from hemascope.app.generative_task import DESCRIPTORS, Embedding, GenerativeTask
from hemascope.app.target_cells import PBC
from hemascope.classify.calibrated import CalibratedClassifier, GivenLogits, calibrate
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.zeta import zeta
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.core.ports import EmbeddingClassifier
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.evaluate.selective import JudgedAnswers, judged_from_logits, paired_gain, score_judged
from hemascope.evaluate.subject_pairs import auroc_statistic
from hemascope.zoo.shipped import CELL_CLASSIFIER, shipped_folder

NETWORK = "network"
"""Row of the shipped classifier's own logits, second opinion included: our best discriminative model."""

MAHALANOBIS = "mahalanobis"
"""Row of the Gaussian's answers with the distance from the nearest center as confidence."""


@dataclass(slots=True)
class InDomain:
    """What the protocol found, for tables and plots.

    Attributes
    ----------
    answers
        ``<embedding>.<row>`` to the answers to the test cells.
    chosen
        Embedding to what validation chose.
    """

    answers: dict[str, JudgedAnswers] = field(default_factory=dict)
    chosen: dict[str, object] = field(default_factory=dict)


def measure(task: GenerativeTask, measures: Measures) -> InDomain:
    """Add ``pbc_acevedo_128.in_domain.<embedding>.<row>.<metric>``; return the answers.

    Fitted on the train split, chosen and calibrated on validation, measured on test. ``gain`` is in balanced accuracy
    over the network, cell by cell.
    """
    shipped = task.parts.protocol_encoder(str(shipped_folder(CELL_CLASSIFIER)))
    described = next(encoder for encoder in task.encoders if encoder.name == DESCRIPTORS)
    found = InDomain()
    network = network_answers(task, shipped.name, Embedding((shipped,)))
    _add(found, measures, f"{shipped.name}.{NETWORK}", network, network[1])
    for embedding in (Embedding((shipped,)), Embedding((shipped, described))):
        train, validation, test = prepared(task, embedding)
        fitted = fit_chosen(train, validation)
        found.chosen[embedding.name] = fitted.chosen
        for row, classifier in fitted.rows.items():
            task.progress(f"{embedding.name}: {row}", 0, 1)
            pair = (judged(classifier, validation), judged(classifier, test))
            _add(found, measures, f"{embedding.name}.{row}", pair, network[1])
            measures.add(_key(f"{embedding.name}.{row}"), zeta_figures(classifier, test))
        pair = (by_distance(fitted, validation), by_distance(fitted, test))
        _add(found, measures, f"{embedding.name}.{MAHALANOBIS}", pair, network[1])
    return found


def network_answers(task: GenerativeTask, name: str, embedding: Embedding) -> tuple[JudgedAnswers, JudgedAnswers]:
    """Return a classifier's own answers to validation and test cells, its temperature fitted on validation.

    Raises
    ------
    ValueError
        If the encoder has no logits of its own.
    """
    validation, test = task.labeled(embedding, "val"), task.labeled(embedding, "test")
    known, asked = (task.answers(embedding.encoders[0], place).logits for place in ("val", "test"))
    if known is None or asked is None:
        raise ValueError(f"{name} has no logits of its own")
    head = calibrate(GivenLogits(CLASSES), known, validation.labels)
    return (
        judged_from_logits(head.logits(known), validation.labels, validation.groups),
        judged_from_logits(head.logits(asked), test.labels, test.groups),
    )


def prepared(
    task: GenerativeTask, embedding: Embedding
) -> tuple[LabeledEmbeddings, LabeledEmbeddings, LabeledEmbeddings]:
    """Return the cells of the three splits, standardized by the training cells."""
    cells = [task.labeled(embedding, place) for place in ("train", "val", "test")]
    check_disjoint_groups(cells[0].groups, cells[2].groups)
    values = standardized(*(part.values for part in cells))
    train, validation, test = (
        LabeledEmbeddings(v, part.labels, part.groups) for v, part in zip(values, cells, strict=True)
    )
    return train, validation, test


def judged(classifier: EmbeddingClassifier, cells: LabeledEmbeddings) -> JudgedAnswers:
    """Return a calibrated classifier's answers to cells."""
    return judged_from_logits(classifier.logits(cells.values), cells.labels, cells.groups)


def by_distance(fitted: Fitted, cells: LabeledEmbeddings) -> JudgedAnswers:
    """Return the Gaussian's answers with minus the Mahalanobis distance as confidence."""
    answers = judged(fitted.rows["gaussian"], cells)
    distance: NDArray[np.float64] = fitted.gaussian.scores(cells.values)
    return JudgedAnswers(answers.probabilities, answers.labels, answers.groups, -distance)


def zeta_figures(classifier: EmbeddingClassifier, cells: LabeledEmbeddings) -> dict[str, Estimate]:
    """Return the correct-versus-wrong area of zeta, as published and corrected; empty where nothing is diffused."""
    base = classifier.base if isinstance(classifier, CalibratedClassifier) else classifier
    if not isinstance(base, DiffusionClassifier):
        return {}
    prepare = base.prepare or (lambda values: values)
    answers = base.answer(prepare(cells.values))
    right = answers.told == cells.labels
    return {
        f"zeta_{name}_auc": Estimate.resampled(cells.groups, auroc_statistic(score, right))
        for name, score in (
            ("published", zeta(answers.errors, corrected=False)),
            ("corrected", zeta(answers.errors)),
        )
    }


def _add(
    found: InDomain,
    measures: Measures,
    row: str,
    pair: tuple[JudgedAnswers, JudgedAnswers],
    network: JudgedAnswers,
) -> None:
    validation, test = pair
    measures.add(_key(row), score_judged(test, validation, CLASSES))
    told, theirs = test.probabilities.argmax(axis=1), network.probabilities.argmax(axis=1)
    measures.add(_key(row), {"gain": paired_gain(told, theirs, test.labels, test.groups)})
    found.answers[row] = test


def _key(row: str) -> str:
    return f"{PBC}.in_domain.{row}"
