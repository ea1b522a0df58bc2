"""A scale and a shift for each logit (Guo et al., On calibration of modern neural networks, ICML 2017, section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.stats.log_softmax import log_softmax


@dataclass(frozen=True, slots=True, eq=False)
class VectorScaling:
    """Calibrated logits are ``scale * logits + shift``.

    Attributes
    ----------
    scale
        K factors.
    shift
        K summands, of mean 0.
    """

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]

    def apply(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return calibrated logits for N x K logits."""
        answer: NDArray[np.float64] = np.asarray(logits, np.float64) * self.scale + self.shift
        return answer


def fit_vector_scaling(logits: ArrayLike, labels: ArrayLike, penalty: float = 1.0) -> VectorScaling:
    """Return the scaling of least negative log-likelihood on validation cells.

    It has 2 K parameters where a temperature has one, so it starts at the best temperature t and pays for leaving it:
    the summed loss grows by ``penalty`` / 2 times the squares of the shifts and of the scales' distances to 1 / t, in
    units of 1 / t. Without a penalty the shifts of classes that never err would grow without bound.

    Parameters
    ----------
    logits, labels
        N x K logits and N class numbers.
    penalty
        0 or more; 1 is a unit normal prior on each of these.

    Raises
    ------
    ValueError
        If there is nothing to fit on, shapes disagree, or the penalty is negative.
    """
    from scipy.optimize import minimize

    from hemascope.stats.temperature import fit_temperature

    values, truth = np.asarray(logits, np.float64), np.asarray(labels, np.intp)
    if values.ndim != 2 or truth.shape != (len(values),) or penalty < 0:
        raise ValueError(f"need N x K logits, N labels and a penalty of 0 or more, not {values.shape}, {truth.shape}")
    start = values / fit_temperature(values, truth)
    one_hot = np.eye(values.shape[1])[truth]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scale, shift = flat.reshape(2, -1)
        log_p = log_softmax(start * scale + shift)
        residual = np.exp(log_p) - one_hot
        gradient = np.stack(
            [(residual * start).sum(axis=0) + penalty * (scale - 1), residual.sum(axis=0) + penalty * shift]
        )
        cost = -(log_p * one_hot).sum() + 0.5 * penalty * (((scale - 1) ** 2).sum() + (shift**2).sum())
        return float(cost) / len(truth), gradient.ravel() / len(truth)

    begin = np.concatenate([np.ones(values.shape[1]), np.zeros(values.shape[1])])
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": 500, "gtol": 1e-8, "ftol": 1e-14})
    scale, shift = found.x.reshape(2, -1)
    return VectorScaling(scale / fit_temperature(values, truth), shift - shift.mean())
