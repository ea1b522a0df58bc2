"""Probabilities under another prior than the one they were calibrated for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def under_prior(
    probabilities: NDArray[np.float64], trained: NDArray[np.float64], prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return p'(c | x) proportional to p(c | x) prior(c) / trained(c).

    Holds where only the shares of the classes differ, not how each looks (Saerens et al., Neural Computation 2002).

    Parameters
    ----------
    probabilities
        N x types, each row sums to 1.
    trained, prior
        Shares of the types, positive.

    Raises
    ------
    ValueError
        If a share is not positive.
    """
    if (trained <= 0).any() or (prior <= 0).any():
        raise ValueError("every type needs a positive share in both priors")
    weighted = probabilities * (prior / trained)
    adjusted: NDArray[np.float64] = weighted / weighted.sum(axis=-1, keepdims=True)
    return adjusted


def estimate_prior(
    probabilities: NDArray[np.float64],
    trained: NDArray[np.float64],
    *,
    prior_count: float = 1.0,
    max_iterations: int = 500,
    tolerance: float = 1e-7,
) -> NDArray[np.float64]:
    """Return the shares of the types among cells without labels, by expectation maximization.

    It repeats two steps: probabilities under the shares, then shares as their means (Saerens, Latinne, Decaestecker,
    Neural Computation 2002;14:21). It holds where only the shares differ from those of training, not how each type
    looks; on cells that look different it can run far off.

    Parameters
    ----------
    probabilities
        N x types, each row sums to 1, under ``trained``.
    trained
        Shares that the probabilities hold under, positive.
    prior_count
        Cells of each type that are added to those seen, 0 or more (a Dirichlet prior): with few cells shares of 0 or 1
        would be jumped at.
    max_iterations, tolerance
        It stops after so many steps, or where no share changes by more.

    Returns
    -------
    Shares, positive where ``prior_count`` is, of sum 1.

    Raises
    ------
    ValueError
        If there are no cells, a share in ``trained`` is not positive, or ``prior_count`` is negative.
    """
    if not len(probabilities) or prior_count < 0:
        raise ValueError(f"need cells and a count of 0 or more, not {len(probabilities)} cells and {prior_count}")
    if (trained <= 0).any():
        raise ValueError("every type needs a positive share in training")
    shares: NDArray[np.float64] = trained / trained.sum()
    for _ in range(max_iterations):
        weighted = probabilities * (shares / trained)
        counts = (weighted / weighted.sum(axis=1, keepdims=True)).sum(axis=0) + prior_count
        updated: NDArray[np.float64] = counts / counts.sum()
        if float(np.abs(updated - shares).max()) < tolerance:
            return updated
        shares = updated
    return shares
