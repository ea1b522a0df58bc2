"""One temperature for all logits (Guo et al., On calibration of modern neural networks, ICML 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def negative_log_likelihood(logits: NDArray[np.floating], labels: NDArray[np.integer], temperature: float) -> float:
    """Return the mean negative log-likelihood of the labels.

    Parameters
    ----------
    logits
        N x classes.
    labels
        N indexes of classes.
    temperature
        Positive; logits are divided by it.
    """
    scaled = logits.astype(np.float64) / temperature
    peak = scaled.max(axis=1)
    log_total = peak + np.log(np.exp(scaled - peak[:, None]).sum(axis=1))
    return float(np.mean(log_total - scaled[np.arange(len(labels)), labels]))


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the temperature of least negative log-likelihood, within 0.05 to 20.

    Raises
    ------
    ValueError
        If there are no logits to fit on.
    """
    from scipy.optimize import minimize_scalar

    if len(logits) == 0:
        raise ValueError("a temperature needs at least one labeled example")
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(logits, labels, float(np.exp(log_t))),
        bounds=(np.log(0.05), np.log(20.0)),
        method="bounded",
    )
    return float(np.exp(found.x))


def fit_likelihood_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the temperature of least negative log-likelihood for log likelihoods over many numbers.

    They are far larger than logits, so it is sought within 0.05 to 20 times their own size: the median over examples
    of the difference between greatest and mean.

    Raises
    ------
    ValueError
        If there are no logits to fit on.
    """
    size = float(np.median(logits.max(axis=1) - logits.mean(axis=1))) if len(logits) else 1.0
    unit = max(1.0, size / 10)
    return unit * fit_temperature(logits / unit, labels)
