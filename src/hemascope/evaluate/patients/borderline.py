"""Patients of unclear labels, a cohort of their own: to which class the model gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.answers import PatientAnswers


@dataclass(frozen=True, slots=True)
class WhereTheyGo:
    """What is told of the patients of one unclear label.

    Attributes
    ----------
    label
        As the laboratory wrote it.
    patients
        How many were answered.
    told
        Class to the number of patients whose likeliest class it is.
    mean_probability
        Class to the mean of its probabilities.
    suspected
        Classes that the label names, such as MDS and acute leukemia of ``MDS-AML borderline``; empty where nobody
        said.
    among_suspected
        Share of patients told one of those; undefined where nobody said.
    surest
        Median over patients of the probability of the class told: unclear patients should not be told for sure.
    """

    label: str
    patients: int
    told: dict[str, int]
    mean_probability: dict[str, float]
    suspected: tuple[str, ...]
    among_suspected: Estimate
    surest: float


def where_they_go(
    answers: PatientAnswers,
    task: str,
    column: str,
    suspected: Mapping[str, Sequence[str]] | None = None,
) -> tuple[WhereTheyGo, ...]:
    """Return what is told of patients without a truth of a task who have a label nevertheless, most frequent first.

    Parameters
    ----------
    answers
        Of any split; patients with a truth are left out, for they are judged elsewhere.
    task
        Of classes.
    column
        Of the raw laboratory labels.
    suspected
        Label to the classes that it names.

    Raises
    ------
    ValueError
        If a suspected class is none of the task's, or there is no such column of labels.
    """
    outputs, hopes = answers.task(task).outputs, dict(suspected or {})
    strange = sorted({name for names in hopes.values() for name in names} - set(outputs))
    if strange:
        raise ValueError(f"{', '.join(strange)} is no class of {task}")
    if column not in answers.labels:
        raise ValueError(f"there is no column of labels {column}, only {', '.join(answers.labels) or 'none'}")
    labels, probabilities = answers.labels[column], answers.probabilities[task]
    unclear = np.isnan(answers.truth_of(task)) & np.isfinite(probabilities[:, 0]) & (labels != "")
    names, counts = np.unique(labels[unclear], return_counts=True)
    ordered = sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda row: (-row[1], row[0]))
    return tuple(
        _row(name, probabilities[unclear & (labels == name)], outputs, tuple(hopes.get(name, ())))
        for name, _ in ordered
    )


def _row(
    label: str, probabilities: NDArray[np.float64], classes: Sequence[str], suspected: tuple[str, ...]
) -> WhereTheyGo:
    told = np.bincount(probabilities.argmax(axis=1), minlength=len(classes))
    counts = {name: int(count) for name, count in zip(classes, told, strict=True)}
    means = {name: float(mean) for name, mean in zip(classes, probabilities.mean(axis=0), strict=True)}
    hits = sum(counts[name] for name in suspected)
    return WhereTheyGo(
        label=label,
        patients=len(probabilities),
        told=counts,
        mean_probability=means,
        suspected=suspected,
        among_suspected=Estimate.share(hits, len(probabilities)) if suspected else Estimate(None),
        surest=float(np.median(probabilities.max(axis=1))),
    )
