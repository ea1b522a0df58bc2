"""Parts of a group of people that are alike: as many of each label in every part, labels that overlap included."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

LEAST_GAIN = 1e-9
"""Sums of squares that differ by less are equal."""


def stratified_parts(labels: NDArray[np.bool_], parts: int, seed: int) -> NDArray[np.intp]:
    """Deal people to parts so that every label is about equally often in each, and the parts are of about one size.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, On the stratification of multi-label data, ECML PKDD
    2011): the rarest label is dealt first, each of its people to the part that lacks it most; of those, to the part
    that lacks most of all that this person has; of those, to the smallest. Then people move and change places between
    parts as long as that brings the counts closer to equal, in squares.

    Parameters
    ----------
    labels
        P x L: who has which label; a person may have several or none.
    parts
        K, 1 or more.
    seed
        Of the order in which people of one label are dealt, and of ties.

    Returns
    -------
    numpy.ndarray
        P numbers of parts, 0 to K - 1.

    Raises
    ------
    ValueError
        If there is no part, or labels are not a table.
    """
    if parts < 1 or labels.ndim != 2:
        raise ValueError(f"cannot deal a table of {labels.shape} labels to {parts} parts")
    # Being there at all is a label too: it makes the parts equally large.
    counted = np.column_stack([labels, np.ones(len(labels), bool)])
    dealt = _dealt(counted, parts, np.random.default_rng(seed))
    _exchange(counted.astype(np.float64), dealt, parts)
    return dealt


def _dealt(labels: NDArray[np.bool_], parts: int, generator: np.random.Generator) -> NDArray[np.intp]:
    people = len(labels)
    order, luck = generator.permutation(people), generator.random((people, parts))
    lacking = np.tile(labels.sum(axis=0) / parts, (parts, 1))
    dealt = np.full(people, -1, np.intp)
    while (waiting := order[dealt[order] < 0]).size:
        counts = labels[waiting].sum(axis=0)
        rarest = int(np.where(counts > 0, counts, people + 1).argmin())
        for person in waiting[labels[waiting, rarest]]:
            own = labels[person]
            needs = (luck[person], lacking[:, -1], lacking[:, own].sum(axis=1), lacking[:, rarest])
            dealt[person] = part = int(np.lexsort(needs)[-1])
            lacking[part, own] -= 1
    return dealt


def _exchange(labels: NDArray[np.float64], dealt: NDArray[np.intp], parts: int) -> None:
    """Move people between two parts, or let two change places, while the sum of squared excesses falls."""
    nobody = np.zeros((1, labels.shape[1]))
    found = True
    while found:
        found = False
        for one, other in itertools.combinations(range(parts), 2):
            sides = [np.flatnonzero(dealt == part) for part in (one, other)]
            mine, theirs = (np.concatenate([labels[side], nobody]) for side in sides)
            excess = labels[sides[0]].sum(axis=0) - labels[sides[1]].sum(axis=0)
            # Giving g and getting h changes the excess of one part by d = h - g, of the other by -d.
            distance = (theirs**2).sum(axis=1) + (mine**2).sum(axis=1)[:, None] - 2 * mine @ theirs.T
            change = (theirs @ excess) - (mine @ excess)[:, None] + distance
            given, taken = np.unravel_index(change.argmin(), change.shape)
            if change[given, taken] < -LEAST_GAIN:
                dealt[sides[0][given : given + 1]] = other
                dealt[sides[1][taken : taken + 1]] = one
                found = True
