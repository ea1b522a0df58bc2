"""What validation cells choose for a denoiser of images: weights of steps, the number of trials, and the rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.diffusion.answers import DiffusionAnswers
from hemascope.classify.diffusion.elimination import (
    AnytimeRule,
    EliminationRule,
    NoElimination,
    fit_calibrated_rule,
)
from hemascope.classify.diffusion.fit_weighting import fit_density, fit_power_weighting
from hemascope.classify.diffusion.race import replay
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
        N x K x T, weighted, from ``class_errors``.
    trials
        The T trials.
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
    fixed, adaptive
        Trials of both ways.
    rule
        Of the adaptive way.
    validation
        What both ways answer to the validation cells.
    plateau
        Accuracy of all trials there.
    facts
        All of this in plain JSON types.
    """

    fixed: Trials
    adaptive: Trials
    rule: EliminationRule
    validation: dict[str, DiffusionAnswers]
    plateau: float
    facts: dict[str, object]


def fit_weighting(tried: Tried, denoiser: ConditionalDenoiser) -> TimestepWeighting:
    """Return weights of steps under which cells' own types stand out most, and how often to try each.

    Where little or nothing is left of a cell, and where nothing was taken away, errors say nothing of its type.

    Parameters
    ----------
    tried
        Cells of a pilot, tried evenly over the steps with uniform weights.
    denoiser
        What was asked.
    """
    steps = tried.trials.steps[:: tried.trials.per_observation]
    errors, count = observed(tried.errors, tried.trials), len(denoiser.schedule)
    return fit_density(fit_power_weighting(steps, errors, tried.labels, count), steps, errors, count)


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
    trials, per = tried.trials, tried.trials.per_observation
    errors = observed(tried.errors, trials)
    right = [_accuracy(errors[:, :, :count], tried.labels) for count in range(1, errors.shape[2] + 1)]
    plateau = right[-1]
    enough = np.array(right) >= plateau - WITHIN
    fixed = int(np.flatnonzero(~enough)[-1]) + 2 if not enough.all() else 1
    rules = [(rule, most) for most in {fixed, errors.shape[2]} for rule in _rules(errors[:, :, :most], tried.groups)]
    replays = [
        (replay(tried.errors[:, :, : most * per], trials.part(0, most), denoiser, rule), rule, most)
        for rule, most in (*rules, (NoElimination(), fixed))
    ]
    good = [one for one in replays if (one[0].told == tried.labels).mean() >= plateau - WITHIN]
    best, rule, most = min(good or replays[-1:], key=lambda one: float(one[0].passes.mean()))
    accuracy = {"all": plateau, "fixed": right[fixed - 1], "adaptive": float((best.told == tried.labels).mean())}
    facts: dict[str, object] = {
        "trials": len(trials),
        "fixed_trials": fixed * per,
        "adaptive_trials": most * per,
        "rule": _described(rule),
        "validation_accuracy": accuracy,
        "validation_passes": {"fixed": fixed * per * errors.shape[1], "adaptive": float(best.passes.mean())},
    }
    return PixelChoice(
        fixed=trials.part(0, fixed),
        adaptive=trials.part(0, most),
        rule=rule,
        validation={"fixed": replays[-1][0], "adaptive": best},
        plateau=plateau,
        facts=facts,
    )


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
