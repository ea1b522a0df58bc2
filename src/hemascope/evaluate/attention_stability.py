r"""How much of what a network attends to survives a change of the image: definitions that cannot be negative.

Relative difference of two maps: :math:`\lVert A - B \rVert_F / \lVert A \rVert_F`, 0 for equal maps. A Frobenius norm,
the root of a sum of squares, is never below 0.

Mutual information of two maps over positions: values are put into bins of equal mass, and
:math:`I = \sum_{ij} p_{ij} \ln (p_{ij} / p_i p_j)` nats is 0 or more; divided by the smaller of the two entropies it
lies in 0..1, 1 where one map tells the other. From n samples the plain estimate is too high by about
:math:`(k - 1)^2 / 2n` (Miller 1955), which is taken off, down to 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 8
"""Bins of equal mass a map."""


def relative_difference(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the relative Frobenius norm of the difference of each pair of maps, 0 or more.

    Parameters
    ----------
    first, second
        N maps of any one shape; the first is the one of the unchanged image. A map that is 0 everywhere has no relative
        difference: NaN, unless both are.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    a, b = _pairs(first, second)
    above, below = np.linalg.norm(a - b, axis=1), np.linalg.norm(a, axis=1)
    return np.where(above == 0, 0.0, np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0))


def mutual_information(first: ArrayLike, second: ArrayLike, bins: int = BINS) -> tuple[float, float]:
    """Return the mutual information of the values of two sets of maps, in nats and as a share, both 0 or more.

    Values of all positions of all maps are samples: one map of a few dozen positions would tell nothing.

    Parameters
    ----------
    first, second
        N maps of any one shape.
    bins
        k, of equal mass; equal values share a bin.

    Returns
    -------
    Nats, and the share of the smaller entropy, 0..1; NaN for the share where a map has one value only.

    Raises
    ------
    ValueError
        If the shapes differ or there are no values.
    """
    a, b = (values.ravel() for values in _pairs(first, second))
    if not len(a):
        raise ValueError("maps without a value have no information")
    rows, columns = _bin_numbers(a, bins), _bin_numbers(b, bins)
    joint = np.zeros((bins, bins))
    np.add.at(joint, (rows, columns), 1 / len(a))
    of_rows, of_columns = joint.sum(axis=1), joint.sum(axis=0)
    filled = joint > 0
    plain = float((joint[filled] * np.log(joint[filled] / np.outer(of_rows, of_columns)[filled])).sum())
    excess = ((of_rows > 0).sum() - 1) * ((of_columns > 0).sum() - 1) / (2 * len(a))
    least = min(_entropy(of_rows), _entropy(of_columns))
    nats = max(0.0, plain - float(excess))
    return nats, min(1.0, nats / least) if least > 0 else float("nan")


def _pairs(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim < 2:
        raise ValueError(f"need two sets of maps of one shape, not {a.shape} and {b.shape}")
    return a.reshape(len(a), int(np.prod(a.shape[1:]))), b.reshape(len(b), int(np.prod(b.shape[1:])))


def _bin_numbers(values: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    edges = np.quantile(values, np.arange(1, bins) / bins)
    numbers: NDArray[np.intp] = np.searchsorted(edges, values, side="left")
    return numbers


def _entropy(shares: NDArray[np.float64]) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())
