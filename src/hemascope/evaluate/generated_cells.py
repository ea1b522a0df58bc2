"""Generated cells against real ones that the generator was not trained on: alike, various, right, and not copied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.stats.sample_distance import Nearest, frechet_distance, kernel_distance, nearest_points, precision_recall

COPY_QUANTILE = 0.01
"""Share of the held-out real cells that lie nearer to a training cell than what counts as suspiciously near."""

AROUND = 50
"""Training cells around a cell that its nearest is compared with (Carlini et al., USENIX Security 2023)."""

_NORMAL_95 = 1.959963984540054


def compare_samples(
    made: ArrayLike, real: ArrayLike, strata: tuple[ArrayLike, ArrayLike] | None = None
) -> dict[str, Estimate]:
    """Return ``frechet``, ``kernel``, ``precision`` and ``recall`` of made cells against as many real ones.

    Parameters
    ----------
    made, real
        N x D embeddings each. Of equal number, since all figures but one depend on it.
    strata
        Class numbers of both, where cells were drawn class by class; see ``kernel_distance``.

    Raises
    ------
    ValueError
        If the numbers differ or are too small, or a value is not finite.
    """
    x, y = np.asarray(made, np.float64), np.asarray(real, np.float64)
    if len(x) != len(y):
        raise ValueError(f"compare equal numbers of cells, not {len(x)} and {len(y)}: the distances depend on them")
    kernel, regions = kernel_distance(x, y, strata), precision_recall(x, y)
    reach = _NORMAL_95 * kernel.standard_error
    return {
        "frechet": Estimate(frechet_distance(x, y)),
        "kernel": Estimate(kernel.value, kernel.value - reach, kernel.value + reach),
        "precision": Estimate(regions.precision),
        "recall": Estimate(regions.recall),
    }


def compare_by_class(
    made: NDArray[np.floating], made_classes: ArrayLike, real: NDArray[np.floating], real_classes: ArrayLike
) -> dict[str, Estimate]:
    """Return the figures over all cells, and ``class_frechet``, ``class_kernel``: means of those within each class.

    Parameters
    ----------
    made, real
        N x D embeddings each.
    made_classes, real_classes
        N class numbers each; of every class as many made as real.
    """
    of_made, of_real = np.asarray(made_classes, np.intp), np.asarray(real_classes, np.intp)
    each = [compare_samples(made[of_made == k], real[of_real == k]) for k in np.unique(of_real)]
    figures = compare_samples(made, real, (of_made, of_real))
    for name in ("frechet", "kernel", "precision", "recall"):
        values = [one[name].value for one in each]
        figures[f"class_{name}"] = Estimate(float(np.mean([value for value in values if value is not None])))
    return figures


@dataclass(frozen=True, slots=True, eq=False)
class NearestTraining:
    """How near some cells are to the training cells.

    Attributes
    ----------
    rows
        N rows of the nearest training cell.
    looks
        N numbers of the look at the cell that was nearest.
    distances
        N distances to it.
    ratios
        N distances to it over the mean of those to the ``AROUND`` nearest, 0 to 1: a copy is far nearer to one training
        cell than to the others; a smooth picture is near to all of them.
    """

    rows: NDArray[np.intp]
    looks: NDArray[np.intp]
    distances: NDArray[np.float64]
    ratios: NDArray[np.float64]


def nearest_training(looks: Iterable[NDArray[np.floating]], training: NDArray[np.floating]) -> NearestTraining:
    """Return the nearest training cell of every cell, over several looks at it.

    Parameters
    ----------
    looks
        For each look, N x D numbers; at least one. Only one is held at a time.
    training
        M x D.
    """
    count = min(AROUND, len(training))
    best: NearestTraining | None = None
    for number, cells in enumerate(looks):
        found = _summed_up(nearest_points(cells, training, count), number)
        best = found if best is None else _nearer(best, found)
    if best is None:
        raise ValueError("need at least one look")
    return best


def memorization(made: NearestTraining, held_out: NearestTraining) -> dict[str, Estimate]:
    """Return how much nearer to the training cells generated cells are than real ones held out.

    Returns
    -------
    ``median_over_real``: median distance over that of the held-out cells, 1 if both are alike. ``nearer_than_real``:
    share nearer than all but ``COPY_QUANTILE`` of the held-out cells, which by itself would be that share.
    ``ratio_below_real``: the same of the ratios, which smoothness does not lower. Shares with exact intervals.

    Raises
    ------
    ValueError
        If either holds no cell.
    """
    if not len(made.distances) or not len(held_out.distances):
        raise ValueError("need generated and held-out cells")
    figures = {
        "median_over_real": Estimate(_over(float(np.median(made.distances)), float(np.median(held_out.distances))))
    }
    for name, of_made, of_real in (
        ("nearer_than_real", made.distances, held_out.distances),
        ("ratio_below_real", made.ratios, held_out.ratios),
    ):
        limit = float(np.quantile(of_real, COPY_QUANTILE))
        figures[name] = Estimate.share(int((of_made < limit).sum()), len(of_made))
    return figures


def told_as_asked(told: ArrayLike, asked: ArrayLike) -> Estimate:
    """Return the share of generated cells that a classifier of real cells takes for what was asked for."""
    right = np.asarray(told, np.intp) == np.asarray(asked, np.intp)
    return Estimate.share(int(right.sum()), len(right))


def _summed_up(found: Nearest, look: int) -> NearestTraining:
    nearest, around = found.distances[:, 0], found.distances.mean(axis=1)
    ratios = np.divide(nearest, around, out=np.ones_like(nearest), where=around > 0)
    return NearestTraining(found.rows[:, 0], np.full(len(nearest), look, np.intp), nearest, ratios)


def _nearer(first: NearestTraining, second: NearestTraining) -> NearestTraining:
    """Return the nearer of two answers for each cell, the first where they are equal."""
    later = second.distances < first.distances
    return NearestTraining(
        *(
            np.where(later, getattr(second, name), getattr(first, name))
            for name in ("rows", "looks", "distances", "ratios")
        )
    )


def _over(value: float, reference: float) -> float | None:
    return value / reference if reference > 0 else None
