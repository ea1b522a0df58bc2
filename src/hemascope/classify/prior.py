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
