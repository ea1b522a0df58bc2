"""A number told of a patient against the number measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.correlation import FEWEST, p_value_of
from hemascope.stats.correlation import pearson_statistic
from hemascope.stats.resample import RESAMPLES, ratio_of_sums


@dataclass(frozen=True, slots=True, eq=False)
class NumberAnswers:
    """Numbers told and measured, of the patients of whom there are both.

    Attributes
    ----------
    name, unit
        Of the task.
    rows
        N places among the answers that they come from.
    patients
        N names.
    told, truth
        N numbers each, in the unit.
    """

    name: str
    unit: str
    rows: NDArray[np.intp]
    patients: NDArray[np.str_]
    told: NDArray[np.float64]
    truth: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class NumberScores:
    """How near numbers come; intervals by the bootstrap over patients.

    Attributes
    ----------
    name, unit
        Of the task.
    patients
        How many.
    pearson
        Correlation, -1 to 1; undefined where one side does not vary.
    p_value
        Two-sided, of no correlation, by the t distribution; None as above or with fewer than three patients.
    mean_absolute_error
        In the unit.
    bias
        Mean of told minus measured, in the unit.
    mean_absolute_error_of_mean
        Error of telling everybody the mean measured here: what a model must be below to know anything.
    """

    name: str
    unit: str
    patients: int
    pearson: Estimate
    p_value: float | None
    mean_absolute_error: Estimate
    bias: Estimate
    mean_absolute_error_of_mean: Estimate


def number_answers(answers: PatientAnswers, task: str) -> NumberAnswers:
    """Return the answers to a task of a number that can be judged."""
    asked, rows = answers.task(task), np.flatnonzero(answers.known(task))
    names = np.asarray(answers.patients, np.str_)[rows]
    return NumberAnswers(task, asked.unit, rows, names, answers.numbers[task][rows], answers.truth_of(task)[rows])


def score_number(answers: NumberAnswers, resamples: int = RESAMPLES) -> NumberScores:
    """Return the figures of a number; each is undefined where there is nothing to compute it from."""
    told, truth = answers.told, answers.truth
    error = told - truth
    distance_of_mean = np.abs(truth - truth.mean()) if len(answers) else error
    enough, one_each = len(answers) >= FEWEST, np.ones(len(answers))
    pearson = (
        Estimate.resampled(answers.patients, pearson_statistic(told, truth), resamples) if enough else Estimate(None)
    )
    return NumberScores(
        name=answers.name,
        unit=answers.unit,
        patients=len(answers),
        pearson=pearson,
        p_value=p_value_of(pearson.value, len(answers)),
        mean_absolute_error=Estimate.resampled(answers.patients, ratio_of_sums(np.abs(error), one_each), resamples),
        bias=Estimate.resampled(answers.patients, ratio_of_sums(error, one_each), resamples),
        mean_absolute_error_of_mean=Estimate.resampled(
            answers.patients, ratio_of_sums(distance_of_mean, one_each), resamples
        ),
    )
