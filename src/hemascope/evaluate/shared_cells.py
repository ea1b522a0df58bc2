"""Patients who share cells: the same rows, or rows that were embedded twice; fast enough for any cohort.

Equal rows have equal digests. For rows that are nearly equal long vectors are first turned into 32 random projections,
which keep distances to about an eighth and let cohorts that do not fit into memory be searched. Such rows fall, but for
bad luck, into the same cell of a grid over some random directions; only rows that meet there are compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag import BagSet

LEAST_CELLS = 3
"""Cells that two patients must share at least."""

LEAST_EXACT = 0.05
"""Share of the smaller bag that must be equal; distinct rows count, so that crops without a cell do not."""

LEAST_NEAR = 0.2
"""Share of the smaller bag that must be nearly equal."""

NEAR = 0.25
"""Rows are nearly equal at this part of the usual distance to the second nearest patient's nearest cell, or less. The
second: the nearest patient may be the same person."""

_SAMPLE = 128
_WIDTH = 8.0  # of a grid cell, in the distance that nearly equal rows have along a direction
_MOST_DIRECTIONS = 24
_LOOK_EVERY = 4  # directions after which it is seen whether the grid is fine enough
_TABLES = 2
_NEIGHBORS = 8  # in a grid cell that are compared with a row
_MOST_OWNERS = 8  # of one row: what more patients have is no cell
_ROWS = 1 << 14
_DIMENSIONS = 32
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits without pattern


@dataclass(frozen=True, slots=True)
class SharedCells:
    """Two patients with cells in common.

    Attributes
    ----------
    first, second
        Places of the patients, the lower first.
    cells
        Distinct cells of the first that the second has too.
    share
        That over the smaller number of cells of the two, 0 to 1.
    exact
        Whether the rows are equal to the last bit.
    """

    first: int
    second: int
    cells: int
    share: float
    exact: bool


def shared_cells(bags: BagSet, seed: int = 0) -> list[SharedCells]:
    """Return the pairs of patients that share more cells than different people can.

    Parameters
    ----------
    bags
        P patients.
    seed
        Of the directions and of the sample that says how far apart cells usually are.
    """
    owner = np.repeat(np.arange(len(bags)), bags.sizes)
    digests = _digests(bags.values)
    found = dict(_counted(bags, _near_rows(bags, owner, _alone(digests), seed), owner, False))
    found |= _counted(bags, _equal_rows(digests, owner), owner, True)
    return [pair for _, pair in sorted(found.items())]


def _counted(
    bags: BagSet, rows: NDArray[np.intp], owner: NDArray[np.intp], exact: bool
) -> Iterator[tuple[tuple[int, int], SharedCells]]:
    """Yield pairs of patients with enough in common, from K x 2 rows, that of the lower patient first."""
    first, second = owner[rows[:, 0]], owner[rows[:, 1]]
    each = np.unique(np.column_stack([first, second, rows[:, 0]]), axis=0)
    pairs, counts = np.unique(each[:, :2], axis=0, return_counts=True)
    least = LEAST_EXACT if exact else LEAST_NEAR
    for (a, b), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        share = count / min(bags.sizes[a], bags.sizes[b])
        if count >= LEAST_CELLS and share >= least:
            yield (a, b), SharedCells(a, b, count, min(float(share), 1.0), exact)


def _equal_rows(digests: NDArray[np.uint64], owner: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return K x 2 rows that are equal and of two patients; one row of each of its owners."""
    _, kept = np.unique(digests + owner.astype(np.uint64) * _MIX, return_index=True)  # a row once a patient
    order = kept[np.lexsort((kept, digests[kept]))]
    _, starts, counts = np.unique(digests[order], return_index=True, return_counts=True)
    found = [
        (order[i], order[j])
        for start, count in zip(starts, counts, strict=True)
        if 1 < count <= _MOST_OWNERS
        for i in range(start, start + count)
        for j in range(i + 1, start + count)
    ]
    return np.array(found, np.intp).reshape(-1, 2)


