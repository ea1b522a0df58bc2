"""Figures of the benchmark ``malaria``: of patients, of attention against the labels of cells, and of its controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.app.malaria_bags import MalariaPatients, draw_bags
from hemascope.classify.linear_probe import fit_linear_probe
from hemascope.evaluate.estimate import Estimate
from hemascope.stats.ranking import auroc, auroc_statistic
from hemascope.stats.resample import Statistic

GRAY_BINS = 20
"""Bins of the gray values of a cell's pixels; with area and mean the 22 numbers of the control."""


def mean_of_repeats(statistics: Sequence[Statistic]) -> Statistic:
    """Return the mean of statistics, each on its own equal part of the weights."""

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = np.split(weights, len(statistics), axis=1)
        told = [one(part) for one, part in zip(statistics, parts, strict=True)]
        mean: NDArray[np.float64] = np.mean(told, axis=0)
        return mean

    return statistic


def patient_auroc(names: Sequence[str], scores: Sequence[NDArray[np.float64]], malaria: NDArray[np.bool_]) -> Estimate:
    """Return the area under the curve over patients, the mean over repeats; the interval resamples patients."""
    statistic = mean_of_repeats([auroc_statistic(score, malaria) for score in scores])
    return Estimate.resampled(np.tile(np.array(names), len(scores)), statistic)


def scores_of_draws(
    patients: MalariaPatients, evidence: NDArray[np.float64], size: int, top: int, draws: int, seed: int
) -> NDArray[np.float64]:
    """Return P scores: the mean over many bags of one size of the mean of the greatest evidences in each.

    Every bag has the same number of cells, so that the mean over bags does not rise with the number a patient has.

    Parameters
    ----------
    evidence
        N logits of cells.
    """
    told = [np.sort(evidence[draw_bags(patients, size, seed + draw)], axis=1)[:, -top:] for draw in range(draws)]
    mean: NDArray[np.float64] = np.mean(told, axis=(0, 2))
    return mean


def mean_of_folds(
    scores: Sequence[NDArray[np.float64]], folds: Sequence[NDArray[np.intp]], malaria: NDArray[np.bool_]
) -> Estimate:
    """Return the mean over repeats and folds of the area within a fold, where all scores come from one network."""
    areas = [
        auroc(score[fold == number], malaria[fold == number])
        for score, fold in zip(scores, folds, strict=True)
        for number in np.unique(fold)
    ]
    return Estimate(float(np.mean(areas)))


def cell_auroc(
    patients: MalariaPatients, scores: Sequence[NDArray[np.float64]], bags: Sequence[NDArray[np.intp]]
) -> dict[str, Estimate]:
    """Return how well scores of cells find the parasitized ones in bags of malaria patients.

    Parameters
    ----------
    scores
        Repeat by repeat P x n.
    bags
        Repeat by repeat the P x n rows of the cells.

    Returns
    -------
    dict
        ``within``: the mean over bags that hold both kinds, and over repeats, of the area in a bag. ``pooled``: the
        area over all cells of these bags together, the mean over repeats. Intervals resample patients.
    """
    sick = np.flatnonzero(patients.malaria)
    names = np.array(patients.names)[sick]
    within, pooled = [], []
    for score, rows in zip(scores, bags, strict=True):
        truth = patients.parasitized[rows[sick]]
        areas = np.array([auroc(own, kinds) for own, kinds in zip(score[sick], truth, strict=True)])
        within.append(_mean_statistic(areas))
        pooled.append(_by_bags(auroc_statistic(score[sick].ravel(), truth.ravel()), truth.shape[1]))
    groups = np.tile(names, len(scores))
    return {
        "within": Estimate.resampled(groups, mean_of_repeats(within)),
        "pooled": Estimate.resampled(groups, mean_of_repeats(pooled)),
    }


def gray_histograms(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return N x 22: shares of the cell's pixels in 20 bins of gray, share of the picture it covers, mean gray."""
    inside = images > 0
    area = np.maximum(inside.sum(axis=(1, 2)), 1)
    bins = np.minimum((images.astype(np.int64) - 1) * GRAY_BINS // 255, GRAY_BINS - 1)
    shares = [((bins == number) & inside).sum(axis=(1, 2)) / area for number in range(GRAY_BINS)]
    mean = images.sum(axis=(1, 2)) / area
    return np.stack([*shares, area / images[0].size, mean], axis=1)


def gray_percentiles(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return N x 22: twenty percentiles of a cell's gray from the least to the greatest, their mean and deviation.

    By a linear model they tell more than a histogram, whose bins do not say how dark the darkest pixels are. A picture
    without a cell counts as one gray value, 0.
    """
    places = np.linspace(0, 100, GRAY_BINS)
    rows = []
    for image in images:
        values = image[image > 0] if image.any() else np.zeros(1)
        rows.append([*np.percentile(values, places), values.mean(), values.std()])
    return np.array(rows, np.float64)


def gray_scores(values: NDArray[np.float64], malaria: NDArray[np.bool_], fold: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the log odds of P patients by logistic regression on P x 22 means, each fold by the others."""
    scores = np.zeros(len(values))
    for number in np.unique(fold):
        test = fold == number
        known = malaria[~test]
        weights = np.where(known, 0.5 / known.mean(), 0.5 / (~known).mean())
        probe = fit_linear_probe(
            values[~test], known.astype(np.intp), ("healthy", "malaria"), c=1.0, sample_weights=weights
        )
        logits = probe.logits(values[test].astype(np.float32))
        scores[test] = logits[:, 1] - logits[:, 0]
    return scores


def _mean_statistic(values: NDArray[np.float64]) -> Statistic:
    known = ~np.isnan(values)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        counted = weights[:, known]
        total = counted.sum(axis=1)
        mean: NDArray[np.float64] = np.divide(
            counted @ values[known], total, out=np.full_like(total, np.nan), where=total > 0
        )
        return mean

    return statistic


def _by_bags(of_cells: Statistic, size: int) -> Statistic:
    """Return a statistic of weights of cells as one of weights of their bags."""

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return of_cells(np.repeat(weights, size, axis=1))

    return statistic
