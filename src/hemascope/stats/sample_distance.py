"""How far two samples of vectors are apart: what tells generated cells from real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

NEIGHBORS = 3
"""Neighbors that make up a sample's region in precision and recall, as published."""

_BLOCK = 256


def frechet_distance(first: ArrayLike, second: ArrayLike) -> float:
    r"""Return the squared Fréchet distance between the Gaussians fitted to two samples.

    :math:`\lVert m_1 - m_2 \rVert^2 + \mathrm{tr}(S_1 + S_2 - 2 (S_1 S_2)^{1/2})` with unbiased covariances (Heusel et
    al., NeurIPS 2017). It is biased upward by samples that are small against D, the more the smaller: compare only
    figures of equal N, M and D.

    Parameters
    ----------
    first, second
        N x D and M x D numbers, N and M at least 2.

    Raises
    ------
    ValueError
        If there are fewer than two rows, the dimensions differ, or a value is not finite.
    """
    x, y = _checked(first, second, 2)
    mean = x.mean(axis=0) - y.mean(axis=0)
    one, other = ((v - v.mean(axis=0)) / np.sqrt(len(v) - 1) for v in (x, y))
    # The eigenvalues of S1 S2 are the squared singular values of the product of their factors: no matrix root needed.
    shared = np.linalg.norm(_factor(one) @ _factor(other).T, "nuc")
    return float(mean @ mean + np.vdot(one, one) + np.vdot(other, other) - 2 * shared)


@dataclass(frozen=True, slots=True)
class KernelDistance:
    """A squared distance in the space of a kernel.

    Attributes
    ----------
    value
        Unbiased, so it may lie below 0 where two samples are of one kind.
    standard_error
        By the jackknife over both samples.
    """

    value: float
    standard_error: float


def kernel_distance(
    first: ArrayLike, second: ArrayLike, strata: tuple[ArrayLike, ArrayLike] | None = None
) -> KernelDistance:
    r"""Return the unbiased squared maximum mean discrepancy under the cubic kernel :math:`(x \cdot y / D + 1)^3`.

    The kernel distance of Bińkowski et al., ICLR 2018, on the whole samples; its standard error leaves out one row
    after another (the jackknife for U-statistics of two samples: Arvesen, Ann Math Stat 1969;40:2076).

    Parameters
    ----------
    first, second
        N x D and M x D numbers, N and M at least 3.
    strata
        Where rows were drawn class by class: N and M class numbers, the same classes in both, two rows of each or more.
        Classes then count alike. Without it, a fixed number of each would bias the value downward; the standard error
        stays that of classes drawn at random, which is a little too large.

    Raises
    ------
    ValueError
        If there are fewer than three rows, the dimensions differ, a value is not finite, or the classes differ.
    """
    x, y = _checked(first, second, 3)
    n, m = len(x), len(y)
    within_x, within_y = _row_sums(x), _row_sums(y)
    cross = _cubic(x, y)
    across_x, across_y, across = cross.sum(axis=1), cross.sum(axis=0), float(cross.sum())
    sum_x, sum_y = float(within_x.sum()), float(within_y.sum())
    mean_x, mean_y = sum_x / (n * (n - 1)), sum_y / (m * (m - 1))
    value = mean_x + mean_y - 2 * across / (n * m)
    without_x = (sum_x - 2 * within_x) / ((n - 1) * (n - 2)) + mean_y - 2 * (across - across_x) / ((n - 1) * m)
    without_y = (sum_y - 2 * within_y) / ((m - 1) * (m - 2)) + mean_x - 2 * (across - across_y) / (n * (m - 1))
    variance = (n - 1) * float(without_x.var()) + (m - 1) * float(without_y.var())
    if strata is not None:
        value = _stratified_value(x, y, cross, *strata)
    return KernelDistance(value, float(np.sqrt(variance)))


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Which shares of two samples lie in each other's region.

    Attributes
    ----------
    precision
        Share of the made sample within the region of the real one, 0 to 1: are they plausible?
    recall
        Share of the real sample within the region of the made one, 0 to 1: is everything made that occurs?
    """

    precision: float
    recall: float


def precision_recall(made: ArrayLike, real: ArrayLike, neighbors: int = NEIGHBORS) -> PrecisionRecall:
    """Return improved precision and recall (Kynkäänniemi et al., NeurIPS 2019).

    A sample's region is the union of balls around its points, each as large as the distance to the point's
    ``neighbors``-th nearest of the same sample. Larger samples have larger shares: compare figures of equal sizes.

    Parameters
    ----------
    made, real
        N x D and M x D numbers, N and M more than ``neighbors``.
    neighbors
        At least 1.

    Raises
    ------
    ValueError
        If there are too few rows, the dimensions differ, or a value is not finite.
    """
    if neighbors < 1:
        raise ValueError(f"a region needs at least one neighbor, not {neighbors}")
    x, y = _checked(made, real, neighbors + 1)
    distances = np.sqrt(squared_distances(x, y))
    return PrecisionRecall(
        precision=float((distances <= _reach(y, neighbors)).any(axis=1).mean()),
        recall=float((distances <= _reach(x, neighbors)[:, None]).any(axis=0).mean()),
    )


def squared_distances(queries: NDArray[np.floating], known: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return N x M squared distances of N x D queries to M x D known points, never below 0, in their precision."""
    products = queries @ known.T
    squares = (queries**2).sum(axis=1)[:, None] + (known**2).sum(axis=1)
    distances: NDArray[np.floating] = np.maximum(squares - 2 * products, 0)
    return distances


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The nearest known points of some queries.

    Attributes
    ----------
    rows
        N x k rows of the known points, the nearest first.
    distances
        N x k float64 Euclidean distances, rising.
    """

    rows: NDArray[np.intp]
    distances: NDArray[np.float64]


def nearest_points(queries: ArrayLike, known: ArrayLike, count: int = 1) -> Nearest:
    """Return for each query the ``count`` nearest known points, the nearest first.

    Parameters
    ----------
    queries, known
        N x D and M x D numbers. Where they come in float32, as images do, so are the distances found: of points that
        nearly agree, a distance below 0.001 of the points' spread is not told from 0.
    count
        At least 1, at most M.

    Raises
    ------
    ValueError
        If the dimensions differ, or there are fewer than ``count`` known points.
    """
    x, y = _as_floats(queries), _as_floats(known)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not 1 <= count <= len(y):
        raise ValueError(f"cannot find {count} points of {y.shape} near {x.shape}")
    middle = y.mean(axis=0, dtype=np.float64).astype(y.dtype)  # short vectors lose fewer digits in their products
    x, y = x - middle, y - middle
    rows = np.empty((len(x), count), np.intp)
    distances = np.empty((len(x), count), np.float64)
    for start in range(0, len(x), _BLOCK):
        part = slice(start, start + _BLOCK)
        squared = squared_distances(x[part], y)
        near = np.sort(np.argpartition(squared, count - 1, axis=1)[:, :count], axis=1)
        found = np.take_along_axis(squared, near, axis=1)
        order = np.argsort(found, axis=1, kind="stable")
        rows[part] = np.take_along_axis(near, order, axis=1)
        distances[part] = np.sqrt(np.take_along_axis(found, order, axis=1))
    return Nearest(rows, distances)


def _as_floats(values: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(values)
    return array if array.dtype == np.float32 else array.astype(np.float64)


def _checked(first: ArrayLike, second: ArrayLike, least: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < least:
        raise ValueError(f"need two samples of {least} or more rows of one length, not {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("samples hold values that are not finite")
    return x, y


def _factor(centered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a matrix of as many columns and D rows at most whose Gram matrix is the same."""
    if len(centered) <= centered.shape[1]:
        return centered
    return np.asarray(np.linalg.qr(centered, mode="r"), np.float64)


