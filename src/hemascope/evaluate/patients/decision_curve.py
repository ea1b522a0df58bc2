"""Whether deciding by a model does more good than harm, for everyone's own idea of how much harm is worth a find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.questions import BinaryQuestion
from hemascope.stats.resample import RESAMPLES, bootstrap_distribution, percentile_interval

THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(1, 100))


@dataclass(frozen=True, slots=True)
class DecisionPoint:
    """One point of a decision curve.

    Attributes
    ----------
    threshold
        Probability from which on one acts: 0.1 says that one find is worth nine acts in vain.
    net_benefit
        Of acting by the model, in finds a patient, with the bootstrap interval over patients.
    treat_all
        Of acting always. Acting never has 0.
    avoided
        Acts in vain that the model spares a patient, compared with acting always at no find lost:
        the two net benefits' difference over the odds of the threshold.
    """

    threshold: float
    net_benefit: Estimate
    treat_all: float
    avoided: float


def decision_curve(
    question: BinaryQuestion, thresholds: Sequence[float] = THRESHOLDS, resamples: int = RESAMPLES
) -> tuple[DecisionPoint, ...]:
    r"""Return the net benefit of acting from each threshold on.

    :math:`\frac{TP}{n} - \frac{FP}{n} \frac{p_t}{1 - p_t}` (Vickers, Elkin, Med Decis Making 2006;26:565); acts avoided
    as in Vickers, Cronin, Elkin, Gonen, BMC Med Inform Decis Mak 2008;8:53. It means what it says only where the
    probabilities are calibrated, and for patients with this share of positives.

    Parameters
    ----------
    question
        Probabilities and truths; nothing is returned where there is no patient.
    thresholds
        Probabilities strictly between 0 and 1.

    Raises
    ------
    ValueError
        If a threshold is out of range.
    """
    levels = np.asarray(thresholds, np.float64)
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError("a threshold of a decision curve lies strictly between 0 and 1")
    if not len(question):
        return ()
    odds = levels / (1 - levels)
    worth = np.where(question.present[:, None], 1.0, -odds)
    gained = worth * (question.told[:, None] >= levels)
    limits = _limits(question.patients, gained, resamples)
    benefit, always = gained.mean(axis=0), worth.mean(axis=0)
    return tuple(
        DecisionPoint(
            float(levels[k]),
            Estimate(float(benefit[k]), *limits[k]),
            float(always[k]),
            float((benefit[k] - always[k]) / odds[k]),
        )
        for k in range(len(levels))
    )


def _limits(
    patients: NDArray[np.str_], gained: NDArray[np.float64], resamples: int
) -> list[tuple[float, float] | tuple[None, None]]:
    """Return the bootstrap interval of the mean of each column; all columns see the same resamples."""

    def means(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = weights @ gained / weights.sum(axis=1, keepdims=True)
        return shares

    drawn = bootstrap_distribution(patients, means, resamples)
    return [percentile_interval(column) or (None, None) for column in drawn.T]
