"""Logits of an ensemble's members to probabilities that can be believed, and to numbers in their unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.stats.log_softmax import log_softmax

LIMITS = (0.05, 20.0)
"""Temperatures are sought within."""

LEAST = 1e-12
"""Probabilities are raised to this before their logarithm is taken."""


def mean_probabilities(task: BagTask, logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the mean of the members' probabilities.

    Parameters
    ----------
    task
        Of classes or markers.
    logits
        M x P x K.
    temperature
        Positive; logits are divided by it.

    Returns
    -------
    numpy.ndarray
        P x K; of classes each row sums to 1.
    """
    mean: NDArray[np.float64] = member_probabilities(task, logits, temperature).mean(axis=0)
    return mean


def member_probabilities(task: BagTask, logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Return M x P x K probabilities of each member; parameters as in ``mean_probabilities``."""
    scaled = np.asarray(logits, np.float64) / temperature
    return np.asarray(np.exp(log_softmax(scaled)) if task.kind is TaskKind.CLASSES else _sigmoid(scaled))


def fit_task_temperature(task: BagTask, logits: NDArray[np.floating], truth: NDArray[np.float64]) -> float:
    """Return the temperature at which the mean of the members' probabilities fits the truth best.

    The truth is taken to be a little uncertain, by one in two more than there are examples (Platt, Probabilistic
    outputs for support vector machines, 1999): where few patients were all told rightly, answers do not become certain.

    Parameters
    ----------
    task
        Of classes or markers.
    logits
        M x P x K of patients the members were not trained on.
    truth
        P x columns of the task, NaN where missing.

    Returns
    -------
    float
        Of least cross-entropy over what is known, within ``LIMITS``; 1 where nothing is known.
    """
    from scipy.optimize import minimize_scalar

    known = int((~np.isnan(truth)).sum())
    if not known:
        return 1.0
    wanted = _soft_truth(task, truth, 1 / (known + 2))

    def cost(log_temperature: float) -> float:
        told = mean_probabilities(task, logits, float(np.exp(log_temperature)))
        if task.kind is TaskKind.MARKERS:
            told = np.stack([1 - told, told], axis=-1)
        return float(-(wanted * np.log(np.maximum(told, LEAST))).sum() / known)

    found = minimize_scalar(cost, bounds=(np.log(LIMITS[0]), np.log(LIMITS[1])), method="bounded")
    return float(np.exp(found.x))


def _soft_truth(task: BagTask, truth: NDArray[np.float64], doubt: float) -> NDArray[np.float64]:
    """Return wanted probabilities, 0 where nothing is known: P x K; of markers P x K x 2, absent and present."""
    asked = truth[:, 0] if task.kind is TaskKind.CLASSES else truth
    values = len(task.outputs) if task.kind is TaskKind.CLASSES else 2
    is_true = asked[..., None] == np.arange(values)
    soft = np.where(is_true, 1 - doubt, doubt / (values - 1))
    return np.where(np.isnan(asked)[..., None], 0.0, soft)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-x)), written such that no exponential overflows."""
    told: NDArray[np.float64] = 0.5 * (1 + np.tanh(values / 2))
    return told
