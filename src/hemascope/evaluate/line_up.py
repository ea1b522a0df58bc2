"""The classifiers that are compared on one encoder's embeddings, each with its choices made on validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from hemascope.classify.examples import LabeledEmbeddings
from hemascope.classify.gaussian import fit_shared_gaussian
from hemascope.classify.knn import Metric, fit_knn
from hemascope.classify.linear_probe import dino_penalty, fit_linear_probe
from hemascope.core.ports import EmbeddingClassifier
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.stats.temperature import fit_temperature, negative_log_likelihood

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
"""C of the linear probe, from the strongest penalty on, beside that of the DINO evaluation."""

NEIGHBORS = (1, 5, 10, 20, 50)
METRICS: tuple[Metric, ...] = ("cosine", "euclidean")
SHRINKAGES = (0.01, 0.03, 0.1, 0.3, 0.6)

Fit = Callable[[LabeledEmbeddings, LabeledEmbeddings, Sequence[str], int], EmbeddingClassifier]
"""Training cells, validation cells, names of the classes and a seed to a fitted classifier; not calibrated."""


def fit_classifier(
    name: str, train: LabeledEmbeddings, validation: LabeledEmbeddings, classes: Sequence[str], seed: int = 0
) -> EmbeddingClassifier:
    """Return a classifier of the line-up, fitted on training cells and chosen on validation cells.

    Parameters
    ----------
    name
        A key of ``CLASSIFIERS``.
    train, validation
        Cells with groups; every class occurs in ``train``.
    classes
        K names.
    seed
        Of what is drawn at random; none of those here draws anything.

    Raises
    ------
    ValueError
        If there is none of that name, or shapes disagree.
    DataSetError
        If a class has no example, or a group sits in training and in validation.
    """
    if name not in CLASSIFIERS:
        raise ValueError(f"there is no classifier '{name}'; choose one of {', '.join(CLASSIFIERS)}")
    check_disjoint_groups(train.groups, validation.groups, test="validation")
    return CLASSIFIERS[name](train, validation, classes, seed)


def validation_loss(classifier: EmbeddingClassifier, validation: LabeledEmbeddings) -> float:
    """Return the mean negative log-likelihood in nats at the best temperature: what the choices are made by.

    At the best temperature, so that a choice is not made for how sure a classifier is, which calibration sets after.
    """
    logits = classifier.logits(validation.values)
    return negative_log_likelihood(logits, validation.labels, fit_temperature(logits, validation.labels))


def _linear_probe(
    train: LabeledEmbeddings, validation: LabeledEmbeddings, classes: Sequence[str], seed: int
) -> EmbeddingClassifier:
    fitted, start = [], None
    for c in sorted({*PENALTIES, dino_penalty(train.values.shape[1], len(classes))}):
        start = fit_linear_probe(train.values, train.labels, classes, c=c, start=start)
        fitted.append(start)
    return min(fitted, key=lambda probe: validation_loss(probe, validation))


def _gaussian(
    train: LabeledEmbeddings, validation: LabeledEmbeddings, classes: Sequence[str], seed: int
) -> EmbeddingClassifier:
    fitted = [fit_shared_gaussian(train.values, train.labels, classes, shrinkage=share) for share in SHRINKAGES]
    return min(fitted, key=lambda gaussian: validation_loss(gaussian, validation))


def _neighbors(
    train: LabeledEmbeddings,
    validation: LabeledEmbeddings,
    classes: Sequence[str],
    seed: int,
    ks: Sequence[int] = NEIGHBORS,
    metrics: Sequence[Metric] = METRICS,
) -> EmbeddingClassifier:
    fitted = [fit_knn(train.values, train.labels, classes, k=k, metric=metric) for metric in metrics for k in ks]
    if len(fitted) == 1:
        return fitted[0]
    return min(fitted, key=lambda neighbors: validation_loss(neighbors, validation))


CLASSIFIERS: Mapping[str, Fit] = {
    "linear_probe": _linear_probe,
    "knn_1": partial(_neighbors, ks=(1,), metrics=("cosine",)),
    "knn_20": partial(_neighbors, ks=(20,), metrics=("cosine",)),
    "knn": _neighbors,
    "gaussian": _gaussian,
}
"""Name to what fits it; see ``fit_classifier``, which guards the groups."""
