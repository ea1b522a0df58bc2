"""Whether prediction sets hold the true class as often as they say: over resplits, and on cells of another source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.linear_probe import balanced_weights, fit_linear_probe
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.leaks import check_disjoint_groups
from hemascope.stats.conformal import (
    Score,
    class_p_values,
    group_weights,
    marginal_p_values,
    nonconformity,
    p_values,
)
from hemascope.stats.resample import ratio_of_sums

RESPLITS = 200
"""Divisions into calibration and evaluation over which coverage is averaged."""


@dataclass(frozen=True, slots=True, eq=False)
class TypedAnswers:
    """What was said of cells whose class is known.

    Attributes
    ----------
    probabilities
        N x K float64, every row sums to 1.
    labels
        N true class numbers.
    groups
        N labels of what is alike: near-duplicates, a slide.
    """

    probabilities: NDArray[np.float64]
    labels: NDArray[np.intp]
    groups: NDArray[np.str_] | NDArray[np.intp]

    def where(self, mask: NDArray[np.bool_]) -> TypedAnswers:
        """Return the cells of a mask."""
        return TypedAnswers(self.probabilities[mask], self.labels[mask], self.groups[mask])


@dataclass(frozen=True, slots=True)
class SetMethod:
    """How sets are made.

    Attributes
    ----------
    score
        See ``stats.conformal.nonconformity``.
    by_class
        Whether each class is compared with calibration cells of its own alone.
    """

    score: Score
    by_class: bool

    @property
    def name(self) -> str:
        """Part of a key: ``lac.by_type``."""
        return f"{self.score}.{'by_type' if self.by_class else 'marginal'}"

    def p_values(
        self,
        calibration: TypedAnswers,
        asked: NDArray[np.float64],
        rng: np.random.Generator,
        class_ratios: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return randomized p-values N x K of cells of probabilities ``asked``; see ``stats.conformal``.

        Of each group one cell, drawn at random, calibrates: for a cell of a new group the coverage is then exact,
        where weights within groups, which use all cells and leave out chance, make it greater.

        Raises
        ------
        ValueError
            If ratios of class shares are given for sets by class, which need none.
        """
        if self.by_class and class_ratios is not None:
            raise ValueError("sets by class hold whatever the shares of the classes: give no ratios")
        calibration = calibration.where(_one_a_group(calibration.groups, rng))
        known = nonconformity(calibration.probabilities, self.score, rng.uniform(size=len(calibration.labels)))
        scores = nonconformity(asked, self.score, rng.uniform(size=len(asked)))
        ties = rng.uniform(size=len(asked))
        if self.by_class:
            return class_p_values(known, calibration.labels, scores, ties=ties)
        return marginal_p_values(known, calibration.labels, scores, class_ratios=class_ratios, ties=ties)


Groups = NDArray[np.str_] | NDArray[np.intp]
"""N names or numbers of groups."""

Division = Callable[[Groups, np.random.Generator], NDArray[np.bool_]]
"""Groups of N cells to which of the cells calibrate; the others are evaluated."""


