"""Protocol ``in-domain``: the eight types of PBC with all labels, generative beside discriminative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fewshot import standardized
from hemascope.app.bench_record import Measures
from hemascope.app.embedding_decider import EmbeddingDecider
from hemascope.app.generative_rows import CLASSES, Fitted, fit_chosen
from hemascope.app.generative_task import DESCRIPTORS, Embedding, GenerativeTask
from hemascope.app.protocol_encoder import bare_encoder
from hemascope.app.target_cells import PBC
from hemascope.classify.calibrated import CalibratedClassifier, GivenLogits, calibrate
from hemascope.classify.diffusion.answers import DiffusionAnswers
from hemascope.classify.diffusion.budget import BothAnswers, BudgetPoint, budget_curve
from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.zeta import zeta
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.core.errors import InputError, WeightsError
from hemascope.core.ports import EmbeddingClassifier
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.evaluate.selective import JudgedAnswers, judged_from_logits, paired_gain, score_judged
from hemascope.stats.ranking import auroc_statistic
from hemascope.stats.temperature import fit_temperature
from hemascope.zoo.contamination import Seen
from hemascope.zoo.shipped import CELL_CLASSIFIER, shipped_folder

NETWORK = "network"
"""Row of the shipped classifier's own logits, second opinion included: our best discriminative model."""

MAHALANOBIS = "mahalanobis"
"""Row of the Gaussian's answers with the distance from the nearest center as confidence."""

LEARNED = "learned_denoiser"
"""Row of the shipped denoiser of embeddings."""

CASCADE_SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Budgets of the cascade, as shares of what the denoiser takes for all cells."""


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
    shipped = task.encoder(str(shipped_folder(CELL_CLASSIFIER)))
    described = next(encoder for encoder in task.encoders if encoder.name == DESCRIPTORS)
    found = InDomain()
    network = network_answers(task, shipped.name, Embedding((shipped,)))
    _add(found, measures, f"{shipped.name}.{NETWORK}", network, network[1])
    learned = shipped_decider(task)
    alone = [Embedding((shipped,)), *([learned[0]] if learned else [])]
    beside = [Embedding((*embedding.encoders, described)) for embedding in alone]
    for embedding in (*alone, *beside):
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
    if learned is not None:
        _add_learned(task, found, measures, learned, network)
    return found


def shipped_decider(task: GenerativeTask) -> tuple[Embedding, EmbeddingDecider] | None:
    """Return the shipped denoiser of embeddings with what it stands on; None where none ships."""
    try:
        decider = task.parts.embedding_decider()
    except (InputError, WeightsError):
        return None
    encoders = (
        replace(bare_encoder(encoder), labels_seen=_unknown, images_seen=_unknown) for encoder in decider.encoders
    )
    return Embedding(tuple(encoders)), decider


def _unknown(_: str) -> Seen:
    return Seen.UNKNOWN


def _add_learned(
    task: GenerativeTask,
    found: InDomain,
    measures: Measures,
    learned: tuple[Embedding, EmbeddingDecider],
    network: tuple[JudgedAnswers, JudgedAnswers],
) -> None:
    """Add the shipped denoiser, its learned part included, alone and behind the network."""
    embedding, decider = learned
    row = f"{embedding.name}.{LEARNED}"
    cells = [task.labeled(embedding, place) for place in ("val", "test")]
    answers = [in_order(decider.decide(part.values), decider.classifier.classes) for part in cells]
    temperature = fit_temperature(answers[0].logits, cells[0].labels)
    logits = [part.logits / temperature for part in answers]
    pair = [judged_from_logits(z, part.labels, part.groups) for z, part in zip(logits, cells, strict=True)]
    _add(found, measures, row, (pair[0], pair[1]), network[1])
    measures.add(_key(row), zeta_areas(answers[1], cells[1].labels, cells[1].groups))
    measures.add(_key(row), {"passes": Estimate(float(answers[1].passes.mean()))})
    both = [
        BothAnswers(log_of(first.probabilities), z, part.passes, first.labels)
        for first, z, part in zip(network, logits, answers, strict=True)
    ]
    budgets = [float(share * answers[0].passes.mean()) for share in CASCADE_SHARES]
    for share, point in zip(CASCADE_SHARES, budget_curve(both[0], both[1], budgets), strict=True):
        measures.add(_key(f"cascade.{share:g}"), cascade_figures(point))


def cascade_figures(point: BudgetPoint) -> dict[str, Estimate]:
    """Return what a cascade costs and gives at one budget."""
    return {
        "passes": Estimate(point.passes),
        "passed_on": Estimate(point.passed_on),
        "accuracy": Estimate(point.accuracy),
        "balanced_accuracy": Estimate(point.balanced_accuracy),
    }


def in_order(answers: DiffusionAnswers, classes: Sequence[str]) -> DiffusionAnswers:
    """Return the answers of a denoiser with its classes in the order of ``CLASSES``."""
    order = [list(classes).index(name) for name in CLASSES]
    return DiffusionAnswers(
        errors=answers.errors[:, order],
        means=answers.means[:, order],
        logits=answers.logits[:, order],
        told=np.asarray(np.argsort(order)[answers.told], np.intp),
        alive=answers.alive[:, order],
        passes=answers.passes,
        trials=answers.trials,
    )


def log_of(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logarithms, those of 0 held at -27."""
    return np.asarray(np.log(np.maximum(probabilities, 1e-12)), np.float64)


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
    return zeta_areas(base.answer(prepare(cells.values)), cells.labels, cells.groups)


def zeta_areas(answers: DiffusionAnswers, labels: NDArray[np.intp], groups: NDArray[np.str_]) -> dict[str, Estimate]:
    """Return the correct-versus-wrong area of zeta, as published and corrected."""
    right = answers.told == labels
    return {
        f"zeta_{name}_auc": Estimate.resampled(groups, auroc_statistic(score, right))
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
