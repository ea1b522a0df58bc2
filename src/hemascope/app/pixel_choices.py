"""What validation cells choose for a denoiser of images: weights of steps, the number of trials, and the rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.diffusion.answers import DiffusionAnswers, answers_from
from hemascope.classify.diffusion.elimination import (
    AnytimeRule,
    EliminationRule,
    NoElimination,
    fit_calibrated_rule,
)
from hemascope.classify.diffusion.fit_weighting import fit_power_weighting, fit_spread_weighting
from hemascope.classify.diffusion.trials import Trials, observed
from hemascope.classify.diffusion.weighting import TimestepWeighting
from hemascope.core.ports import ConditionalDenoiser

WITHIN = 0.005
"""Accuracy that may be lost against all trials."""

ERRORS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Chances of giving up the best class that are tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """All errors of validation cells.

    Attributes
    ----------
    errors
        N x K x T, not weighted.
    trials
        The T trials, their weights uniform.
    labels, groups
        N true class numbers, and labels of near-duplicates.
    """

    errors: NDArray[np.float64]
    trials: Trials
    labels: NDArray[np.intp]
    groups: NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class PixelChoice:
    """What was chosen.

    Attributes
    ----------
    weighting
        Name of the weights of steps.
    fixed, adaptive
        Trials with these weights, of both ways.
    rule
        Of the adaptive way.
    validation
        What both ways answer to the validation cells.
    plateau
        Accuracy of all trials there.
    facts
        All of this in plain JSON types.
    """

    weighting: str
    fixed: Trials
    adaptive: Trials
    rule: EliminationRule
    validation: dict[str, DiffusionAnswers]
    plateau: float
    facts: dict[str, object]


def choose(tried: Tried, denoiser: ConditionalDenoiser) -> PixelChoice:
    """Return the least trials, and the cheapest rule, that answer validation cells about as well as all trials do.

    Fixed: the least number from which on the accuracy stays within ``WITHIN`` of that of all trials. Adaptive: the rule
    and number of trials of fewest passes that reaches it.

    Parameters
    ----------
    tried
        Validation cells.
    denoiser
        What was asked.
    """
    weighting, trials = _weigh(tried, denoiser)
    errors = observed(tried.errors * trials.weights, trials)
    right = [_accuracy(errors[:, :, :count], tried.labels) for count in range(1, errors.shape[2] + 1)]
    plateau = right[-1]
    enough = np.array(right) >= plateau - WITHIN
    fixed = int(np.flatnonzero(~enough)[-1]) + 2 if not enough.all() else 1
    rules = [(rule, most) for most in {fixed, errors.shape[2]} for rule in _rules(errors[:, :, :most], tried.groups)]
    replays = [
        (replay(errors[:, :, :most], rule, trials.part(0, most), denoiser), rule, most)
        for rule, most in (*rules, (NoElimination(), fixed))
    ]
    good = [one for one in replays if (one[0].told == tried.labels).mean() >= plateau - WITHIN]
    best, rule, most = min(good or replays[-1:], key=lambda one: float(one[0].passes.mean()))
    per = trials.per_observation
    accuracy = {"all": plateau, "fixed": right[fixed - 1], "adaptive": float((best.told == tried.labels).mean())}
    facts: dict[str, object] = {
        "weighting": weighting,
        "trials": len(trials),
        "fixed_trials": fixed * per,
        "adaptive_trials": most * per,
        "rule": _described(rule),
        "validation_accuracy": accuracy,
        "validation_passes": {"fixed": fixed * per * errors.shape[1], "adaptive": float(best.passes.mean())},
    }
    return PixelChoice(
        weighting=weighting,
        fixed=trials.part(0, fixed),
        adaptive=trials.part(0, most),
        rule=rule,
        validation={"fixed": replays[-1][0], "adaptive": best},
        plateau=plateau,
        facts=facts,
    )


def replay(
    errors: NDArray[np.float64], rule: EliminationRule, trials: Trials, denoiser: ConditionalDenoiser
) -> DiffusionAnswers:
    """Return what a classifier with a rule answers to cells of which all errors are known: no pass is made again.

    Parameters
    ----------
    errors
        N x K x n, weighted, at all n observations.
    rule, trials, denoiser
        As of ``DiffusionClassifier``.
    """
    alive = np.ones(errors.shape[:2], np.bool_)
    seen = np.full_like(errors, np.nan)
    active = np.arange(len(errors))
    done = 0
    while done < errors.shape[2] and len(active):
        until = min(rule.next_look(done), errors.shape[2])
        seen[active, :, done:until] = np.where(alive[active][:, :, None], errors[active, :, done:until], np.nan)
        alive[active] = rule.survivors(seen[active, :, :until], alive[active])
        active = active[alive[active].sum(axis=1) > 1]
        done = until
    steps, schedule = trials.steps, denoiser.schedule
    by_trial = trials.weights * schedule.signal[steps] ** 2 * schedule.noise[steps] ** 2
    by_observation = by_trial.reshape(trials.observations, -1).mean(axis=1)
    information = np.asarray(2 * by_observation / denoiser.mask.sum(dtype=np.float64), np.float64)
    return answers_from(seen, alive, information, trials.per_observation)


def _weigh(tried: Tried, denoiser: ConditionalDenoiser) -> tuple[str, Trials]:
    """Return the name of the weighting under which all trials are right most often, and the trials with its weights."""
    steps, count = tried.trials.steps, len(denoiser.schedule)
    options = {
        "uniform": TimestepWeighting(),
        "published": TimestepWeighting("published"),
        "fitted_spread": fit_spread_weighting(steps, tried.errors, count),
        "fitted_power": fit_power_weighting(steps, tried.errors, tried.labels, count),
    }
    weighed = {name: replace(tried.trials, weights=w.weights(steps, count)) for name, w in options.items()}
    right = {name: _accuracy(tried.errors * trials.weights, tried.labels) for name, trials in weighed.items()}
    best = max(right, key=lambda name: right[name])
    return best, weighed[best]


def _rules(errors: NDArray[np.float64], groups: NDArray[np.str_]) -> Sequence[EliminationRule]:
    rules: list[EliminationRule] = [AnytimeRule(error) for error in ERRORS]
    for error in ERRORS:
        try:
            rules.append(fit_calibrated_rule(errors, error, groups=groups))
        except ValueError:
            continue  # too few groups for so small an error
    return rules


def _accuracy(errors: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    return float((errors.sum(axis=2).argmin(axis=1) == labels).mean())


def _described(rule: EliminationRule) -> str:
    error = f", error {rule.error:g}" if isinstance(rule, AnytimeRule) else ""
    return f"{type(rule).__name__}{error}"
