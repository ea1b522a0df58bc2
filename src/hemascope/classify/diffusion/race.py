"""Classes raced against each other under a rule, on errors made as they are needed or known before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.diffusion.answers import DiffusionAnswers, answers_from
from hemascope.classify.diffusion.elimination import EliminationRule
from hemascope.classify.diffusion.trials import Trials
from hemascope.core.ports import ConditionalDenoiser

Observe = Callable[[NDArray[np.intp], NDArray[np.bool_], int, int], NDArray[np.float64]]
"""Numbers of cells, their classes still tried, and the first and last (left out) of some observations to the errors of
these cells there: cells x K x observations, NaN for classes not tried."""


def race(
    rule: EliminationRule, observe: Observe, alive: NDArray[np.bool_], observations: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return N x K x ``observations`` errors, NaN where a class was not tried, and N x K, the classes left.

    A cell leaves as soon as it has one class; a cell that starts with one is observed until the first look.

    Parameters
    ----------
    rule
        When a class is given up.
    observe
        Makes errors.
    alive
        N x K, the classes to start with.
    observations
        How many there may be.
    """
    left = alive.copy()
    errors = np.full((*alive.shape, observations), np.nan)
    active = np.arange(len(alive))
    done = 0
    while done < observations and len(active):
        until = min(rule.next_look(done), observations)
        errors[active, :, done:until] = observe(active, left[active], done, until)
        left[active] = rule.survivors(errors[active, :, :until], left[active])
        active = active[left[active].sum(axis=1) > 1]
        done = until
    return errors, left


def replay(
    errors: NDArray[np.float64], trials: Trials, denoiser: ConditionalDenoiser, rule: EliminationRule
) -> DiffusionAnswers:
    """Return what ``DiffusionClassifier`` answers to cells of which all errors are known, without a pass.

    So rules are compared on validation cells at the price of none.

    Parameters
    ----------
    errors
        N x K x T, weighted, of all classes at all trials: from ``class_errors``.
    trials, denoiser, rule
        As of the classifier.

    Raises
    ------
    ValueError
        If there is not one error a trial.
    """
    if errors.ndim != 3 or errors.shape[2] != len(trials):
        raise ValueError(f"need N x K x {len(trials)} errors, not {errors.shape}")
    by_observation = errors.reshape(*errors.shape[:2], trials.observations, -1).mean(axis=3)

    def observe(cells: NDArray[np.intp], alive: NDArray[np.bool_], first: int, last: int) -> NDArray[np.float64]:
        return np.where(alive[:, :, None], by_observation[cells, :, first:last], np.nan)

    seen, left = race(rule, observe, np.ones(errors.shape[:2], np.bool_), trials.observations)
    return answers_from(seen, left, information(trials, denoiser), trials.per_observation)


def information(trials: Trials, denoiser: ConditionalDenoiser) -> NDArray[np.float64]:
    """Return for each observation what ``answers_from`` divides by: 2 / D of weighted signal times noise power."""
    schedule, steps = denoiser.schedule, trials.steps
    by_trial = trials.weights * schedule.signal[steps] ** 2 * schedule.noise[steps] ** 2
    by_observation = by_trial.reshape(trials.observations, -1).mean(axis=1)
    return np.asarray(2 * by_observation / denoiser.mask.sum(dtype=np.float64), np.float64)
