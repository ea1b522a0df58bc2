"""Patients with several markers at once: is one of them found, are all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.answers import PatientAnswers


@dataclass(frozen=True, slots=True)
class FoundMarkers:
    """What is found in patients with so many markers.

    Attributes
    ----------
    markers
        How many they have, in words: ``0``, ``1``, ``2 or more``.
    patients
        Number of patients.
    one_found, all_found
        Share of them in whom at least one, or every one, of their markers is told; undefined for no marker.
    none_added
        Share in whom no marker is told that they do not have.
    exact
        Share in whom just their markers are told.
    """

    markers: str
    patients: int
    one_found: Estimate
    all_found: Estimate
    none_added: Estimate
    exact: Estimate


def several_markers(
    answers: PatientAnswers, task: str, thresholds: Mapping[str, float | None]
) -> tuple[FoundMarkers, ...]:
    """Return what is found in patients with no, one, and two or more markers.

    A marker that was not tested in a patient, or has no answer or no threshold, counts as neither there nor told.

    Parameters
    ----------
    answers
        One row a patient.
    task
        Of markers.
    thresholds
        Marker to the probability from which on it is told, chosen on other patients; None for one without.

    Raises
    ------
    ValueError
        If a marker has no entry.
    """
    markers = answers.task(task).outputs
    absent = [marker for marker in markers if marker not in thresholds]
    if absent:
        raise ValueError(f"no threshold for {', '.join(absent)}; give None for a marker without one")
    levels = np.array([np.nan if (level := thresholds[marker]) is None else level for marker in markers])
    truth = np.stack([answers.truth_of(marker) for marker in markers], axis=1)
    known = np.isfinite(truth) & np.isfinite(answers.probabilities[task]) & np.isfinite(levels)
    return count_found((truth == 1) & known, (answers.probabilities[task] >= levels) & known, known.any(axis=1))


def count_found(present: np.ndarray, told: np.ndarray, counted: np.ndarray) -> tuple[FoundMarkers, ...]:
    """Return the shares of P x M markers present and told; of the ``counted`` of P patients."""
    number = present.sum(axis=1)
    kinds = {"0": number == 0, "1": number == 1, "2 or more": number >= 2}
    return tuple(_found(name, present[kind & counted], told[kind & counted]) for name, kind in kinds.items())


def _found(name: str, present: np.ndarray, told: np.ndarray) -> FoundMarkers:
    found, added = present & told, told & ~present
    with_any = int(present.any(axis=1).sum())
    return FoundMarkers(
        markers=name,
        patients=len(present),
        one_found=Estimate.share(int(found.any(axis=1).sum()), with_any),
        all_found=Estimate.share(int((found.sum(axis=1) == present.sum(axis=1))[present.any(axis=1)].sum()), with_any),
        none_added=Estimate.share(int((~added.any(axis=1)).sum()), len(present)),
        exact=Estimate.share(int((present == told).all(axis=1).sum()), len(present)),
    )
