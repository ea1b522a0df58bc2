"""Passes spent only where they pay: a discriminative model first, the denoiser on the cells it is unsure of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.classify.diffusion.classifier import DiffusionClassifier
from hemascope.classify.diffusion.trials import Samples
from hemascope.stats.log_softmax import log_softmax

MASS = 0.999
"""Default probability that the candidates left by the first model hold together."""


@dataclass(frozen=True, slots=True, eq=False)
class CascadeAnswers:
    """Answers to N cells.

    Attributes
    ----------
    log_probabilities
        N x K; the first model's for the cells it decided.
    told
        N numbers of the most probable classes.
    passes
        N numbers of passes of the denoiser, 0 for cells decided at once.
    """

    log_probabilities: NDArray[np.float64]
    told: NDArray[np.intp]
    passes: NDArray[np.intp]

    @property
    def passed_on(self) -> NDArray[np.bool_]:
        """N marks: whether the denoiser was asked."""
        return self.passes > 0


@dataclass(frozen=True, slots=True, eq=False)
class Cascade:
    """A first model's log probabilities, and a denoiser for those cells whose best class is not probable enough.

    Attributes
    ----------
    second
        The denoiser's classifier, of the same K classes in the same order.
    temperature
        Its logits are divided by it; fitted on validation cells (``stats.temperature``).
    threshold
        Cells whose greatest probability is below it are passed on; from ``budget.choose_threshold``.
    share
        Factor of the second model's log probabilities where they are added to the first's; from ``budget.fit_share``.
    mass
        See ``candidates``.

    Raises
    ------
    ValueError
        If the temperature is not positive, or the share is negative.
    """

    second: DiffusionClassifier
    temperature: float
    threshold: float
    share: float = 1.0
    mass: float = MASS

    def __post_init__(self) -> None:
        if not self.temperature > 0 or not self.share >= 0:
            raise ValueError(f"need a positive temperature and a share of 0 or more, not {self}")

    def answer(
        self, log_probabilities: NDArray[np.float64], samples_of: Callable[[NDArray[np.intp]], Samples]
    ) -> CascadeAnswers:
        """Return the answers to N cells.

        Parameters
        ----------
        log_probabilities
            N x K, calibrated, of the first model.
        samples_of
            Numbers of cells to their samples; asked once, for the cells passed on, and not at all if there are none.

        Raises
        ------
        ValueError
            If the log probabilities are not of the second model's classes.
        """
        if log_probabilities.ndim != 2 or log_probabilities.shape[1] != len(self.second.classes):
            raise ValueError(f"need N x {len(self.second.classes)} log probabilities, not {log_probabilities.shape}")
        joined = np.array(log_probabilities, np.float64)
        passes = np.zeros(len(joined), np.intp)
        unsure = np.flatnonzero(np.exp(joined.max(axis=1)) < self.threshold)
        if len(unsure):
            answers = self.second.answer(samples_of(unsure), candidates(joined[unsure], self.mass))
            passes[unsure] = answers.passes
            joined[unsure] = join(joined[unsure], answers.logits / self.temperature, self.share)
        return CascadeAnswers(joined, joined.argmax(axis=1), passes)


def candidates(log_probabilities: ArrayLike, mass: float = MASS) -> NDArray[np.bool_]:
    """Return N x K, the classes that the first model has not excluded: the fewest that hold ``mass`` of probability.

    At least two, so that there is something to decide.

    Raises
    ------
    ValueError
        If the mass is not above 0 and at most 1.
    """
    if not 0 < mass <= 1:
        raise ValueError(f"the mass must lie above 0 and at most at 1, not {mass}")
    p = np.exp(np.asarray(log_probabilities, np.float64))
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    needed = np.cumsum(ranked, axis=1) - ranked < mass - 1e-12
    needed[:, :2] = True
    answer = np.zeros(p.shape, np.bool_)
    np.put_along_axis(answer, order, needed, axis=1)
    return answer


def join(first: ArrayLike, second: ArrayLike, share: float = 1.0) -> NDArray[np.float64]:
    """Return N x K log probabilities of both models: the first's plus ``share`` times the second's, normalized.

    Classes that the second was not asked for (-inf) keep the probability that the first gave them; the others share the
    rest as the joined probabilities say.

    Parameters
    ----------
    first
        N x K log probabilities.
    second
        N x K calibrated logits; -inf for classes not tried.
    share
        0 or more; 0 leaves the first as it is.
    """
    before, after = np.asarray(first, np.float64), np.asarray(second, np.float64)
    tried = np.isfinite(after)
    p = np.where(tried, np.exp(before), 0.0)
    held = p.sum(axis=1, keepdims=True)
    evidence = log_softmax(np.where(tried, after, -np.inf))
    both = log_softmax(np.where(tried, before + share * np.where(tried, evidence, 0.0), -np.inf))
    return np.where(tried, both + np.log(held), before)
