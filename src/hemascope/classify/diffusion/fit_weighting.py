"""Weights and densities of steps fitted on validation cells: what the errors there say about each step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.classify.diffusion.weighting import StepCurve, TimestepWeighting

DEGREE = 4
"""Of the polynomials fitted to logarithms; the published fit was a quartic, of the numbers themselves."""

LEAST = 1e-3
"""Least value at a step, as a share of the greatest: keeps steps that say nothing from weights without bound."""


def fit_spread_weighting(
    steps: ArrayLike, errors: ArrayLike, step_count: int, degree: int = DEGREE
) -> TimestepWeighting:
    """Return the published weighting refitted: 1 over the median over cells of the errors' deviation between classes.

    So every step speaks as loudly as any other. It needs no labels. The fit is to the logarithm, so that weights are
    positive everywhere; their mean over the steps tried is 1.

    Parameters
    ----------
    steps
        T steps, not all the same.
    errors
        N x K x T, not weighted, of all classes: ``class_errors`` with trials drawn evenly and weighted uniformly.
    step_count
        Steps of the schedule.
    degree
        Of the polynomial; less where fewer steps were tried.

    Raises
    ------
    ValueError
        If shapes disagree, an error is not finite, or only one step was tried.
    """
    tried, values = _checked(steps, errors)
    spread = np.median(values.std(axis=1), axis=0)
    return TimestepWeighting("fitted", curve=_fit_curve(tried, 1 / _floored(spread), step_count, degree))


def fit_power_weighting(
    steps: ArrayLike, errors: ArrayLike, labels: ArrayLike, step_count: int, degree: int = DEGREE
) -> TimestepWeighting:
    """Return the weighting under which a cell's class stands out most: mean over variance of its lead at each step.

    The lead is the error of the nearest other class (that of least mean error) less that of the true class; weights of
    mean over variance make the mean of a sum of independent terms greatest in units of its deviation.

    Parameters
    ----------
    steps, errors, step_count, degree
        As in ``fit_spread_weighting``.
    labels
        N true class numbers.

    Raises
    ------
    ValueError
        As in ``fit_spread_weighting``, or if there is not one label a cell.
    """
    tried, values = _checked(steps, errors)
    lead = _lead(values, labels)
    mean = _floored(np.maximum(lead.mean(axis=0), 0.0))
    return TimestepWeighting("fitted", curve=_fit_curve(tried, mean / _floored(lead.var(axis=0)), step_count, degree))


def fit_density(
    weighting: TimestepWeighting, steps: ArrayLike, errors: ArrayLike, step_count: int, degree: int = DEGREE
) -> TimestepWeighting:
    """Return the weighting with steps tried in proportion to what they contribute: weight times spread of the classes.

    Of all densities this makes the estimate of a class's distance from the others least noisy (importance sampling).
    The expectation of errors stays that of ``weighting``; see ``TimestepWeighting.draw``.

    Parameters
    ----------
    weighting
        What the errors are to count.
    steps, errors, step_count, degree
        As in ``fit_spread_weighting``.

    Raises
    ------
    ValueError
        As in ``fit_spread_weighting``.
    """
    tried, values = _checked(steps, errors)
    spread = np.sqrt((values.std(axis=1) ** 2).mean(axis=0))
    wanted = _floored(spread * weighting.weights(tried, step_count))
    return replace(weighting, density=_fit_curve(tried, wanted, step_count, degree))


def _lead(errors: NDArray[np.float64], labels: ArrayLike) -> NDArray[np.float64]:
    truth = np.asarray(labels, np.intp)
    if truth.shape != (len(errors),):
        raise ValueError(f"{len(errors)} cells need as many labels, not {truth.shape}")
    cells = np.arange(len(errors))
    means = errors.mean(axis=2)
    means[cells, truth] = np.inf
    lead: NDArray[np.float64] = errors[cells, means.argmin(axis=1)] - errors[cells, truth]
    return lead


def _fit_curve(steps: NDArray[np.float64], values: NDArray[np.float64], step_count: int, degree: int) -> StepCurve:
    """Return the curve through positive values at steps, scaled to mean 1 over them."""
    times = steps / step_count
    least = min(degree, len(np.unique(times)) - 1)
    coefficients = np.polynomial.polynomial.polyfit(times, np.log(values), least)
    fitted = np.exp(np.polynomial.polynomial.polyval(times, coefficients))
    coefficients[0] -= np.log(fitted.mean())
    return StepCurve(tuple(float(c) for c in coefficients), float(times.min()), float(times.max()))


def _floored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if not values.max() > 0:
        raise ValueError("the errors do not differ between classes at any step; there is nothing to weigh steps by")
    return np.asarray(np.maximum(values, LEAST * values.max()), np.float64)


def _checked(steps: ArrayLike, errors: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    tried, values = np.asarray(steps, np.float64), np.asarray(errors, np.float64)
    if values.ndim != 3 or not len(values) or tried.shape != values.shape[2:]:
        raise ValueError(f"need N x K x T errors at T steps, not {values.shape} at {tried.shape}")
    if not np.isfinite(values).all():
        raise ValueError("weights are fitted on finite errors of all classes, without elimination")
    if len(np.unique(tried)) < 2:
        raise ValueError("weights over steps need errors at more than one step")
    return tried, values
