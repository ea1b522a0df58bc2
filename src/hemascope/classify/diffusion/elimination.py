"""When a class is given up before all trials are done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.stats.confidence_sequence import EFFECT_VARIANCE, log_t_evidence
from hemascope.stats.conformal import conformal_quantile

ERROR = 0.01
"""Default chance that the best class of a cell is ever given up."""


class EliminationRule(Protocol):
    """Errors so far to the classes still in the race."""

    def next_look(self, done: int) -> int:
        """Return after how many observations, more than ``done``, the rule can next drop a class."""
        ...

    def survivors(self, errors: NDArray[np.float64], alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return N x K, which of the classes ``alive`` stay, given their N x K x n errors at n shared observations.

        The leader, the class of least mean error, always stays. Errors of classes not alive may be NaN.
        """
        ...


@dataclass(frozen=True, slots=True)
class NoElimination:
    """Every class gets all trials: what uncertainty and anomaly are measured by."""

    def next_look(self, done: int) -> int:
        """Return a number beyond any number of observations."""
        return int(np.iinfo(np.intp).max)

    def survivors(self, errors: NDArray[np.float64], alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return ``alive``."""
        return alive


@dataclass(frozen=True, slots=True)
class PublishedRule:
    """The rule of CytoDiffusion: a paired t-test against the leader, repeated.

    Repeated looks err far more often than ``p`` says; see the decision record 0016. It is here to be compared with. Its
    trials were single: give it trials without pairs.

    Attributes
    ----------
    first
        Trial index of the first test, counted from 0: the default looks after 21 trials.
    every
        Trials from test to test.
    p
        Two-sided level below which a class that is worse is given up.
    """

    first: int = 20
    every: int = 5
    p: float = 0.002

    def next_look(self, done: int) -> int:
        """Return ``first + 1``, and ``every`` more from there."""
        if done <= self.first:
            return self.first + 1
        return self.first + 1 + self.every * ((done - self.first - 1) // self.every + 1)

    def survivors(self, errors: NDArray[np.float64], alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the classes whose errors do not differ from the leader's, each by its own test."""
        from scipy.special import stdtrit

        behind = behind_leader(errors, alive)
        count = behind.shape[2]
        mean = behind.mean(axis=2)
        standard_error = behind.std(axis=2, ddof=1) / np.sqrt(count)
        return np.asarray(alive & ~(mean > standard_error * stdtrit(count - 1, 1 - self.p / 2)), np.bool_)


@dataclass(frozen=True, slots=True)
class AnytimeRule:
    """Gives a class up when the evidence that the leader is better would mislead no more often than stated.

    The evidence is an e-process for t-tests (``stats.confidence_sequence.log_t_evidence``), which may be looked at
    after every observation; the error is shared among the K - 1 rivals of the best class. So the chance that the best
    class is ever given up, over all looks and classes, is at most ``error``: exactly where differences between classes
    are Gaussian, nearly where they are symmetric, and not where they are very skewed.

    Attributes
    ----------
    error
        That chance, strictly between 0 and 1.
    effect_variance
        See ``log_t_evidence``.

    Raises
    ------
    ValueError
        If the error is out of range.
    """

    error: float = ERROR
    effect_variance: float = EFFECT_VARIANCE

    def __post_init__(self) -> None:
        _check_error(self.error)

    def next_look(self, done: int) -> int:
        """Return 3, where the evidence can first suffice, and then every number up to an eighth more."""
        return max(3, done + max(1, done // 8))

    def survivors(self, errors: NDArray[np.float64], alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the classes that may still be the best."""
        behind = behind_leader(errors, alive)
        rivals = np.maximum((~np.isnan(errors[:, :, 0])).sum(axis=1, keepdims=True) - 1, 1)
        total, squares = behind.sum(axis=2), np.einsum("nkt,nkt->nk", behind, behind)
        evidence = log_t_evidence(behind.shape[2], total, squares, effect_variance=self.effect_variance)
        return np.asarray(alive & ~(evidence >= np.log(rivals / self.error)), np.bool_)


@dataclass(frozen=True, slots=True)
class CalibratedRule:
    """Gives a class up when it lags behind the leader more than nearly any class worth keeping did on validation cells.

    It can act on the first observation, and supposes nothing of how errors are distributed; but it needs validation
    cells, and its promise holds for cells exchangeable with them. Fitted by ``fit_calibrated_rule``.

    Attributes
    ----------
    limits
        The greatest lag of mean error that is kept, after 1, 2, ... observations; the last one for more.
    """

    limits: tuple[float, ...]

    def next_look(self, done: int) -> int:
        """Return one observation more, and from 8 on an eighth more."""
        return _calibrated_look(done)

    def survivors(self, errors: NDArray[np.float64], alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the classes that lag no more than the limit."""
        lag = behind_leader(errors, alive).mean(axis=2)
        return np.asarray(alive & ~(lag > self.limits[min(errors.shape[2], len(self.limits)) - 1]), np.bool_)


def fit_calibrated_rule(
    errors: NDArray[np.float64], error: float = ERROR, groups: ArrayLike | None = None
) -> CalibratedRule:
    r"""Return the rule whose answer differs from that of all observations with at most the stated chance.

    The lag of the class that is best in the end behind the leader is measured after each observation on validation
    cells, without elimination. Half of the groups give the shape of the limits over observations (the 1 - ``error``
    quantile of the lag); the other half its factor: the split-conformal quantile of each cell's greatest lag in units
    of the shape. Among fewer classes the lag can only be smaller, so the chance, over all looks, is at most ``error``
    for exchangeable cells, whatever their errors follow.

    Parameters
    ----------
    errors
        N x K x n of validation cells at n observations: of the trials that the rule will be used with, and all of them.
        ``observed`` brings ``class_errors`` to them.
    error
        The chance, strictly between 0 and 1; 2 / ``error`` groups are needed at least.
    groups
        N labels of near-duplicates; None for cells that are all their own.

    Raises
    ------
    ValueError
        If the error is out of range, an error is not finite, or there are too few groups for it.
    """
    _check_error(error)
    if errors.ndim != 3 or not np.isfinite(errors).all():
        raise ValueError("a rule is calibrated on N x K x n finite errors: of all classes, without elimination")
    order = np.arange(1, errors.shape[2] + 1)
    means = errors.cumsum(axis=2) / order
    winner = means[:, :, -1].argmin(axis=1)
    lag = np.take_along_axis(means, winner[:, None, None], axis=1)[:, 0] - means.min(axis=1)
    labels = np.arange(len(errors)) if groups is None else np.asarray(groups)
    names, member_of = np.unique(labels, return_inverse=True)
    for_shape = np.isin(member_of, np.random.default_rng(0).permutation(len(names))[: len(names) // 2])
    shape = np.quantile(lag[for_shape], 1 - error, axis=0) if for_shape.any() else np.zeros(len(order))
    shape = np.maximum(shape, max(0.01 * float(shape.max()), np.finfo(np.float64).tiny))
    looked = _calibrated_looks(len(order))
    greatest = (lag[~for_shape] / shape)[:, looked - 1].max(axis=1)
    factor = conformal_quantile(greatest, error, labels[~for_shape])
    if not np.isfinite(factor):
        raise ValueError(f"an error of {error} needs more than {1 / error:.0f} groups in each half of the cells")
    return CalibratedRule(tuple(float(limit) for limit in factor * shape))


def behind_leader(errors: NDArray[np.float64], alive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return N x K x n differences of the errors from the leader's: the class alive of least mean error."""
    leader = np.where(alive, errors.mean(axis=2), np.inf).argmin(axis=1)
    return np.asarray(errors - np.take_along_axis(errors, leader[:, None, None], axis=1), np.float64)


def _calibrated_look(done: int) -> int:
    return done + max(1, done // 8)


def _calibrated_looks(most: int) -> NDArray[np.intp]:
    """Return the numbers of observations, up to ``most``, at which the calibrated rule looks."""
    looked = [1]
    while looked[-1] < most:
        looked.append(min(_calibrated_look(looked[-1]), most))
    return np.array(looked, np.intp)


def _check_error(error: float) -> None:
    if not 0 < error < 1:
        raise ValueError(f"the error must lie between 0 and 1, not {error}")
