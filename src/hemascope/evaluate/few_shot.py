"""Few labels a class: seeded draws by group, and figures over several draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.core.errors import DataSetError
from hemascope.evaluate.estimate import Estimate
from hemascope.stats.resample import bootstrap_distribution, percentile_interval


def draw_few(labels: ArrayLike, groups: ArrayLike, per_class: int, seed: int) -> NDArray[np.intp]:
    """Return the rows of a seeded draw of ``per_class`` examples of every class that occurs, one a group.

    Parameters
    ----------
    labels
        N class numbers.
    groups
        N labels of near-duplicates, slides or patients: no two drawn examples share one, so that a draw is of as many
        independent cells as it says.
    per_class
        How many.
    seed
        Of the generator.

    Raises
    ------
    DataSetError
        If a class has not as many groups.
    """
    truth, names = np.asarray(labels, np.intp), np.asarray(groups)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(truth))
    drawn: list[int] = []
    used: set[object] = set()
    for number in np.unique(truth):
        taken = 0
        for row in order[truth[order] == number]:
            if taken < per_class and names[row] not in used:
                used.add(names[row])
                drawn.append(int(row))
                taken += 1
        if taken < per_class:
            raise DataSetError(f"class {number} has {taken} groups to draw from, not {per_class}; draw fewer")
    return np.array(drawn, np.intp)


def rest_of_pool(groups: ArrayLike, drawn: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the rows that share no group with a drawn one: what an unlabeled pool may hold."""
    names = np.asarray(groups)
    return np.flatnonzero(~np.isin(names, names[drawn]))


def score_draws(told: Sequence[ArrayLike], labels: ArrayLike, groups: ArrayLike) -> dict[str, Estimate]:
    """Return figures of several answers to the same cells, one a draw.

    ``accuracy`` and ``balanced_accuracy`` (mean recall of the classes that occur) are means over the draws. Their
    intervals resample the draws and the groups of test cells together: both are samples. ``*_spread`` is the standard
    deviation over the draws, undefined for one.

    Parameters
    ----------
    told
        For each draw, N class numbers.
    labels, groups
        N true class numbers, and what is resampled together.

    Raises
    ------
    ValueError
        If there is no draw or no cell, or the shapes disagree.
    """
    truth = np.asarray(labels, np.intp)
    right = np.array([np.asarray(answers, np.intp) == truth for answers in told], np.float64)
    if right.ndim != 2 or not right.size:
        raise ValueError(f"need answers of the same {len(truth)} > 0 cells in every draw")
    one_hot = np.eye(int(truth.max()) + 1)[truth]
    figures: dict[str, Estimate] = {}
    for name, balanced in (("accuracy", False), ("balanced_accuracy", True)):
        plain = _by_draw(right, one_hot, np.ones((1, len(truth))), balanced)[0]
        figures[name] = Estimate(float(plain.mean()), *_limits(right, one_hot, groups, balanced))
        figures[f"{name}_spread"] = Estimate(float(plain.std(ddof=1)) if len(plain) > 1 else None)
    return figures


def _limits(
    right: NDArray[np.float64], one_hot: NDArray[np.float64], groups: ArrayLike, balanced: bool
) -> tuple[float, float] | tuple[None, None]:
    generator = np.random.default_rng(1)

    def mean_of_drawn(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        values = _by_draw(right, one_hot, weights, balanced)
        chosen = generator.integers(values.shape[1], size=values.shape)
        mean: NDArray[np.float64] = np.take_along_axis(values, chosen, axis=1).mean(axis=1)
        return mean

    limits = percentile_interval(bootstrap_distribution(groups, mean_of_drawn))
    return (None, None) if limits is None else limits


def _by_draw(
    right: NDArray[np.float64], one_hot: NDArray[np.float64], weights: NDArray[np.float64], balanced: bool
) -> NDArray[np.float64]:
    """Return B x draws accuracies under B x N weights."""
    if not balanced:
        shares: NDArray[np.float64] = weights @ right.T / weights.sum(axis=1, keepdims=True)
        return shares
    present = weights @ one_hot
    recalls = [
        np.divide(weights @ (one_hot * row[:, None]), present, out=np.full_like(present, np.nan), where=present > 0)
        for row in right
    ]
    return np.asarray(np.nanmean(np.stack(recalls, axis=1), axis=2), np.float64)
