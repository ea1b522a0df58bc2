"""Two models on the same patients, by a mean over patients: a share of right answers, a mean error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.ranking import PairedComparison
from hemascope.stats.resample import RESAMPLES, bootstrap_distribution, bootstrap_p_value, percentile_interval


def compare_means(
    patients: NDArray[np.str_],
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedComparison:
    """Return the paired bootstrap of two means over patients: both models see the same resamples.

    Parameters
    ----------
    patients
        N names: what is resampled together.
    ours, theirs
        N numbers each, of the same patients: 1 for a right answer and 0 for a wrong one, or an absolute error.
    resamples, seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        If there is no patient, or the numbers are not as many.
    """
    if not len(patients) == len(ours) == len(theirs) or not len(patients):
        raise ValueError(f"need a number of both models for each of {len(patients)} patients, one or more")
    values = np.stack([ours, theirs, ours - theirs], axis=1)

    def means(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        average: NDArray[np.float64] = weights @ values / weights.sum(axis=1, keepdims=True)
        return average

    drawn = bootstrap_distribution(patients, means, resamples, seed)
    mine, other, gap = (
        Estimate(float(plain), *(percentile_interval(column) or (None, None)))
        for plain, column in zip(values.mean(axis=0), drawn.T, strict=True)
    )
    return PairedComparison(mine, other, gap, bootstrap_p_value(drawn[:, 2]), len(patients))
