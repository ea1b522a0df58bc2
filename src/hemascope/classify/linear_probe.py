"""The linear probe: multinomial logistic regression on embeddings, by L-BFGS with its own gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.classify.examples import checked_examples, checked_queries
from hemascope.stats.log_softmax import log_softmax

MAX_ITERATIONS = 1000
"""Of L-BFGS, as in the linear evaluation of DINO."""

TOLERANCE = 1e-5
"""L-BFGS stops where no component of the gradient of the mean loss exceeds it."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearProbe:
    """A fitted linear classifier; an ``EmbeddingClassifier``.

    Attributes
    ----------
    classes
        K names, in the order of the logits.
    weights
        D x K float64, for embeddings as they come: the standardization is folded in.
    intercepts
        K float64.
    converged
        Whether L-BFGS met its tolerance within its iterations.
    iterations
        How many it took.
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    converged: bool = True
    iterations: int = 0

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return N x K logits for N x D embeddings; raise ``ValueError`` for another D or what is not finite."""
        answer: NDArray[np.float64] = checked_queries(embeddings, len(self.weights)) @ self.weights + self.intercepts
        return answer


def dino_penalty(dimension: int, classes: int) -> float:
    """Return C = D K / 100, the choice of the linear evaluation of DINO (Caron et al., ICCV 2021) and DinoBloom.

    Parameters
    ----------
    dimension
        D, length of an embedding.
    classes
        K, their number.
    """
    return dimension * classes / 100


def balanced_weights(labels: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Return K class weights N / (K n_k), by which every class counts alike; 0 for a class that does not occur."""
    counts = np.bincount(np.asarray(labels, np.intp), minlength=classes)
    answer: NDArray[np.float64] = np.where(counts > 0, counts.sum() / (classes * np.maximum(counts, 1)), 0.0)
    return answer


def fit_linear_probe(
    embeddings: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    c: float = 1.0,
    class_weights: ArrayLike | None = None,
    sample_weights: ArrayLike | None = None,
    standardize: bool = True,
    max_iterations: int = MAX_ITERATIONS,
    start: LinearProbe | None = None,
) -> LinearProbe:
    r"""Return the multinomial logistic regression of least penalized loss.

    With weights w of the samples times those of their classes, it minimizes

    .. math:: C \sum_i w_i \bigl(\log \sum_k e^{z_{ik}} - z_{i y_i}\bigr) + \tfrac12 \lVert W \rVert^2,
        \qquad z_i = x_i W + b,

    as scikit-learn states it; the intercepts b are not penalized. The problem is convex: there is one answer, whatever
    the start, so no seed is asked for.

    Parameters
    ----------
    embeddings, labels
        N x D numbers and N class numbers.
    classes
        K names.
    c
        C, inverse strength of the penalty, positive; see ``dino_penalty``.
    class_weights
        K weights, such as ``balanced_weights``; None for ones.
    sample_weights
        N weights of 0 or more, not all 0; None for ones.
    standardize
        Whether each dimension is brought to mean 0 and deviation 1 (over the weighted samples) before the penalty
        applies. One that does not vary gets no weight.
    max_iterations
        Of L-BFGS.
    start
        An answer to begin from, such as that of a neighboring C; for speed alone.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, or C or a weight is out of range.
    DataSetError
        If a class has no example.
    """
    values, truth = checked_examples(embeddings, labels, classes)
    if not (np.isfinite(c) and c > 0):
        raise ValueError(f"C must be above 0 and finite, not {c}")
    weights = _weights(truth, len(classes), class_weights, sample_weights)
    mean, scale = _standardization(values, weights, standardize)
    inputs = (values - mean) / scale
    begin = _begin(start, mean, scale, len(classes))
    solution, converged, iterations = _minimize(inputs, truth, weights, c, begin, max_iterations)
    slopes = solution[:-1] / scale[:, None]
    intercepts = solution[-1] - mean @ slopes
    return LinearProbe(tuple(classes), slopes, intercepts - intercepts.mean(), converged, iterations)


def _weights(
    truth: NDArray[np.intp], classes: int, class_weights: ArrayLike | None, sample_weights: ArrayLike | None
) -> NDArray[np.float64]:
    by_class = np.ones(classes) if class_weights is None else np.asarray(class_weights, np.float64)
    by_sample = np.ones(len(truth)) if sample_weights is None else np.asarray(sample_weights, np.float64)
    if by_class.shape != (classes,) or by_sample.shape != truth.shape:
        raise ValueError(f"need {classes} class weights and {len(truth)} sample weights")
    weights: NDArray[np.float64] = by_class[truth] * by_sample
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError("weights must be finite, 0 or more, and not all 0")
    return weights


def _standardization(
    values: NDArray[np.float64], weights: NDArray[np.float64], standardize: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not standardize:
        return np.zeros(values.shape[1]), np.ones(values.shape[1])
    mean = np.average(values, axis=0, weights=weights)
    deviation = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    # What is constant but for rounding would be blown up to noise of unit size.
    constant = deviation <= 1e-9 * np.maximum(np.abs(mean), 1e-30)
    return mean, np.where(constant, np.inf, deviation)


def _begin(
    start: LinearProbe | None, mean: NDArray[np.float64], scale: NDArray[np.float64], classes: int
) -> NDArray[np.float64]:
    begin = np.zeros((len(mean) + 1, classes))
    if start is None:
        return begin
    if start.weights.shape != (len(mean), classes):
        raise ValueError(f"the start is for {start.weights.shape}, not {(len(mean), classes)}")
    begin[:-1] = np.where(np.isfinite(scale), scale, 0.0)[:, None] * start.weights
    begin[-1] = start.intercepts + mean @ start.weights
    return begin


def _minimize(
    inputs: NDArray[np.float64],
    truth: NDArray[np.intp],
    weights: NDArray[np.float64],
    c: float,
    begin: NDArray[np.float64],
    max_iterations: int,
) -> tuple[NDArray[np.float64], bool, int]:
    """Return slopes above intercepts, D + 1 x K; whether that converged; and in how many steps."""
    from scipy.optimize import minimize

    total = weights.sum()
    penalty = 1 / (c * total)
    rows = np.arange(len(truth))

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        # The mean loss, not the sum: the tolerance then means the same for any number of samples.
        both = flat.reshape(begin.shape)
        log_p = log_softmax(inputs @ both[:-1] + both[-1])
        value = -(weights @ log_p[rows, truth]) / total + 0.5 * penalty * np.vdot(both[:-1], both[:-1])
        residual = np.exp(log_p)
        residual[rows, truth] -= 1
        residual *= (weights / total)[:, None]
        gradient = np.vstack([inputs.T @ residual + penalty * both[:-1], residual.sum(axis=0)])
        return float(value), gradient.ravel()

    found = minimize(
        loss,
        begin.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iterations, "maxfun": 2 * max_iterations, "gtol": TOLERANCE, "ftol": 1e-12},
    )
    return found.x.reshape(begin.shape), bool(found.success), int(found.nit)
