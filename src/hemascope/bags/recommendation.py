"""From the probability of malignancy to a recommendation, and what it spares and misses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import CohortError

OUT_OF_FOLD = "out_of_fold"
"""The split of an answer by the member that had not seen the patient."""

Flags = NDArray[np.bool_]


class ThresholdRule(StrEnum):
    """What a threshold is chosen for."""

    SENSITIVITY = "sensitivity"
    """The highest that finds a stated share of the malignant patients."""
    ALL_ACUTE = "all_acute"
    """The highest that finds every acute leukemia."""
    YOUDEN = "youden"
    """The one with the greatest sensitivity + specificity - 1; the lowest of several."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A threshold, and what follows where a marrow is taken from everybody whose malignancy reaches it.

    Attributes
    ----------
    threshold
        Least probability of malignancy, 0 to 1, at which it is recommended.
    malignant, missed
        Malignant patients, and those below the threshold.
    acute, missed_acute
        The same of acute leukemias.
    benign, avoided
        Patients without malignancy who had the procedure or would have it, and those below the threshold: what the
        recommendation spares.
    donors, alarmed_donors
        People whom nobody would have sent there, and those of them who reach the threshold: what it adds.
    """

    threshold: float
    malignant: int
    missed: int
    acute: int
    missed_acute: int
    benign: int
    avoided: int
    donors: int = 0
    alarmed_donors: int = 0

    @property
    def sensitivity(self) -> float:
        """Share of the malignant patients that is found; NaN without any."""
        return _share(self.malignant - self.missed, self.malignant)

    @property
    def specificity(self) -> float:
        """Share of all others, donors too, that is below the threshold; NaN without any."""
        return _share(self.avoided + self.donors - self.alarmed_donors, self.benign + self.donors)

    @property
    def unneeded_before(self) -> float:
        """Share of the procedures that finds no malignancy where every patient has one, donors aside."""
        return _share(self.benign, self.malignant + self.benign)

    @property
    def unneeded(self) -> float:
        """Share of the recommended procedures that finds no malignancy, of the same people; NaN without any."""
        left = self.benign - self.avoided
        return _share(left, self.malignant - self.missed + left)


def recommend(
    malignancy: NDArray[np.float64],
    is_malignant: Flags,
    is_acute: Flags,
    threshold: float,
    is_donor: Flags | None = None,
) -> Recommendation:
    """Return what a threshold spares and misses.

    Parameters
    ----------
    malignancy
        P probabilities.
    is_malignant, is_acute
        P truths; what is acute is malignant.
    threshold
        Where the procedure is recommended: at it and above.
    is_donor
        P: healthy people whom nobody would have sent there; None for none. They are counted apart: spared procedures of
        people who had none would make the recommendation look better than it is.

    Raises
    ------
    ValueError
        If lengths differ, a probability is not within 0 to 1, or an acute patient or a donor contradicts the rest.
    """
    donor = np.zeros(len(malignancy), bool) if is_donor is None else is_donor
    _check(malignancy, is_malignant, is_acute, donor)
    below = malignancy < threshold
    benign = ~is_malignant & ~donor
    return Recommendation(
        float(threshold),
        malignant=int(is_malignant.sum()),
        missed=int((is_malignant & below).sum()),
        acute=int(is_acute.sum()),
        missed_acute=int((is_acute & below).sum()),
        benign=int(benign.sum()),
        avoided=int((benign & below).sum()),
        donors=int(donor.sum()),
        alarmed_donors=int((donor & ~below).sum()),
    )


def choose_threshold(
    malignancy: NDArray[np.float64],
    is_malignant: Flags,
    is_acute: Flags,
    rule: ThresholdRule | str,
    *,
    sensitivity: float = 0.95,
    is_donor: Flags | None = None,
    splits: Sequence[str] = (),
) -> Recommendation:
    """Return the threshold that a rule asks for, and what it spares and misses on the same patients.

    To be chosen on out-of-fold answers alone: chosen where it is then judged, it looks better than it is. A threshold
    lies halfway between two neighboring probabilities, so that rounding does not move a patient across it.

    Parameters
    ----------
    malignancy, is_malignant, is_acute, is_donor
        As in ``recommend``. Donors have no say in the rules ``sensitivity`` and ``all_acute``.
    rule
        What it is chosen for.
    sensitivity
        For the rule of that name, above 0 to 1.
    splits
        The split of each answer, where known: others than ``out_of_fold`` are refused.

    Raises
    ------
    CohortError
        If there is no patient of the kind that the rule is about, or an answer is not out of fold.
    ValueError
        As in ``recommend``, or if the sensitivity is not within its range.
    """
    rule = ThresholdRule(rule)
    _refuse_seen(splits)
    if not 0 < sensitivity <= 1:
        raise ValueError(f"a sensitivity is above 0 and at most 1, not {sensitivity}")
    if not is_malignant.any() or (rule is ThresholdRule.YOUDEN and is_malignant.all()):
        raise CohortError("a threshold needs malignant patients, and Youden's others too: name both in the cohort")
    if rule is ThresholdRule.ALL_ACUTE and not is_acute.any():
        raise CohortError("the rule all_acute needs patients with acute leukemia: choose another rule")
    options = _between(malignancy)
    missed = np.searchsorted(np.sort(malignancy[is_malignant]), options)
    if rule is ThresholdRule.YOUDEN:
        passed = np.searchsorted(np.sort(malignancy[~is_malignant]), options)
        # argmax takes the first of equals, which is the lowest threshold.
        chosen = options[np.argmax(passed / (~is_malignant).sum() - missed / is_malignant.sum())]
    elif rule is ThresholdRule.ALL_ACUTE:
        chosen = options[options <= malignancy[is_acute].min()][-1]
    else:
        # A whole number of patients: 0.95 of 20 is 19, whatever the product rounds to.
        needed = np.ceil(sensitivity * is_malignant.sum() - 1e-9)
        chosen = options[is_malignant.sum() - missed >= needed][-1]
    return recommend(malignancy, is_malignant, is_acute, float(chosen), is_donor)


def _between(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 0, and the middle between every two neighboring values, in rising order."""
    known = np.unique(values)
    return np.concatenate([[0.0], (known[:-1] + known[1:]) / 2])


def _refuse_seen(splits: Sequence[str]) -> None:
    seen = sorted({split for split in splits if split != OUT_OF_FOLD})
    if seen:
        raise CohortError(
            f"a threshold is chosen on out-of-fold answers alone, but these are of: {', '.join(seen)}; leave them out"
        )


def _check(malignancy: NDArray[np.float64], is_malignant: Flags, is_acute: Flags, donor: Flags) -> None:
    if not len(malignancy) == len(is_malignant) == len(is_acute) == len(donor):
        raise ValueError("one probability and one truth of each kind a patient")
    if not ((malignancy >= 0) & (malignancy <= 1 + 1e-9)).all():
        raise ValueError("a probability is 0 to 1")
    if (is_acute & ~is_malignant).any() or (donor & is_malignant).any():
        raise ValueError("what is acute is malignant, and a donor is not")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