def _cubic(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    kernel: NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** 3
    return kernel


def _stratified_value(
    x: NDArray[np.float64], y: NDArray[np.float64], cross: NDArray[np.float64], of_x: ArrayLike, of_y: ArrayLike
) -> float:
    one, other = np.asarray(of_x, np.intp), np.asarray(of_y, np.intp)
    names = np.unique(one)
    counts = [[(labels == name).sum() for name in names] for labels in (one, other)]
    if len(one) != len(x) or len(other) != len(y) or not np.isin(other, names).all() or np.min(counts) < 2:
        raise ValueError(
            "strata need a class for every row, the same classes in both samples, two rows of each or more"
        )
    shares = [(labels[:, None] == names) / (labels[:, None] == names).sum(axis=0) for labels in (one, other)]
    within = [_mean_of_pairs(v, share) for v, share in zip((x, y), shares, strict=True)]
    return float(sum(within) - 2 * (shares[0].T @ cross @ shares[1]).mean())


def _mean_of_pairs(x: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Return the mean over pairs of classes of the mean kernel of two different rows of them."""
    kernel = _cubic(x, x)
    np.fill_diagonal(kernel, 0)
    blocks = shares.T @ kernel @ shares
    counts = (shares > 0).sum(axis=0)
    blocks[np.diag_indices(len(counts))] *= counts / (counts - 1)
    return float(blocks.mean())


def _row_sums(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return N sums of the kernel of a row with every other row."""
    own = ((x**2).sum(axis=1) / x.shape[1] + 1) ** 3
    sums: NDArray[np.float64] = _cubic(x, x).sum(axis=1) - own
    return sums


def _reach(points: NDArray[np.float64], neighbors: int) -> NDArray[np.float64]:
    """Return the distance of each point to its ``neighbors``-th nearest other one."""
    squared = squared_distances(points, points)
    np.fill_diagonal(squared, np.inf)
    return np.asarray(np.sqrt(np.partition(squared, neighbors - 1, axis=1)[:, neighbors - 1]), np.float64)
