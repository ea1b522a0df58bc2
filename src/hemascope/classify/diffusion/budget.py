"""What a cascade may cost: its threshold by a budget of passes, and accuracy against passes to choose one by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.classify.diffusion.cascade import join

SHARES = tuple(step / 20 for step in range(41))
"""Factors of the second model's log probabilities that ``fit_share`` tries: 0 to 2."""


def fit_share(first: ArrayLike, second: ArrayLike, labels: ArrayLike, shares: Sequence[float] = SHARES) -> float:
    """Return the share at which the joined log probabilities of validation cells are best (log likelihood).

    Parameters
    ----------
    first, second
        As for ``join``, of the validation cells that are passed on.
    labels
        N true class numbers.
    shares
        To choose from; the least of equals is taken.

    Raises
    ------
    ValueError
        If there is no cell.
    """
    truth = np.asarray(labels, np.intp)
    if not len(truth):
        raise ValueError("a share is fitted on at least one cell that is passed on")
    gains = [float(join(first, second, share)[np.arange(len(truth)), truth].mean()) for share in shares]
    return float(shares[int(np.argmax(gains))])


def choose_threshold(log_probabilities: ArrayLike, passes: ArrayLike, budget: float) -> float:
    """Return the greatest threshold at which validation cells cost no more than the budget.

    Parameters
    ----------
    log_probabilities
        N x K of the first model.
    passes
        N numbers of passes that the second model took for each cell, or would take.
    budget
        Mean passes a cell, 0 or more, over all cells.

    Returns
    -------
    float
        Of the greatest probability: cells below it are passed on. Cells of equal probability are passed on together or
        not at all. 0 where none may be, above 1 where all may.

    Raises
    ------
    ValueError
        If there is no cell, lengths disagree, or the budget is negative.
    """
    sure = np.exp(np.asarray(log_probabilities, np.float64).max(axis=1))
    cost = np.asarray(passes, np.float64)
    if not len(sure) or cost.shape != sure.shape or not budget >= 0:
        raise ValueError(f"need passes of every one of {len(sure)} > 0 cells and a budget of 0 or more, not {budget}")
    order = np.argsort(sure, kind="stable")
    ranked = sure[order]
    affordable = np.concatenate([[0.0], np.cumsum(cost[order])]) / len(cost) <= budget * (1 + 1e-12)
    starts = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])  # a threshold cannot part equals
    most = int(np.flatnonzero(affordable & starts)[-1])
    if most == 0:
        return 0.0
    return float(ranked[most]) if most < len(ranked) else float(np.nextafter(max(1.0, ranked[-1]), 2.0))


@dataclass(frozen=True, slots=True, eq=False)
class BothAnswers:
    """What both models say of the same N cells: what a curve over budgets is made from.

    Attributes
    ----------
    first
        N x K calibrated log probabilities of the first model.
    second
        N x K calibrated logits of the second, asked for every cell's candidates; -inf for the others.
    passes
        N numbers of passes that took.
    labels
        N true class numbers.
    """

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    passes: NDArray[np.intp]
    labels: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class BudgetPoint:
    """Accuracy at one budget.

    Attributes
    ----------
    budget
        Mean passes a cell that was allowed on validation cells.
    threshold
        That it led to.
    passes
        Mean passes a cell spent.
    passed_on
        Share of cells that the denoiser was asked about.
    accuracy, balanced_accuracy
        Of the cascade; balanced over the classes that occur.
    """

    budget: float
    threshold: float
    passes: float
    passed_on: float
    accuracy: float
    balanced_accuracy: float


def budget_curve(
    validation: BothAnswers, tested: BothAnswers, budgets: Sequence[float], share: float | None = None
) -> list[BudgetPoint]:
    """Return accuracy against passes: thresholds and share from validation cells, figures from the others.

    Parameters
    ----------
    validation, tested
        Answers to different cells. Give the validation cells twice to choose a budget.
    budgets
        Mean passes a cell.
    share
        See ``Cascade``; None fits it on the validation cells that each budget passes on.
    """
    return [_point(validation, tested, budget, share) for budget in budgets]


def _point(validation: BothAnswers, tested: BothAnswers, budget: float, share: float | None) -> BudgetPoint:
    threshold = choose_threshold(validation.first, validation.passes, budget)
    if share is None:
        unsure = np.exp(validation.first.max(axis=1)) < threshold
        known = (validation.first[unsure], validation.second[unsure], validation.labels[unsure])
        share = fit_share(*known) if unsure.any() else 0.0
    asked = np.exp(tested.first.max(axis=1)) < threshold
    joined = np.where(asked[:, None], join(tested.first, tested.second, share), tested.first)
    right = joined.argmax(axis=1) == tested.labels
    return BudgetPoint(
        budget=float(budget),
        threshold=threshold,
        passes=float(np.where(asked, tested.passes, 0).mean()),
        passed_on=float(asked.mean()),
        accuracy=float(right.mean()),
        balanced_accuracy=float(np.mean([right[tested.labels == k].mean() for k in np.unique(tested.labels)])),
    )
