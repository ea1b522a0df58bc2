"""Whether the number of cells goes with the truth, which a model could use, or with how sure the answer is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.core.bag_task import TaskKind
from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.correlation import Correlation, correlate
from hemascope.stats.resample import RESAMPLES


@dataclass(frozen=True, slots=True)
class SizesOfGroup:
    """Numbers of cells of the patients of one label.

    Attributes
    ----------
    group
        The label.
    patients
        How many.
    median, low, high
        Cells: the middle, and the quarters below and above.
    """

    group: str
    patients: int
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SizeAgainstLabel:
    """Whether bag sizes differ between labels (Kruskal, Wallis, J Am Stat Assoc 1952;47:583, corrected for ties).

    Attributes
    ----------
    question
        The task, or the marker.
    groups
        Sizes of each label that occurs.
    statistic
        H; None with fewer than two groups, or where all bags are of one size.
    p_value
        Of chi-squared with one degree of freedom less than there are groups; None as above.
    effect
        H / (n - 1), the share of the variance of ranks that lies between groups, 0 to 1; None as above.
    """

    question: str
    groups: tuple[SizesOfGroup, ...]
    statistic: float | None
    p_value: float | None
    effect: float | None


def size_against_label(answers: PatientAnswers, task: str) -> tuple[SizeAgainstLabel, ...]:
    """Return the test of bag sizes between the classes of a task, or between patients with and without each marker.

    Raises
    ------
    ValueError
        If the task is a number; correlate it with the sizes instead.
    """
    asked = answers.task(task)
    if asked.kind is TaskKind.NUMBER:
        raise ValueError(f"{task} is a number and has no labels")
    if asked.kind is TaskKind.CLASSES:
        return (sizes_between(task, answers.cells, answers.truth_of(task), asked.outputs),)
    return tuple(sizes_between(m, answers.cells, answers.truth_of(m), ("absent", "present")) for m in asked.outputs)


def sizes_between(question: str, cells: ArrayLike, groups: ArrayLike, names: Sequence[str]) -> SizeAgainstLabel:
    """Return the Kruskal-Wallis test of N numbers of cells between groups.

    Parameters
    ----------
    question
        What the groups are of.
    cells
        N numbers.
    groups
        N group numbers, NaN where unknown.
    names
        Of the groups.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    from scipy.stats import kruskal

    sizes, numbers = np.asarray(cells, np.float64), np.asarray(groups, np.float64)
    if sizes.shape != numbers.shape:
        raise ValueError(f"need a group for each of {sizes.shape} bags, not {numbers.shape}")
    members = {name: sizes[numbers == place] for place, name in enumerate(names)}
    members = {name: part for name, part in members.items() if len(part)}
    rows = tuple(_sizes(name, part) for name, part in members.items())
    total = int(sum(len(part) for part in members.values()))
    if len(members) < 2 or len(np.unique(np.concatenate(list(members.values())))) < 2:
        return SizeAgainstLabel(question, rows, None, None, None)
    tested = kruskal(*members.values())
    return SizeAgainstLabel(
        question, rows, float(tested.statistic), float(tested.pvalue), float(tested.statistic) / (total - 1)
    )


def size_against_confidence(answers: PatientAnswers, task: str, resamples: int = RESAMPLES) -> Correlation:
    """Return the rank correlation of bag size and confidence: the probability told of what is true.

    For markers it is the mean over those known of a patient, of the probability that each is there where it is, and
    that it is not where it is not.

    Raises
    ------
    ValueError
        If the task is a number.
    """
    return correlate(answers.cells, confidence_in_truth(answers, task), answers.patients, resamples)


def confidence_in_truth(answers: PatientAnswers, task: str) -> NDArray[np.float64]:
    """Return P probabilities told of what is true, NaN where the truth or the answer is missing; as above."""
    asked = answers.task(task)
    if asked.kind is TaskKind.NUMBER:
        raise ValueError(f"{task} is a number and has no probabilities")
    told = answers.probabilities[task]
    confidence = np.full(len(answers), np.nan)
    if asked.kind is TaskKind.CLASSES:
        rows = np.flatnonzero(answers.known(task))
        confidence[rows] = told[rows, answers.truth_of(task)[rows].astype(np.intp)]
        return confidence
    truth = np.stack([answers.truth_of(marker) for marker in asked.outputs], axis=1)
    of_truth = np.where(truth == 1, told, 1 - told)
    known = np.isfinite(truth) & np.isfinite(told)
    rows = np.flatnonzero(known.any(axis=1))
    confidence[rows] = np.where(known, of_truth, 0.0)[rows].sum(axis=1) / known[rows].sum(axis=1)
    return confidence


def _sizes(name: str, cells: NDArray[np.float64]) -> SizesOfGroup:
    low, middle, high = np.quantile(cells, [0.25, 0.5, 0.75])
    return SizesOfGroup(name, len(cells), float(middle), float(low), float(high))
