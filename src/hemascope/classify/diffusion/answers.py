"""Errors of trials to answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class DiffusionAnswers:
    """How well each class explains each of N cells.

    Attributes
    ----------
    errors
        N x K, as published: at each trial the least error over the classes still tried is taken off, the mean over the
        class's trials is taken (so a class given up keeps its mean), and divided by the mean over classes. 0 or more,
        mean 1 (all 1 where no class differs); NaN for classes never tried.
    means
        N x K mean errors in units of the noise's variance, weighted, before any division. A class given up gets the
        best class's mean plus their mean difference while both were tried. NaN for classes never tried. The least of
        a cell says how well it is explained at all.
    logits
        N x K log likelihoods less the best class's; exact where classes are Gaussians of unit covariance and noise is
        antithetic, else in need of a temperature. 0 for the class told; -inf for classes never tried.
    told
        N numbers of the classes of least error among those left.
    alive
        N x K, the classes left at the end.
    passes
        N numbers of rows that the denoiser was asked for.
    trials
        N numbers of trials.
    """

    errors: NDArray[np.float64]
    means: NDArray[np.float64]
    logits: NDArray[np.float64]
    told: NDArray[np.intp]
    alive: NDArray[np.bool_]
    passes: NDArray[np.intp]
    trials: NDArray[np.intp]

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.told)

    @property
    def explained(self) -> NDArray[np.float64]:
        """N mean errors of the class told: greater for cells less like what that class taught the denoiser."""
        return np.asarray(np.take_along_axis(self.means, self.told[:, None], axis=1)[:, 0], np.float64)


def join_answers(parts: Sequence[DiffusionAnswers]) -> DiffusionAnswers:
    """Return the answers to the cells of all parts, in order."""
    return DiffusionAnswers(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(DiffusionAnswers))
    )


def answers_from(
    errors: NDArray[np.float64],
    alive: NDArray[np.bool_],
    information: NDArray[np.float64],
    per_observation: int = 1,
) -> DiffusionAnswers:
    """Return the answers that errors at observations amount to.

    Parameters
    ----------
    errors
        N x K x n errors; NaN from where a class was given up, or a cell was decided.
    alive
        N x K, the classes left at the end; they were tried as often as any of their cell.
    information
        n numbers: what half the squared distance of two Gaussian classes is to be multiplied by to give their expected
        difference of error at each observation.
    per_observation
        Trials in an observation.
    """
    tried = ~np.isnan(errors)
    counts = tried.sum(axis=2)
    own = _mean(np.where(tried, errors, 0.0).sum(axis=2), counts)
    told = np.where(alive, own, np.inf).argmin(axis=1)
    best = np.take_along_axis(errors, told[:, None, None], axis=1)
    ahead = np.where(tried, errors - best, 0.0).sum(axis=2)
    known = np.concatenate([[0.0], np.cumsum(information)])[counts]
    with np.errstate(invalid="ignore", divide="ignore"):
        logits = np.where(counts > 0, -ahead / known, -np.inf)
    return DiffusionAnswers(
        errors=_published(errors, tried, counts),
        means=np.take_along_axis(own, told[:, None], axis=1) + _mean(ahead, counts),
        logits=logits,
        told=told,
        alive=alive,
        passes=counts.sum(axis=1) * per_observation,
        trials=counts.max(axis=1) * per_observation,
    )


def _mean(sums: NDArray[np.float64], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _published(errors: NDArray[np.float64], tried: NDArray[np.bool_], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    least = np.where(tried, errors, np.inf).min(axis=1, keepdims=True)
    means = _mean(np.where(tried, errors - least, 0.0).sum(axis=2), counts)
    scale = np.nanmean(means, axis=1, keepdims=True)
    flat = np.where(np.isnan(means), np.nan, 1.0)
    return np.divide(means, scale, out=flat, where=scale > 0)
