"""States of cells learned without labels: where cells of one patient form clusters, however loud the rest is.

Three steps, on the cells of training patients. What differs from patient to patient as a whole (stain, scanner) is
taken away by centering each patient, and all directions are made equally loud. Directions that are not Gaussian are
searched: clusters make them so. A mixture is fitted there; its clusters then say in which further directions they
differ (linear discriminants), and it is fitted again.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hemascope.core.bag import BagSet
from hemascope.core.errors import CohortError
from hemascope.nets.bags.cell_states import CellStates
from hemascope.nets.bags.pooling import PackedBags
from hemascope.stats.non_gaussian import non_gaussian_directions

MOST_CELLS = 60_000
"""Drawn for the search of directions and for each fit of the mixture."""

MOST_COMPONENTS = 256
"""Leading principal components that longer embeddings are cut to first."""

REFITS = 2
"""Times that discriminants are found and the mixture fitted again."""

_LEAST_VARIANCE = 1e-6
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A Gaussian mixture in a projection of cells; see ``CellStates.set_states``."""

    projection: NDArray[np.float32]
    means: NDArray[np.float32]
    factors: NDArray[np.float32]
    offsets: NDArray[np.float32]


def start_from_cells(net: nn.Module, bags: BagSet, train: NDArray[np.intp], seed: int) -> None:
    """Give a network of ``CellStates`` its states, in place; any other network is left as it is.

    Parameters
    ----------
    bags
        All patients.
    train
        Places of those that are learned from: nobody else's cells are looked at.
    seed
        Of the draws.
    """
    if not isinstance(net, CellStates):
        return
    known = bags.select(train)
    found = find_states(known, len(net.offsets), net.projection.shape[1], seed)
    net.set_states(*(torch.from_numpy(part) for part in (found.projection, found.means, found.factors, found.offsets)))
    with torch.no_grad():
        parts = [
            net.shares_of(torch.from_numpy(known.cells(place)), PackedBags(torch.tensor([0, known.sizes[place]])))[1]
            for place in range(len(known))
        ]
        net.set_usual(torch.cat(parts))


def find_states(bags: BagSet, states: int, dimensions: int, seed: int) -> Mixture:
    """Return a mixture of ``states`` Gaussians in at most ``dimensions`` directions.

    Raises
    ------
    CohortError
        If there are fewer cells than states.
    """
    generator = np.random.default_rng(seed)
    drawn = generator.permutation(len(bags.values))[:MOST_CELLS]
    owner = np.repeat(np.arange(len(bags)), bags.sizes)[drawn]
    means = np.add.reduceat(bags.values, bags.starts[:-1], axis=0, dtype=np.float64) / bags.sizes[:, None]
    cells = np.ascontiguousarray(bags.values[drawn], np.float32)
    centered = cells - means.astype(np.float32)[owner]
    whitening = _whitening(centered.T @ centered / len(centered), MOST_COMPONENTS)
    white = np.asarray(centered @ whitening, np.float32)
    directions = non_gaussian_directions(white, dimensions, seed)
    if not len(directions):
        directions = np.eye(white.shape[1], dtype=np.float32)[:dimensions]
    projection = whitening @ directions.T
    for _ in range(REFITS):
        told = _fitted(cells @ projection, states, seed).predict_proba(cells @ projection)
        projection = _discriminants(centered, told.astype(np.float32), dimensions)
    fitted = _fitted(cells @ projection, states, seed)
    factors = np.asarray(fitted.precisions_cholesky_, np.float32)
    offsets = np.log(fitted.weights_) + np.log(np.einsum("krr->kr", factors)).sum(axis=1)
    return Mixture(projection, fitted.means_.astype(np.float32), factors, offsets.astype(np.float32))


def _fitted(points: NDArray[np.float32], states: int, seed: int):  # type: ignore[no-untyped-def]
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture  # imported here: it takes a second, and answers do without it

    if len(points) < states:
        raise CohortError(
            f"the patients who are learned from have {len(points)} cells, too few for {states} states; set states of "
            "the aggregator lower, or bring more cells"
        )
    mixture = GaussianMixture(states, max_iter=60, reg_covar=_RIDGE, random_state=seed)
    with warnings.catch_warnings():
        # The mixture is where training starts from: it need not have converged, nor have its first centers.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(points.astype(np.float64))


def _discriminants(centered: NDArray[np.float32], told: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Return D x R directions in which states differ by more than chance, made white within states."""
    count = told.sum(axis=0)
    means = (told.T @ centered) / np.maximum(count, 1)[:, None]
    between = (means.T * (count / len(centered))) @ means
    whitening = _whitening(centered.T @ centered / len(centered) - between, MOST_COMPONENTS)
    values, vectors = np.linalg.eigh(whitening.T @ between @ whitening)
    chance = 2 * (np.sqrt(len(whitening.T)) + np.sqrt(told.shape[1])) ** 2 / len(centered)
    kept = max(int((values > chance).sum()), 1)
    return np.asarray(whitening @ vectors[:, ::-1][:, : min(kept, dimensions)], np.float32)


def _whitening(covariance: NDArray[np.floating], most: int) -> NDArray[np.float32]:
    """Return D x C directions of unit variance, the loudest ``most`` of them, without those that hardly vary."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    kept = np.flatnonzero(values > _LEAST_VARIANCE * values[-1])[::-1][:most]
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]), np.float32)
