"""Which pixels of a map of changes lie beyond chance, and beyond what is too little to matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemascope.explain.counterfactual import ChangeMap
from hemascope.stats.false_discovery import benjamini_hochberg, simes

FALSE_DISCOVERIES = 0.05
"""Share of the marked pixels that may be marked by chance."""


def beyond_chance(
    change: ChangeMap, inside: NDArray[np.bool_], least: float = 0.0, rate: float = FALSE_DISCOVERIES
) -> NDArray[np.bool_]:
    """Return the pixels in which a channel changes by more than ``least``, false discoveries controlled.

    Each channel of each pixel is tested against a change of at most ``least`` either way, by Student's t over pairs of
    trials. Simes' rule makes one p value of a pixel's channels; Benjamini and Hochberg's chooses the pixels. Without
    ``least``, enough trials would mark every pixel: no denoiser answers to two classes exactly alike.

    Parameters
    ----------
    change
        C x H x W.
    inside
        H x W bool, pixels that are asked about.
    least
        Size of a change that is too little to matter, 0 or more, in units of the sample.
    rate
        False discovery rate.

    Returns
    -------
    H x W bool, False outside.
    """
    marked = np.zeros(inside.shape, np.bool_)
    if inside.any():
        p_values = simes(_p_values(change, least)[:, inside], axis=0)
        marked[inside] = benjamini_hochberg(p_values, rate)
    return marked


def _p_values(change: ChangeMap, least: float) -> NDArray[np.float64]:
    """Return the p value of |change| <= least in every number of a map; 0 or 1 where there is no error at all."""
    from scipy.special import stdtr

    size = np.abs(change.mean)
    error = np.where(change.error > 0, change.error, 1.0)
    tails = stdtr(change.freedom, (least - size) / error) + stdtr(change.freedom, (-least - size) / error)
    exact = np.where(size > least, 0.0, 1.0)
    return np.asarray(np.where(change.error > 0, np.clip(tails, 0, 1), exact), np.float64)
