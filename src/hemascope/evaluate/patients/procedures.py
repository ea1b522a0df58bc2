"""What each threshold of malignancy spares and what it costs: procedures avoided beside malignancies missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hemascope.bags.recommendation import Recommendation, recommend
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.questions import BinaryQuestion

THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(101))


@dataclass(frozen=True, slots=True)
class ProcedureRow:
    """One threshold; shares with exact intervals.

    Attributes
    ----------
    counts
        The counts behind them: patients, missed, avoided, donors alarmed.
    sensitivity
        Malignant patients found, of all malignant ones.
    acute_sensitivity
        The same of acute leukemias.
    specificity
        All others, donors too, who are below the threshold.
    avoided
        Patients without malignancy who are spared the procedure, of those who would have it; donors would not.
    unneeded_before
        Procedures that find no malignancy where every patient has one, donors aside.
    unneeded
        The same of those recommended at this threshold, of the same people: to be set beside ``unneeded_before``.
    unneeded_with_donors
        Of all who are recommended, donors too: another population than ``unneeded_before``, not to be set beside it,
        though it has been printed so.
    """

    counts: Recommendation
    sensitivity: Estimate
    acute_sensitivity: Estimate
    specificity: Estimate
    avoided: Estimate
    unneeded_before: Estimate
    unneeded: Estimate
    unneeded_with_donors: Estimate


def procedure_row(counts: Recommendation) -> ProcedureRow:
    """Return the shares of the counts at one threshold."""
    found = counts.malignant - counts.missed
    others = counts.benign + counts.donors
    left = counts.benign - counts.avoided
    return ProcedureRow(
        counts=counts,
        sensitivity=Estimate.share(found, counts.malignant),
        acute_sensitivity=Estimate.share(counts.acute - counts.missed_acute, counts.acute),
        specificity=Estimate.share(counts.avoided + counts.donors - counts.alarmed_donors, others),
        avoided=Estimate.share(counts.avoided, counts.benign),
        unneeded_before=Estimate.share(counts.benign, counts.malignant + counts.benign),
        unneeded=Estimate.share(left, found + left),
        unneeded_with_donors=Estimate.share(left + counts.alarmed_donors, found + left + counts.alarmed_donors),
    )


def procedure_table(
    malignancy: BinaryQuestion, acute: ArrayLike, donor: ArrayLike, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[ProcedureRow, ...]:
    """Return a row a threshold, in the order given.

    Parameters
    ----------
    malignancy
        The question whether it is malignant, to N patients.
    acute, donor
        N truths: an acute leukemia; a healthy donor whom nobody would have sent to a procedure.
    thresholds
        From which probability on the procedure is recommended. One to decide by comes from other patients.

    Raises
    ------
    ValueError
        If the lengths differ, or an acute patient or a donor contradicts malignancy.
    """
    is_acute, is_donor = np.asarray(acute, bool), np.asarray(donor, bool)
    return tuple(
        procedure_row(recommend(malignancy.told, malignancy.present, is_acute, threshold, is_donor))
        for threshold in thresholds
    )
