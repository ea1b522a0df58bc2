"""Leave one subject of each kind out: the splits, and the mean of a figure over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.core.errors import DataSetError
from hemascope.evaluate.estimate import Estimate
from hemascope.stats.ranking import auroc, auroc_statistic
from hemascope.stats.resample import RESAMPLES, percentile_interval

__all__ = ["Pair", "auroc", "auroc_statistic", "mean_over_pairs", "subject_pairs"]

Pair = tuple[str, str]
"""The positive and the negative subject that are left out."""


def subject_pairs(subjects: ArrayLike, positive: ArrayLike) -> Iterator[tuple[Pair, NDArray[np.bool_]]]:
    """Yield every pair of one positive and one negative subject, and which cells are theirs: the test side.

    Parameters
    ----------
    subjects
        N names.
    positive
        N flags, the same for all cells of a subject.

    Raises
    ------
    DataSetError
        If a subject is of both kinds, or a kind has fewer than two subjects: nothing would be left to learn from.
    """
    names, flags = np.asarray(subjects), np.asarray(positive, bool)
    sides = [sorted({str(name) for name in names[flags == side]}) for side in (True, False)]
    mixed = set(sides[0]) & set(sides[1])
    if mixed:
        raise DataSetError(f"subject '{min(mixed)}' has cells of both kinds; a subject must have one label")
    if min(map(len, sides)) < 2:
        raise DataSetError(f"need two subjects of each kind or more, not {len(sides[0])} and {len(sides[1])}")
    for one in sides[0]:
        for other in sides[1]:
            yield (one, other), (names == one) | (names == other)


def mean_over_pairs(values: Mapping[Pair, float], seed: int = 0) -> Estimate:
    """Return the mean over all pairs; its interval resamples the positive and the negative subjects, each by itself.

    With two subjects of a kind such an interval is coarse: it is one of the few that do not claim too much.
    """
    ones, others = (sorted({pair[side] for pair in values}) for side in (0, 1))
    table = np.array([[values[one, other] for other in others] for one in ones])
    generator = np.random.default_rng(seed)
    rows = generator.integers(len(ones), size=(RESAMPLES, len(ones)))
    columns = generator.integers(len(others), size=(RESAMPLES, len(others)))
    drawn = table[rows[:, :, None], columns[:, None, :]].mean(axis=(1, 2))
    limits = percentile_interval(drawn)
    return Estimate(float(table.mean()), *(limits or (None, None)))
