"""Which patients, and which of their cells, an epoch of training sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind, truth_slices

RAKING_ROUNDS = 30
"""Rounds of raking; what is out of balance after them is out by less than a sample of patients is."""


def balanced_shares(tasks: Sequence[BagTask], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of drawing each patient at which markers are as often there as not, and classes even.

    Raking (iterative proportional fitting): the weights of a column's patients are scaled until each of its values has
    the same total, column after column, again and again. Patients of whom a column says nothing keep their weight.

    Parameters
    ----------
    tasks
        What is asked; numbers are not balanced.
    truth
        P x C of training patients, NaN where missing.

    Returns
    -------
    numpy.ndarray
        P probabilities that sum to 1.
    """
    places = truth_slices(tasks)
    labels = [truth[:, places[task.name]] for task in tasks if task.kind is not TaskKind.NUMBER]
    weights = np.ones(len(truth))
    if labels:
        memberships = [_membership(column) for column in np.concatenate(labels, axis=1).T]
        for _ in range(RAKING_ROUNDS):
            for member in memberships:
                weights = _raked(weights, member)
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _membership(column: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return values x P: who has which value; only values that somebody has."""
    values = np.unique(column[~np.isnan(column)])
    same: NDArray[np.bool_] = column[None] == values[:, None]
    return same


def _raked(weights: NDArray[np.float64], member: NDArray[np.bool_]) -> NDArray[np.float64]:
    if len(member) < 2:
        return weights
    totals = member @ weights
    scales = totals.mean() / totals
    return weights * np.where(member.any(axis=0), scales @ member, 1.0)


def order_of_epoch(
    patients: int, shares: NDArray[np.float64] | None, generator: np.random.Generator
) -> NDArray[np.intp]:
    """Return the places of one epoch's bags: everybody once in random order, or as many draws with replacement."""
    if shares is None:
        return generator.permutation(patients)
    return generator.choice(patients, patients, p=shares)


def rows_of_bags(
    bags: BagSet, places: NDArray[np.intp], cap: int | None, generator: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which cells of some bags are seen.

    Parameters
    ----------
    bags
        All bags.
    places
        B bags; one may come twice, each time with other cells.
    cap
        Most cells a bag, drawn without replacement; None for all.
    generator
        Of the draws.

    Returns
    -------
    rows, starts
        T rows of ``bags.values``, bag after bag, and B + 1 starts among them.
    """
    first, sizes = bags.starts[places], bags.sizes[places]
    kept = sizes if cap is None else np.minimum(sizes, cap)
    parts = [
        start + (np.arange(size) if size == keep else np.sort(generator.choice(size, keep, replace=False)))
        for start, size, keep in zip(first, sizes, kept, strict=True)
    ]
    return np.concatenate(parts), np.concatenate([[0], np.cumsum(kept)]).astype(np.intp)
