"""The best that can be known: the probability of labels, and of a cell being informative, given all cells of a patient.

With profile g, cells x_j are independent draws from the mixture sum_k pi_gk N(x; c_k, 1); so

    P(labels | cells)  is proportional to  sum_g joint[labels, g] prod_j sum_k pi_gk N(x_j; c_k, 1).

Nuisance is independent of labels and profile and cancels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.synth.cohort.draw import DrawnPatients
from hemascope.synth.cohort.truth import CohortTruth

_PATIENTS = 4
"""Handled together: their cells times the profiles should stay in the cache."""

_NEGLIGIBLE = 1e-9
"""Profiles less probable than this for a patient do not say which of the cells are informative."""


@dataclass(frozen=True, slots=True, eq=False)
class BestAnswers:
    """What an observer who knows the law says of drawn patients.

    Attributes
    ----------
    labels
        P x L probabilities of the combinations of labels.
    informative
        T probabilities that a cell is of an informative state.
    """

    labels: NDArray[np.float64]
    informative: NDArray[np.float64]


def best_answers(truth: CohortTruth, drawn: DrawnPatients) -> BestAnswers:
    """Return the exact posterior of drawn patients."""
    starts, compositions = drawn.bags.starts, truth.compositions.astype(np.float32)
    with np.errstate(divide="ignore"):
        log_joint, log_prior = np.log(truth.joint), np.log(truth.joint.sum(axis=0))
    labels, informative = [], []
    for first in range(0, len(drawn.bags), _PATIENTS):
        last = min(first + _PATIENTS, len(drawn.bags))
        densities = _densities(truth, drawn.places[starts[first] : starts[last]])
        limits = starts[first : last + 1] - starts[first]
        mixed = densities @ compositions.T
        logs = np.add.reduceat(np.log(mixed, out=mixed), limits[:-1], axis=0).astype(np.float64)
        labels.append(_posterior(logs[:, None] + log_joint).sum(axis=2))
        for row, profiles in enumerate(_posterior((logs + log_prior)[:, None]).squeeze(1)):
            own = densities[limits[row] : limits[row + 1]]
            informative.append(_informative(truth, own, profiles))
    return BestAnswers(np.concatenate(labels), np.concatenate(informative))


def _informative(
    truth: CohortTruth, densities: NDArray[np.float32], profiles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return for each cell of a patient the probability that it is informative, from G probabilities of profiles."""
    possible = profiles > _NEGLIGIBLE
    compositions = truth.compositions[possible]
    carried = densities @ (compositions * truth.states.informative).T
    return np.asarray(carried / (densities @ compositions.T) @ profiles[possible], np.float64)


def marker_probabilities(truth: CohortTruth, labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P x M probabilities of markers from P x L probabilities of their combinations.

    ``labels`` of the law must hold 0 and 1 alone.
    """
    return labels @ truth.labels


def class_probabilities(truth: CohortTruth, labels: NDArray[np.float64], column: int = 0) -> NDArray[np.float64]:
    """Return P x K probabilities of classes from P x L probabilities of combinations.

    Parameters
    ----------
    column
        Of ``truth.labels``, holding class numbers.
    """
    numbers = truth.labels[:, column].astype(np.intp)
    return labels @ np.eye(numbers.max() + 1)[numbers]


def best_numbers(truth: CohortTruth, labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P expected numbers given the cells; raise ``ValueError`` where the law has none."""
    if truth.number_means is None:
        raise ValueError(f"{truth.name} has no number")
    return labels @ truth.number_means


def share_informative(truth: CohortTruth) -> float:
    """Return the expected share of informative cells."""
    return float(truth.joint.sum(axis=0) @ truth.carried)


def _densities(truth: CohortTruth, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return T x K densities of each state, up to a factor a cell."""
    centers = truth.states.centers.astype(np.float32)
    logs = places @ centers.T - (centers**2).sum(axis=1) / 2
    return np.asarray(np.exp(np.maximum(logs - logs.max(axis=1, keepdims=True), -60)), np.float32)


def _posterior(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P x L x G probabilities from their logarithms up to a constant a patient."""
    weights = np.exp(logs - logs.max(axis=(1, 2), keepdims=True))
    return np.asarray(weights / weights.sum(axis=(1, 2), keepdims=True), np.float64)
