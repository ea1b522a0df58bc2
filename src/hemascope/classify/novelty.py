"""How likely a cell is of a type that nobody taught: several pieces of evidence, joined by what known types teach.

One number does not tell every new type. What lies far from all classes is told by its distance; what lies between two
of them, as maturing cells do, is near enough to both and is told by doubt. How much each piece of evidence counts is
learned without a single cell of the new type: each known class is left out in turn, and its cells play the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.class_space import EVIDENCE as SPACE_EVIDENCE
from hemascope.classify.class_space import FEATURES, ClassSpace, fit_class_space
from hemascope.classify.examples import LabeledEmbeddings
from hemascope.classify.linear_probe import fit_linear_probe
from hemascope.core.errors import DataSetError

EVIDENCE = (*SPACE_EVIDENCE, "energy")
"""What speaks for a cell being new: where it lies (see ``ClassSpace.evidence``), and the ``energy`` of a linear probe,
the negative log of the sum of its exponentials (Liu et al., NeurIPS 2020)."""

PROBE_PENALTY = 0.1
"""C of the probe whose energy is evidence."""

PENALTY = 0.1
"""Inverse strength of the penalty on the weights; chosen by leaving known classes of PBC out."""

LEAST_CLASSES = 4
"""Of fewer, too few are left when one plays the new type."""


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceWeights:
    """How the pieces of evidence are joined; they hold in any space, since evidence is counted in its own spread.

    Attributes
    ----------
    weights
        F float64, in the order of ``EVIDENCE``.
    intercept
        At 0 a cell is as likely new as known, were both equally many.
    """

    weights: NDArray[np.float64]
    intercept: float


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of the classes: where they lie, and what tells them apart.

    Attributes
    ----------
    space
        Where they lie.
    probe_weights, probe_intercepts
        D x K and K, of a linear probe.
    """

    space: ClassSpace
    probe_weights: NDArray[np.float64]
    probe_intercepts: NDArray[np.float64]

    def evidence(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x F numbers for N x D embeddings, in the order of ``EVIDENCE``."""
        logits = embeddings.astype(np.float64) @ self.probe_weights + self.probe_intercepts
        energy = -np.logaddexp.reduce(logits, axis=1)
        return np.concatenate([self.space.evidence(embeddings), energy[:, None]], axis=1)


def fit_known(train: LabeledEmbeddings, features: int) -> Known:
    """Return what is known of the classes that occur in the training cells."""
    names, places = np.unique(train.labels, return_inverse=True)
    probe = fit_linear_probe(train.values, places, [str(name) for name in names], c=PROBE_PENALTY)
    space = fit_class_space(train.values, train.labels, features=features)
    return Known(space, np.asarray(probe.weights, np.float64), np.asarray(probe.intercepts, np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class NoveltyScore:
    """The joined score, as fitted; an ``AnomalyScore``.

    Attributes
    ----------
    known
        The known classes.
    middle, spread
        F each: median and interquartile range of the evidence of validation cells of known classes.
    joined
        How it is joined.
    """

    known: Known
    middle: NDArray[np.float64]
    spread: NDArray[np.float64]
    joined: EvidenceWeights

    def scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N log odds that a cell is new; the greater, the less like anything known."""
        scores: NDArray[np.float64] = self.evidence(embeddings) @ self.joined.weights + self.joined.intercept
        return scores

    def evidence(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x F pieces of evidence, 0 for the median known cell; far out their logarithms count."""
        return _standard(self.known.evidence(embeddings), self.middle, self.spread)

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """Return everything as arrays by name; ``novelty_from`` reads them."""
        space = {f"space.{field.name}": getattr(self.known.space, field.name) for field in fields(ClassSpace)}
        probe = {"probe.weights": self.known.probe_weights, "probe.intercepts": self.known.probe_intercepts}
        intercept = np.array([self.joined.intercept])
        own = {"middle": self.middle, "spread": self.spread, "weights": self.joined.weights, "intercept": intercept}
        return space | probe | own


def novelty_from(tensors: Mapping[str, NDArray[np.floating]]) -> NoveltyScore:
    """Return what ``NoveltyScore.tensors`` wrote; raise ``ValueError`` where an array is missing."""
    names = [f"space.{field.name}" for field in fields(ClassSpace)]
    probe = ("probe.weights", "probe.intercepts")
    missing = [name for name in (*names, *probe, "middle", "spread", "weights", "intercept") if name not in tensors]
    if missing:
        raise ValueError(f"these arrays are no score of novelty: {', '.join(missing)} are missing")
    values = {name: np.asarray(array, np.float64) for name, array in tensors.items()}
    joined = EvidenceWeights(values["weights"], float(values["intercept"][0]))
    known = Known(ClassSpace(*(values[name] for name in names)), *(values[name] for name in probe))
    return NoveltyScore(known, values["middle"], values["spread"], joined)


def fit_novelty(
    train: LabeledEmbeddings,
    validation: LabeledEmbeddings,
    joined: EvidenceWeights | None = None,
    *,
    features: int = FEATURES,
) -> NoveltyScore:
    """Return the score for the classes that occur in the training cells.

    Parameters
    ----------
    train
        Cells of known classes, at least ``LEAST_CLASSES`` of them.
    validation
        Other cells of the same classes: they say how far evidence spreads among what is known.
    joined
        Weights learned elsewhere; None for ``learn_weights`` of these very cells. An encoder that was taught the known
        classes has learned to tell the very ones that play the new type, so its evidence looks better than it is: take
        the weights of an encoder that was taught nothing.
    features
        Random features of the class space; see ``fit_class_space``.

    Raises
    ------
    ValueError
        If a value is not finite.
    DataSetError
        If there are too few classes, or validation has a class that training has not, or no cell at all.
    """
    _check(train, validation)
    known = fit_known(train, features)
    middle, spread = _spread(known.evidence(validation.values))
    return NoveltyScore(known, middle, spread, joined or learn_weights(train, validation, features=features))


def learn_weights(
    train: LabeledEmbeddings, validation: LabeledEmbeddings, *, features: int = FEATURES
) -> EvidenceWeights:
    """Return weights by which evidence tells cells of each known class, left out in turn, from validation cells.

    In each turn space and spread are fitted without the class. A logistic regression over all turns follows, in which
    each turn counts alike, and its new cells as much as its known ones.

    Parameters
    ----------
    train, validation, features
        As for ``fit_novelty``, which raises the same errors.
    """
    _check(train, validation)
    found, marks, weights = [], [], []
    for pretended in np.unique(train.labels):
        known, new = _turn(train, validation, int(pretended), features)
        found += [known, new]
        marks += [np.zeros(len(known), np.intp), np.ones(len(new), np.intp)]
        weights += [np.full(len(rows), 1 / len(rows)) for rows in (known, new)]
    balanced = np.concatenate(weights)
    probe = fit_linear_probe(
        np.concatenate(found),
        np.concatenate(marks),
        ("known", "new"),
        c=PENALTY,
        sample_weights=balanced / balanced.mean(),
    )
    differences = probe.weights[:, 1] - probe.weights[:, 0]
    return EvidenceWeights(np.asarray(differences, np.float64), float(probe.intercepts[1] - probe.intercepts[0]))


def _turn(
    train: LabeledEmbeddings, validation: LabeledEmbeddings, pretended: int, features: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the evidence of validation cells of the other classes, and of all cells of the one that plays new."""
    others, rest = train.labels != pretended, validation.labels != pretended
    known = fit_known(LabeledEmbeddings(train.values[others], train.labels[others], train.groups[others]), features)
    found = known.evidence(validation.values[rest])
    middle, spread = _spread(found)
    new = np.concatenate([train.values[~others], validation.values[~rest]])
    return _standard(found, middle, spread), _standard(known.evidence(new), middle, spread)


def _spread(evidence: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the median and the interquartile range of each piece of evidence."""
    low, middle, high = np.quantile(evidence, [0.25, 0.5, 0.75], axis=0)
    return middle, np.maximum(high - low, 1e-12)


def _standard(
    evidence: NDArray[np.float64], middle: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(np.arcsinh((evidence - middle) / spread), np.float64)


def _check(train: LabeledEmbeddings, validation: LabeledEmbeddings) -> None:
    classes = np.unique(train.labels)
    if len(classes) < LEAST_CLASSES:
        raise DataSetError(f"novelty is learned from at least {LEAST_CLASSES} known classes, not {len(classes)}")
    absent = np.setdiff1d(classes, validation.labels)
    strange = np.setdiff1d(validation.labels, classes)
    if len(absent) or len(strange):
        raise DataSetError(
            f"training and validation cells must be of the same classes; {len(absent)} have no validation cell, "
            f"{len(strange)} no training cell"
        )
