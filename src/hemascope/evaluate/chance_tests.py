"""Whether labels go with something by more than chance: tests whose p values hold for rare labels and small groups.

Where labels are dealt anew at random, dealing stops as soon as chance has done as well often enough (Besag, Clifford.
Sequential Monte Carlo p-values. Biometrika 1991;78:301-304): the p value is valid, and most tests end soon. scipy is
imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ENOUGH = 20
"""Random deals as good as the truth after which no more are made."""

_FOLDS = 5
_RIDGE = 1.0
_FIRST_BLOCK, _BLOCK = 40, 1000


class Association(NamedTuple):
    """How strongly two things go together, and how easily chance does that.

    Attributes
    ----------
    effect
        Its meaning depends on the test.
    p
        Probability of as much by chance, 0 to 1.
    """

    effect: float
    p: float


def categories_together(first: NDArray[np.intp], second: NDArray[np.intp], draws: int, seed: int) -> Association:
    """Return whether two categories of N people depend on each other.

    Parameters
    ----------
    first, second
        N codes of 0 or more each.
    draws
        Tables drawn with the same margins, at most.
    seed
        Of the draws.

    Returns
    -------
    The effect is Cramer's V, 0 to 1, without the part that chance alone brings (Bergsma W. J Korean Stat Soc
    2013;42:323-328); p is that of Pearson's chi-squared, with margins held.
    """
    from scipy.stats import random_table

    table = _table(first, second)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    told = float(((table - expected) ** 2 / expected).sum())
    law = random_table(table.sum(axis=1), table.sum(axis=0))
    generator = np.random.default_rng(seed)

    def deal(count: int) -> NDArray[np.float64]:
        drawn = law.rvs(size=count, random_state=generator).reshape(count, *table.shape)
        return np.asarray(((drawn - expected) ** 2 / expected).sum(axis=(1, 2)), np.float64)

    return Association(_cramers_v(told, table.shape, int(table.sum())), chance_of(told, deal, draws))


def _table(first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.intp]:
    _, rows = np.unique(first, return_inverse=True)
    _, columns = np.unique(second, return_inverse=True)
    table = np.zeros((rows.max() + 1, columns.max() + 1), np.intp)
    np.add.at(table, (rows, columns), 1)
    return table


def _cramers_v(squared: float, shape: tuple[int, ...], people: int) -> float:
    rows, columns = shape
    if min(shape) < 2 or people < 3:
        return 0.0
    chance = (rows - 1) * (columns - 1) / (people - 1)
    least = min(side - (side - 1) ** 2 / (people - 1) for side in (rows, columns)) - 1
    return float(np.sqrt(max(squared / people - chance, 0.0) / least)) if least > 0 else 0.0


def groups_differ(numbers: NDArray[np.float64], groups: NDArray[np.intp]) -> Association:
    """Return whether N numbers differ between groups: Kruskal and Wallis.

    Returns
    -------
    The effect is epsilon squared, H / (N - 1), 0 to 1 (Tomczak, Tomczak. Trends Sport Sci 2014;21:19-25).
    """
    from scipy.stats import kruskal

    if len(np.unique(numbers)) < 2:
        return Association(0.0, 1.0)
    found = kruskal(*(numbers[groups == group] for group in np.unique(groups)))
    return Association(float(found.statistic) / (len(numbers) - 1), float(found.pvalue))


def numbers_together(first: NDArray[np.float64], second: NDArray[np.float64]) -> Association:
    """Return whether two numbers of N people rise together: Spearman's rank correlation, -1 to 1, is the effect."""
    from scipy.stats import spearmanr

    if len(np.unique(first)) < 2 or len(np.unique(second)) < 2:
        return Association(0.0, 1.0)
    found = spearmanr(first, second)
    return Association(float(found.statistic), float(found.pvalue))


def predicts(features: NDArray[np.float64], groups: NDArray[np.intp], draws: int, seed: int) -> Association:
    """Return whether features tell the group of people they were not fitted on.

    Ridge regression on standardized features, five-fold cross-validation; labels are dealt anew for the p value.

    Parameters
    ----------
    features
        N x A.
    groups
        N codes: two groups or more.
    draws
        Deals at most.
    seed
        Of folds and deals.

    Returns
    -------
    The effect is the area under the ROC curve, of each group against the others and averaged where there are more than
    two; 0.5 is chance.
    """
    codes = np.unique(groups)
    asked = codes[1:] if len(codes) == 2 else codes
    generator = np.random.default_rng(seed)
    answer = _cross_validated(features, generator)

    def areas(dealt: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return B areas of B x N labels."""
        every = [_areas(answer((dealt == code).astype(np.float64)), dealt == code) for code in asked]
        return np.asarray(np.mean(every, axis=0), np.float64)

    told = float(areas(groups[None])[0])
    return Association(
        told, chance_of(told, lambda count: areas(generator.permuted(np.tile(groups, (count, 1)), axis=1)), draws)
    )


def _cross_validated(
    features: NDArray[np.float64], generator: np.random.Generator
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return what turns B x N targets into B x N answers, each from the other folds.

    They have no intercept: it would tell how many of a kind were left out.
    """
    people = len(features)
    folds = generator.permutation(np.arange(people) % _FOLDS)
    maps = []
    for fold in range(min(_FOLDS, people)):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        mean, spread = features[inside].mean(axis=0), features[inside].std(axis=0)
        standard = (features - mean) / np.where(spread > 0, spread, 1)
        gram = standard[inside].T @ standard[inside] + _RIDGE * np.eye(features.shape[1])
        maps.append((inside, outside, standard[outside] @ np.linalg.solve(gram, standard[inside].T)))

    def answer(targets: NDArray[np.float64]) -> NDArray[np.float64]:
        answers = np.empty_like(targets)
        for inside, outside, weights in maps:
            seen = targets[:, inside]
            answers[:, outside] = (seen - seen.mean(axis=1, keepdims=True)) @ weights.T
        return answers

    return answer


def _areas(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the area under the ROC curve of each row; ties count as they come."""
    ranks = np.empty(scores.shape)
    np.put_along_axis(ranks, np.argsort(scores, axis=1), np.arange(1.0, scores.shape[1] + 1)[None], axis=1)
    count = positive.sum(axis=1)
    above = (ranks * positive).sum(axis=1) - count * (count + 1) / 2
    return np.asarray(above / (count * (scores.shape[1] - count)), np.float64)


def chance_of(told: float, deal: Callable[[int], NDArray[np.float64]], draws: int) -> float:
    """Return the probability that chance does as well, 1 / (draws + 1) at least.

    Parameters
    ----------
    told
        What was found, greater for more.
    deal
        Returns as many figures by chance as it is asked for.
    draws
        Figures by chance, at most.
    """
    seen = equal = 0
    for count in _blocks(draws):
        as_good = np.flatnonzero(deal(count) >= told - 1e-12)
        if equal + len(as_good) >= _ENOUGH:
            return _ENOUGH / (seen + int(as_good[_ENOUGH - equal - 1]) + 1)
        seen, equal = seen + count, equal + len(as_good)
    return (equal + 1) / (seen + 1)


def _blocks(draws: int) -> Iterator[int]:
    """Yield sizes of blocks that sum to the draws, a small one first."""
    done, size = 0, _FIRST_BLOCK
    while done < draws:
        yield min(size, draws - done)
        done, size = done + size, min(5 * size, _BLOCK)
