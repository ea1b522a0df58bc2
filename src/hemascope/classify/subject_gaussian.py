"""A linear classifier for few subjects: differences within one kind of them are noise, however many cells show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, eq=False)
class SubjectMoments:
    """What the cells of one subject say: their mean and covariance.

    Attributes
    ----------
    positive
        Kind of the subject.
    mean
        D numbers.
    covariance
        D x D.
    """

    positive: bool
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def subject_moments(values: ArrayLike, positive: bool) -> SubjectMoments:
    """Return the moments of N x D numbers of one subject."""
    rows = np.asarray(values, np.float64)
    mean = rows.mean(axis=0)
    centered = rows - mean
    return SubjectMoments(positive, mean, centered.T @ centered / len(rows))


def subject_direction(subjects: Sequence[SubjectMoments], shrinkage: float, between: float) -> NDArray[np.float64]:
    r"""Return the D weights whose scores are higher for positive cells, every subject counted alike.

    :math:`w = \Sigma^{-1}(\bar\mu_1 - \bar\mu_0)` with :math:`\Sigma = W + \beta B`: W is the mean covariance within
    subjects, B that of the subjects' means around the mean of their kind (within-class covariance normalization: Hatch
    et al., Interspeech 2006). The correlation matrix of Sigma is shrunk toward the identity.

    Parameters
    ----------
    subjects
        At least one of each kind.
    shrinkage
        Lambda, above 0 to 1.
    between
        Beta, 0 or more: how much a difference between subjects of one kind counts as noise.

    Raises
    ------
    ValueError
        If a kind is missing or a number is out of range.
    """
    kinds = [np.stack([s.mean for s in subjects if s.positive is kind] or [np.empty(0)]) for kind in (True, False)]
    if min(kind.size for kind in kinds) == 0 or not 0 < shrinkage <= 1 or between < 0:
        raise ValueError("need subjects of both kinds, a shrinkage above 0 to 1, and a weight of 0 or more")
    noise = np.mean([subject.covariance for subject in subjects], axis=0)
    freedom = sum(len(kind) - 1 for kind in kinds)
    if freedom:
        spread = sum((kind - kind.mean(axis=0)).T @ (kind - kind.mean(axis=0)) for kind in kinds)
        noise = noise + between * np.asarray(spread) / freedom
    scale = np.sqrt(np.diagonal(noise))
    scale = np.where(scale > 1e-9 * max(float(scale.max()), 1e-30), scale, np.inf)  # what never varies says nothing
    correlation = noise / np.outer(scale, scale)
    shrunk = (1 - shrinkage) * correlation + shrinkage * np.eye(len(scale))
    difference = (kinds[0].mean(axis=0) - kinds[1].mean(axis=0)) / scale
    weights: NDArray[np.float64] = np.linalg.solve(shrunk, difference) / scale
    return weights