def half_of_groups(groups: Groups, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return a mask of the cells of a random half of the groups, the smaller half of an odd number."""
    names, member_of = np.unique(groups, return_inverse=True)
    chosen = np.zeros(len(names), bool)
    chosen[rng.permutation(len(names))[: len(names) // 2]] = True
    return chosen[member_of]


def groups_of_at_most(cells: int) -> Division:
    """Return a division by which whole random groups calibrate, as many as hold at most ``cells`` cells together."""

    def divide(groups: Groups, rng: np.random.Generator) -> NDArray[np.bool_]:
        names, member_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        order = rng.permutation(len(names))
        chosen = np.zeros(len(names), bool)
        chosen[order[np.cumsum(sizes[order]) <= cells]] = True
        return chosen[member_of]

    return divide


def resplit_figures(
    answers: TypedAnswers,
    method: SetMethod,
    alpha: float,
    *,
    divide: Division = half_of_groups,
    resplits: int = RESPLITS,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return the means over resplits, and the central 95% of them as interval.

    Parameters
    ----------
    answers
        Cells that are exchangeable by groups, none of which the classifier was fitted on.
    method
        Sets are randomized, so that the coverage is exact on average.
    alpha
        Probability of a set without the true class.
    divide
        Which cells calibrate.
    resplits, seed
        How many, and of the generator.

    Returns
    -------
    ``coverage``, each group counted once; ``lowest_type_coverage``, the least of the classes' mean coverages, over
    classes of 10 cells or more; ``size``, mean number of classes in a set; ``empty`` and ``single``, shares of sets
    with none and with one class.

    Raises
    ------
    ValueError
        If a division leaves no cell to calibrate or to evaluate.
    """
    rng = np.random.default_rng(seed)
    rows, by_class = [], []
    # Numbers for names: they are compared hundreds of times.
    numbered = TypedAnswers(answers.probabilities, answers.labels, np.unique(answers.groups, return_inverse=True)[1])
    for _ in range(resplits):
        mask = divide(numbered.groups, rng)
        known, asked = numbered.where(mask), numbered.where(~mask)
        if not len(known.labels) or not len(asked.labels):
            raise ValueError(f"{len(answers.labels)} cells cannot be divided: no cell is left on one side")
        if len(np.intersect1d(known.groups, asked.groups)):
            check_disjoint_groups(answers.groups[mask], answers.groups[~mask], train="calibration", test="evaluation")
        held = method.p_values(known, asked.probabilities, rng) > alpha
        rows.append(_figures(held, asked))
        by_class.append(_class_coverage(held, asked))
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    found = {name: Estimate(float(v.mean()), *map(float, np.quantile(v, (0.025, 0.975)))) for name, v in values.items()}
    common = np.bincount(answers.labels, minlength=answers.probabilities.shape[1]) >= 10
    lowest = np.nanmean(np.stack(by_class)[:, common], axis=0) if common.any() else np.array([np.nan])
    found["lowest_type_coverage"] = Estimate(float(lowest.min()) if np.isfinite(lowest).all() else None)
    return found


def source_figures(held: NDArray[np.float64], answers: TypedAnswers) -> dict[str, Estimate]:
    """Return coverage and size of sets of cells of one source, each group counted once, with bootstrap intervals.

    Parameters
    ----------
    held
        N x K, 0 to 1: how often each class is in the set, over draws of what is random.
    answers
        The same cells.
    """
    weights = group_weights(answers.groups)
    inside = held[np.arange(len(held)), answers.labels]
    columns = {"coverage": inside, "size": held.sum(axis=1)}
    return {
        name: Estimate.resampled(answers.groups, ratio_of_sums(weights * values, weights))
        for name, values in columns.items()
    }


def average_sets(
    method: SetMethod,
    calibration: TypedAnswers,
    asked: NDArray[np.float64],
    alpha: float,
    *,
    class_ratios: NDArray[np.float64] | None = None,
    draws: int = 50,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return how often each class is in the randomized set of each cell, N x K, over draws of the ties."""
    rng = np.random.default_rng(seed)
    total = np.zeros(asked.shape)
    for _ in range(draws):
        total += method.p_values(calibration, asked, rng, class_ratios) > alpha
    return total / draws


def likelihood_ratios(
    here: NDArray[np.float32], there: NDArray[np.float32], c: float = 0.01
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how much likelier each cell is there than here, for N cells from here and M from there.

    Odds of a logistic regression of the two sources on embeddings, both counted alike: the weights of conformal
    prediction under covariate shift. Where the sources can be told apart surely, the weights of cells from here vanish
    beside those from there, and every class is in every set.

    Parameters
    ----------
    here, there
        N x D and M x D embeddings.
    c
        Of the regression; small, since odds of hundreds of dimensions are easily too sure.
    """
    both = np.concatenate([here, there])
    side = np.repeat([0, 1], [len(here), len(there)])
    probe = fit_linear_probe(both, side, ("here", "there"), c=c, class_weights=balanced_weights(side, 2))
    logits = probe.logits(both)
    odds = np.exp(np.clip(logits[:, 1] - logits[:, 0], -30, 30))
    return odds[: len(here)], odds[len(here) :]


def weighted_sets(
    calibration: TypedAnswers,
    asked: NDArray[np.float64],
    ratios: tuple[NDArray[np.float64], NDArray[np.float64]],
    alpha: float,
    *,
    draws: int = 50,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return how often each class is in the set of each cell by ``lac``, weighted by ``likelihood_ratios``, N x K."""
    rng = np.random.default_rng(seed)
    known = nonconformity(calibration.probabilities)[np.arange(len(calibration.labels)), calibration.labels]
    weights = group_weights(calibration.groups) * ratios[0]
    total = np.zeros(asked.shape)
    for _ in range(draws):
        ties = rng.uniform(size=len(asked))
        p = p_values(known, nonconformity(asked), weights=weights, own_weights=ratios[1][:, None], ties=ties)
        total += p > alpha
    return total / draws


def _one_a_group(groups: Groups, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return a mask of one cell of each group, drawn at random."""
    order = rng.permutation(len(groups))
    _, first = np.unique(groups[order], return_index=True)
    chosen = np.zeros(len(groups), bool)
    chosen[order[first]] = True
    return chosen


def _figures(held: NDArray[np.bool_], answers: TypedAnswers) -> dict[str, float]:
    weights = group_weights(answers.groups)
    weights = weights / weights.sum()
    sizes = held.sum(axis=1)
    inside = held[np.arange(len(held)), answers.labels]
    columns = {"coverage": inside, "size": sizes, "empty": sizes == 0, "single": sizes == 1}
    return {name: float(weights @ values) for name, values in columns.items()}


def _class_coverage(held: NDArray[np.bool_], answers: TypedAnswers) -> NDArray[np.float64]:
    """Return the coverage of each class, NaN where it does not occur."""
    weights = group_weights(answers.groups)
    inside = weights * held[np.arange(len(held)), answers.labels]
    count = held.shape[1]
    total = np.bincount(answers.labels, weights, minlength=count)
    hit = np.bincount(answers.labels, inside, minlength=count)
    return np.asarray(np.divide(hit, total, out=np.full(count, np.nan), where=total > 0), np.float64)