def _digests(values: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return a 64-bit digest of each row: a random sum of its words, equal for equal rows."""
    factors = np.random.default_rng(0).integers(1 << 63, size=values.shape[1], dtype=np.uint64) * 2 + 1
    return np.concatenate(
        [
            np.ascontiguousarray(values[start : start + _ROWS], np.float32).view(np.uint32) @ factors
            for start in range(0, len(values), _ROWS)
        ]
    )


def _alone(digests: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return the rows that no other row is equal to."""
    _, first, counts = np.unique(digests, return_index=True, return_counts=True)
    return np.sort(first[counts == 1])


def _near_rows(bags: BagSet, owner: NDArray[np.intp], rows: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Return K x 2 of some ascending rows, of two patients, that are nearly equal."""
    generator = np.random.default_rng(seed)
    values = _compact(bags.values, generator)
    distance = NEAR * _usual_distance(values, bags, owner, generator)
    if not distance > 0 or not len(rows):
        return np.empty((0, 2), np.intp)
    found = [_meeting(values[rows], owner[rows], distance, generator) for _ in range(_TABLES)]
    return rows[np.unique(np.concatenate(found), axis=0)]


def _usual_distance(
    values: NDArray[np.float32], bags: BagSet, owner: NDArray[np.intp], generator: np.random.Generator
) -> float:
    """Return the median distance from a cell to the nearest cell of the second nearest other patient; 0 for none."""
    if len(bags) < 3:
        return 0.0
    asked = generator.choice(len(values), min(_SAMPLE, len(values)), replace=False)
    nearest = np.concatenate(
        [_nearest(values, bags.starts, block, values[asked]) for block in _patient_blocks(bags.starts)], axis=1
    )
    nearest[np.arange(len(asked)), owner[asked]] = np.inf
    return float(np.sqrt(np.median(np.partition(nearest, 1, axis=1)[:, 1])))


def _nearest(
    values: NDArray[np.float32], starts: NDArray[np.intp], block: slice, asked: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the squared distance from each cell asked to the nearest of each patient of a block."""
    edges = starts[block.start : block.stop + 1]
    rows = values[edges[0] : edges[-1]]
    squares = (rows**2).sum(axis=1) + (asked**2).sum(axis=1)[:, None] - 2 * (asked @ rows.T)
    return np.asarray(np.minimum.reduceat(squares.clip(0), edges[:-1] - edges[0], axis=1), np.float32)


def _patient_blocks(starts: NDArray[np.intp]) -> list[slice]:
    """Return runs of patients of about ``_ROWS`` cells, one patient at least."""
    edges = np.unique(np.searchsorted(starts, np.arange(0, starts[-1] + _ROWS, _ROWS)).clip(max=len(starts) - 1))
    return [slice(int(first), int(last)) for first, last in itertools.pairwise(edges)]


def _compact(values: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Return centered rows of at most ``_DIMENSIONS`` numbers."""
    mean = values.mean(axis=0)
    if values.shape[1] <= _DIMENSIONS:
        return np.asarray(values - mean, np.float32)
    directions = generator.standard_normal((values.shape[1], _DIMENSIONS), np.float32) / np.sqrt(_DIMENSIONS)
    blocks = range(0, len(values), _ROWS)
    return np.concatenate([(values[start : start + _ROWS] - mean) @ directions for start in blocks], dtype=np.float32)


def _meeting(
    values: NDArray[np.float32], owner: NDArray[np.intp], distance: float, generator: np.random.Generator
) -> NDArray[np.intp]:
    """Return K x 2 rows of two patients, at most ``distance`` apart, that meet in one random grid."""
    width = _WIDTH * distance / float(np.sqrt(values.shape[1]))
    keys = np.zeros(len(values), np.uint64)
    for number in range(1, _MOST_DIRECTIONS + 1):
        direction = generator.standard_normal((values.shape[1],), np.float32)
        along: NDArray[np.float32] = values @ (direction / np.linalg.norm(direction))
        cells: NDArray[np.uint64] = np.floor(along / width + generator.random()).astype(np.int64).view(np.uint64)
        keys = (keys ^ cells) * _MIX
        keys ^= keys >> np.uint64(29)
        if number % _LOOK_EVERY == 0 and _company(keys) <= _NEIGHBORS:
            break
    order = np.argsort(keys, kind="stable")
    found = [_close(values, owner, keys, order[:-step], order[step:], distance) for step in range(1, _NEIGHBORS + 1)]
    return np.concatenate(found)


def _company(keys: NDArray[np.uint64]) -> float:
    """Return how many others a row meets on average."""
    _, counts = np.unique(keys, return_counts=True)
    return float((counts * (counts - 1.0)).sum() / len(keys))


def _close(
    values: NDArray[np.float32],
    owner: NDArray[np.intp],
    keys: NDArray[np.uint64],
    here: NDArray[np.intp],
    there: NDArray[np.intp],
    distance: float,
) -> NDArray[np.intp]:
    meet = (keys[here] == keys[there]) & (owner[here] != owner[there])
    here, there = here[meet], there[meet]
    gaps = values[here] - values[there]
    close = np.einsum("ij,ij->i", gaps, gaps) <= distance**2
    pairs = np.column_stack([here[close], there[close]])
    return np.asarray(np.sort(pairs, axis=1), np.intp)
