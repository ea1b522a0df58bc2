"""The errors of a denoiser at noised samples, class by class, under noise that all classes share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.diffusion.weighting import Grid, TimestepWeighting
from hemascope.core.ports import ConditionalDenoiser

Samples = NDArray[np.float32] | Callable[[int], NDArray[np.float32]]
"""N samples, or a function that gives them for the number of a view."""

ROW_NUMBERS = 1 << 17
"""Numbers in one call of a denoiser, by default: half a MB as float32, so that they stay near the processor."""

LEAST_ROWS = 64
"""Rows in one call of a denoiser at least, by default, however large a sample is."""

KEPT_VIEWS = 16
"""Views of which samples are kept while trials go on; more are made again when they are needed."""


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """What is tried on every cell: the same steps and the same noise for all cells and classes.

    Attributes
    ----------
    steps
        T steps of the schedule.
    weights
        T positive float64; the squared error of a trial is multiplied by its own.
    noise
        T x shape of a sample, float32.
    views
        T numbers of views, each the look at the cell that is noised.
    per_observation
        2 where each two trials are a pair of opposite noise, and so one observation; else 1.

    Raises
    ------
    ValueError
        If there is no trial, lengths disagree, or trials are no whole number of observations.
    """

    steps: NDArray[np.intp]
    weights: NDArray[np.float64]
    noise: NDArray[np.float32]
    views: NDArray[np.intp]
    per_observation: int = 1

    def __post_init__(self) -> None:
        count = len(self.steps)
        if not count or any(len(array) != count for array in (self.weights, self.noise, self.views)):
            raise ValueError("trials need one step, weight, noise and view each, and at least one of them")
        if self.per_observation not in (1, 2) or count % self.per_observation:
            raise ValueError(f"{count} trials are no whole number of observations of {self.per_observation}")

    def __len__(self) -> int:
        """Return the number of trials T."""
        return len(self.steps)

    @property
    def observations(self) -> int:
        """How many independent observations the trials are."""
        return len(self) // self.per_observation

    def part(self, first: int, last: int) -> Trials:
        """Return the observations ``first`` to ``last``, the last left out."""
        rows = slice(first * self.per_observation, last * self.per_observation)
        return Trials(self.steps[rows], self.weights[rows], self.noise[rows], self.views[rows], self.per_observation)


def draw_trials(
    denoiser: ConditionalDenoiser,
    count: int,
    *,
    weighting: TimestepWeighting | None = None,
    seed: int = 0,
    antithetic: bool = True,
    views: Sequence[int] = (0,),
    grid: Grid = "spread",
) -> Trials:
    """Return a seeded bank of trials.

    Parameters
    ----------
    denoiser
        Whose schedule and shape of samples they are for.
    count
        Trials T, 1 or more; passes of the denoiser per class.
    weighting
        Of the steps; None for uniform.
    seed
        Of steps, noise and views.
    antithetic
        Whether each two trials are a pair: noise e and -e at the same step and view. What the noise alone adds to the
        difference of two classes cancels in a pair to first order. ``count`` must be even.
    views
        Numbers of the looks to take, one drawn for each observation; ``(0,)`` is the cell as it is. The published
        procedure takes another random look each trial: give it ``range(1, count + 1)``.
    grid
        See ``TimestepWeighting.draw``.

    Raises
    ------
    ValueError
        If the count is not positive, or is odd where trials come in pairs, or there is no view.
    """
    size = 2 if antithetic else 1
    if count < 1 or count % size or not len(views):
        raise ValueError(f"need a positive number of trials, even in pairs, and a view; not {count} and {len(views)}")
    seeds = np.random.SeedSequence(seed).spawn(3)
    stepping, noising, looking = (np.random.default_rng(child) for child in seeds)
    draws = count // size
    steps, weights = (weighting or TimestepWeighting()).draw(draws, len(denoiser.schedule), stepping, grid)
    noise = noising.standard_normal((draws, *denoiser.sample_shape), np.float32)
    if antithetic:
        noise = np.stack([noise, -noise], axis=1).reshape(count, *denoiser.sample_shape)
    chosen = looking.choice(np.asarray(views, np.intp), size=draws)
    return Trials(np.repeat(steps, size), np.repeat(weights, size), noise, np.repeat(chosen, size), size)


def class_errors(
    denoiser: ConditionalDenoiser,
    samples: Samples,
    trials: Trials,
    *,
    classes: Sequence[int] | None = None,
    alive: NDArray[np.bool_] | None = None,
    rows: int | None = None,
) -> NDArray[np.float64]:
    """Return N x K x T errors: at each trial, the weighted mean squared error of the predicted noise.

    The mean is over the numbers of a sample, weighted by the denoiser's mask, and multiplied by the trial's weight. An
    error depends on its own cell, class and trial alone.

    Parameters
    ----------
    denoiser
        What predicts.
    samples
        Of N cells.
    trials
        What is tried.
    classes
        Numbers of the K classes to ask for; None for all of the denoiser's.
    alive
        N x K, whether a class of a cell is asked for; None for all. The others' errors are NaN, and cost nothing.
    rows
        Rows in one call of the denoiser; None for about ``ROW_NUMBERS`` numbers and at least ``LEAST_ROWS`` rows.

    Raises
    ------
    ValueError
        If samples are not of the denoiser's shape, or ``alive`` is not N x K.
    """
    asked = np.arange(len(denoiser.classes)) if classes is None else np.asarray(classes, np.intp)
    look = looks(samples)
    cell_count = len(_checked(look(int(trials.views[0])), denoiser))
    wanted = np.ones((cell_count, len(asked)), np.bool_) if alive is None else np.asarray(alive, np.bool_)
    if wanted.shape != (cell_count, len(asked)):
        raise ValueError(f"{cell_count} cells and {len(asked)} classes need one mark each, not {wanted.shape}")
    errors = np.full((cell_count, len(asked), len(trials)), np.nan)
    cells, places = np.nonzero(wanted)
    most = rows or max(LEAST_ROWS, ROW_NUMBERS // int(np.prod(denoiser.sample_shape)))
    root = np.sqrt(denoiser.mask / denoiser.mask.sum(dtype=np.float64)).astype(np.float32)
    at_once = max(1, most // max(1, len(cells)))
    for first in range(0, len(trials), at_once):
        chosen = slice(first, first + at_once)
        noised = _noised(denoiser, look, trials, chosen)
        for start in range(0, len(cells), most):
            these, columns = cells[start : start + most], places[start : start + most]
            errors[these, columns, chosen] = _errors(
                denoiser, noised[:, these], trials.noise[chosen], trials.steps[chosen], asked[columns], root
            ).T
    errors *= trials.weights
    return errors


def observed(errors: NDArray[np.float64], trials: Trials) -> NDArray[np.float64]:
    """Return N x K x n errors at observations for N x K x T at trials: the means of pairs, where trials are pairs."""
    shape = (*errors.shape[:2], trials.observations, trials.per_observation)
    return np.asarray(errors.reshape(shape).mean(axis=3), np.float64)


def looks(samples: Samples) -> Callable[[int], NDArray[np.float32]]:
    """Return a function of the number of a view, which keeps what it gave for a few of them.

    Samples given as an array have one view, number 0; the function raises ``ValueError`` for another.
    """
    if callable(samples):
        return lru_cache(maxsize=KEPT_VIEWS)(samples)
    only = samples

    def look(view: int) -> NDArray[np.float32]:
        if view != 0:
            raise ValueError(f"the trials ask for view {view} of samples that were given as one array, view 0")
        return only

    return look


def _checked(samples: NDArray[np.float32], denoiser: ConditionalDenoiser) -> NDArray[np.float32]:
    if samples.shape[1:] != denoiser.sample_shape:
        raise ValueError(f"this denoiser takes N x {denoiser.sample_shape} samples, not {samples.shape}")
    return samples


def _noised(
    denoiser: ConditionalDenoiser, look: Callable[[int], NDArray[np.float32]], trials: Trials, chosen: slice
) -> NDArray[np.float32]:
    """Return trials x N x shape: every cell noised as the chosen trials say."""
    views = trials.views[chosen]
    same = bool((views == views[0]).all())
    seen = look(int(views[0]))[None] if same else np.stack([look(int(view)) for view in views])
    return denoiser.schedule.noised(seen, trials.noise[chosen][:, None], trials.steps[chosen])


def _errors(
    denoiser: ConditionalDenoiser,
    noised: NDArray[np.float32],
    noise: NDArray[np.float32],
    steps: NDArray[np.intp],
    classes: NDArray[np.intp],
    root: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return trials x rows errors of noised samples, trials x rows x shape, each row of its class."""
    count, rows = noised.shape[:2]
    shape = noised.shape[2:]
    predicted = denoiser.predict_noise(noised.reshape(-1, *shape), np.repeat(steps, rows), np.tile(classes, count))
    missed = (predicted.reshape(noised.shape) - noise[:, None]) * root
    squared = (missed * missed).reshape(count, rows, -1)
    return np.asarray(squared.sum(axis=2, dtype=np.float64))
