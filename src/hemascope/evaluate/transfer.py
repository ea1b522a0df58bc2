"""Trained in one laboratory, asked in others: mean recall by source, and choices made on the other sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.stats.resample import Statistic, bootstrap_distribution, percentile_interval

LEAST_CELLS = 10
"""A type with fewer cells in a source is not counted there: its recall would be noise."""

_Answers = TypeVar("_Answers")


@dataclass(frozen=True, slots=True, eq=False)
class SourceAnswers:
    """What was told of the cells of one source.

    Attributes
    ----------
    labels, told
        N class numbers, true and told.
    groups
        N labels of what is resampled together.
    """

    labels: NDArray[np.intp]
    told: NDArray[np.intp]
    groups: NDArray[np.str_]


def counted_types(labels: ArrayLike, least: int = LEAST_CELLS) -> NDArray[np.intp]:
    """Return the class numbers with at least ``least`` cells."""
    numbers, counts = np.unique(np.asarray(labels, np.intp), return_counts=True)
    return np.asarray(numbers[counts >= least], np.intp)


def mean_recall(answers: SourceAnswers) -> float:
    """Return the mean recall over the types that count; NaN where none does."""
    return float(_recall_statistic(answers)(np.ones((1, len(answers.labels))))[0])


def score_source(answers: SourceAnswers) -> dict[str, Estimate]:
    """Return ``mean_recall`` with its bootstrap interval over groups, and how many ``cells`` and ``types`` count.

    A resample without any cell of a type takes the mean over the others.
    """
    types = counted_types(answers.labels)
    return {
        "mean_recall": Estimate.resampled(answers.groups, _recall_statistic(answers)),
        "types": Estimate(len(types)),
        "cells": Estimate(int(np.isin(answers.labels, types).sum())),
    }


def score_sources(answers: Mapping[str, SourceAnswers]) -> Estimate:
    """Return the mean over sources of their mean recall; in its interval each source is resampled by itself."""
    values = [mean_recall(source) for source in answers.values()]
    if not values or not np.isfinite(values).all():
        return Estimate(None)
    drawn = [
        bootstrap_distribution(source.groups, _recall_statistic(source), seed=seed)
        for seed, source in enumerate(answers.values())
    ]
    limits = percentile_interval(np.mean(drawn, axis=0))
    return Estimate(float(np.mean(values)), *(limits or (None, None)))


def gained_recall(answers: Mapping[str, SourceAnswers], others: Mapping[str, SourceAnswers]) -> Estimate:
    """Return by how much the mean over sources of mean recall exceeds that of other answers to the same cells.

    Both see the same resamples, so the interval is that of the paired difference.

    Raises
    ------
    ValueError
        If the sources, or the cells of one, differ.
    """
    if list(answers) != list(others) or any(
        not np.array_equal(answers[name].labels, others[name].labels) for name in answers
    ):
        raise ValueError("a gain is over answers to the same cells of the same sources")
    values, drawn = [], []
    for seed, (name, source) in enumerate(answers.items()):
        statistics = _recall_statistic(source), _recall_statistic(others[name])
        values.append(mean_recall(source) - mean_recall(others[name]))
        ours, theirs = (bootstrap_distribution(source.groups, each, seed=seed) for each in statistics)
        drawn.append(ours - theirs)
    if not values or not np.isfinite(values).all():
        return Estimate(None)
    limits = percentile_interval(np.mean(drawn, axis=0))
    return Estimate(float(np.mean(values)), *(limits or (None, None)))


def choose_by_others(figures: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Return for each source the variant that is best on the mean of all the other sources.

    The source's own labels have no part in its choice. Of equals the first stands: list the simplest first.

    Parameters
    ----------
    figures
        Variant to source to figure; every variant has the same sources, at least two.

    Raises
    ------
    ValueError
        If there is no variant, fewer than two sources, or the variants' sources differ.
    """
    names = list(figures)
    sources = list(figures[names[0]]) if names else []
    if len(sources) < 2 or any(list(figures[name]) != sources for name in names):
        raise ValueError("a choice by others needs a variant, and at least two sources that all variants share")
    chosen = {}
    for source in sources:
        others = [other for other in sources if other != source]
        means = [float(np.mean([figures[name][other] for other in others])) for name in names]
        chosen[source] = names[int(np.argmax(np.round(means, 9)))]
    return chosen


def pick(variants: Mapping[str, Mapping[str, _Answers]], chosen: Mapping[str, str]) -> dict[str, _Answers]:
    """Return for each source the answers of the variant that was chosen for it."""
    return {source: variants[name][source] for source, name in chosen.items()}


def _recall_statistic(answers: SourceAnswers) -> Statistic:
    types: Sequence[int] = counted_types(answers.labels).tolist()
    truth = np.stack([answers.labels == k for k in types], axis=1).astype(np.float64) if types else None
    right = None if truth is None else truth * (answers.told == answers.labels)[:, None]

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        if truth is None or right is None:
            return np.full(len(weights), np.nan)
        present = weights @ truth
        recalls = np.divide(weights @ right, present, out=np.zeros_like(present), where=present > 0)
        counted = (present > 0).sum(axis=1)
        mean: NDArray[np.float64] = np.where(counted > 0, recalls.sum(axis=1) / np.maximum(counted, 1), np.nan)
        return mean

    return statistic
