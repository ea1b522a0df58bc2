"""Whether a model is as good in one group of patients as in another: figures by group, and tests of interaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.binary import BinaryScores, score_at
from hemascope.evaluate.patients.classes import ClassAnswers
from hemascope.evaluate.patients.numbers import NumberAnswers
from hemascope.evaluate.patients.questions import BinaryQuestion
from hemascope.evaluate.patients.ranking import delong_estimate, macro_statistic
from hemascope.evaluate.patients.subgroup_columns import Columns, ordered_groups
from hemascope.stats.delong import delong_covariance
from hemascope.stats.heterogeneity import cochran_q
from hemascope.stats.holm import holm
from hemascope.stats.ranking import auroc_statistic
from hemascope.stats.resample import RESAMPLES, bootstrap_distribution, percentile_interval, ratio_of_sums

FEWEST = 5
"""Patients of each kind that a group needs to take part in a test."""

AVERAGE = "average"
"""The question of the mean area over all questions."""


@dataclass(frozen=True, slots=True)
class SubgroupRow:
    """One figure in one group.

    Attributes
    ----------
    question
        A marker, a class, ``average``, or the name of a task.
    column, group
        ``sex``, ``f``.
    patients, positives
        How many; positives None where the question is not yes or no.
    metric
        ``auroc``, ``accuracy`` or ``mean_absolute_error``.
    value
        With DeLong's interval, the exact one, or that of the bootstrap.
    scores
        Figures at the threshold given; None without one.
    """

    question: str
    column: str
    group: str
    patients: int
    positives: int | None
    metric: str
    value: Estimate
    scores: BinaryScores | None = None


@dataclass(frozen=True, slots=True)
class InteractionTest:
    """Whether a figure differs between the groups of one column.

    Attributes
    ----------
    question, column, metric
        As in ``SubgroupRow``.
    groups
        Those that took part: with ``FEWEST`` patients of each kind or more, and not all pairs in order.
    test
        Its name.
    p_value
        None where fewer than two groups can take part.
    p_holm
        The same adjusted for all tests that were given to ``adjusted`` together; None before.
    """

    question: str
    column: str
    metric: str
    groups: tuple[str, ...]
    test: str
    p_value: float | None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class Subgroups:
    """Figures by group, and tests; those of several analyses can be added up before they are adjusted.

    Attributes
    ----------
    rows, tests
        In the order of questions and columns.
    """

    rows: tuple[SubgroupRow, ...]
    tests: tuple[InteractionTest, ...]

    def __add__(self, other: Subgroups) -> Subgroups:
        """Return both, one after the other."""
        return Subgroups(self.rows + other.rows, self.tests + other.tests)

    def adjusted(self) -> Subgroups:
        """Return the same with all p values adjusted together by Holm's procedure."""
        values = holm([np.nan if test.p_value is None else test.p_value for test in self.tests])
        pairs = zip(self.tests, values.tolist(), strict=True)
        tests = tuple(replace(test, p_holm=None if np.isnan(value) else value) for test, value in pairs)
        return Subgroups(self.rows, tests)


def subgroups_of_questions(
    questions: Sequence[BinaryQuestion],
    columns: Columns,
    thresholds: Mapping[str, float | None] | None = None,
    resamples: int = RESAMPLES,
) -> Subgroups:
    r"""Return areas under the ROC curve by group, of each question and of their average.

    The test is Cochran's Q of :math:`\log \frac{a}{1 - a}` with DeLong's variances (for the average, those of the
    bootstrap): for two groups the z test of the difference of independent areas, and near its level from five patients
    of each kind on, where the test of the areas themselves rejects too often (measured on drawn cohorts).

    Parameters
    ----------
    questions
        To the same answers, of P rows.
    columns
        Name to P names of groups, "" where unknown.
    thresholds
        Question to the threshold of its figures yes and no, chosen on other patients.
    resamples
        Of the bootstrap of the average.
    """
    levels = thresholds or {}
    found = Subgroups((), ())
    for column, groups in columns.items():
        names = ordered_groups(groups)
        for question in questions:
            found += _of_question(question, column, groups, names, levels.get(question.name))
        if len(questions) > 1:
            found += _of_average(questions, column, groups, names, resamples)
    return found


def subgroups_of_classes(task: str, answers: ClassAnswers, columns: Columns) -> Subgroups:
    """Return accuracy by group; the test is Fisher's exact one for two groups, else Pearson's chi-squared.

    Chi-squared is left out where a count of less than 1 is expected, or of less than 5 in more than a fifth of the
    table (Cochran, Biometrics 1954;10:417).
    """
    right = answers.told == answers.truth
    found = Subgroups((), ())
    for column, groups in columns.items():
        members = {name: right[groups[answers.rows] == name] for name in ordered_groups(groups)}
        rows = tuple(
            SubgroupRow(task, column, name, len(part), None, "accuracy", Estimate.share(int(part.sum()), len(part)))
            for name, part in members.items()
        )
        tested = {name: part for name, part in members.items() if len(part) >= FEWEST}
        test, p_value = _proportions_differ([(int(part.sum()), int((~part).sum())) for part in tested.values()])
        found += Subgroups(rows, (InteractionTest(task, column, "accuracy", tuple(tested), test, p_value),))
    return found


def subgroups_of_number(answers: NumberAnswers, columns: Columns, resamples: int = RESAMPLES) -> Subgroups:
    """Return the mean absolute error by group; the test is that of Kruskal and Wallis on absolute errors."""
    from scipy.stats import kruskal

    error = np.abs(answers.told - answers.truth)
    found = Subgroups((), ())
    for column, groups in columns.items():
        rows, tested = [], {}
        for name in ordered_groups(groups):
            inside = groups[answers.rows] == name
            part, patients = error[inside], answers.patients[inside]
            value = Estimate.resampled(patients, ratio_of_sums(part, np.ones(len(part))), resamples)
            rows.append(SubgroupRow(answers.name, column, name, len(part), None, "mean_absolute_error", value))
            if len(part) >= FEWEST:
                tested[name] = part
        varies = len(tested) > 1 and len(np.unique(np.concatenate(list(tested.values())))) > 1
        p_value = float(kruskal(*tested.values()).pvalue) if varies else None
        test = InteractionTest(answers.name, column, "mean_absolute_error", tuple(tested), "Kruskal-Wallis", p_value)
        found += Subgroups(tuple(rows), (test,))
    return found


def _of_question(
    question: BinaryQuestion, column: str, groups: NDArray[np.str_], names: Sequence[str], threshold: float | None
) -> Subgroups:
    rows, areas = [], {}
    for name in names:
        part = question.among(groups == name)
        scores = None if threshold is None else score_at(part.told, part.present, threshold)
        value = delong_estimate(part)
        rows.append(SubgroupRow(question.name, column, name, len(part), part.positives, "auroc", value, scores))
        if min(part.positives, part.negatives) >= FEWEST and value.low is not None:
            found, covariance = delong_covariance(part.told[None], part.present)
            areas[name] = float(found[0]), float(covariance[0, 0])
    return Subgroups(tuple(rows), (_areas_differ(question.name, column, areas),))


def _of_average(
    questions: Sequence[BinaryQuestion], column: str, groups: NDArray[np.str_], names: Sequence[str], resamples: int
) -> Subgroups:
    rows, areas = [], {}
    for name in names:
        parts = [question.among(groups == name) for question in questions]
        count = len(np.unique(np.concatenate([part.rows for part in parts])))
        value = Estimate(None)
        if all(part.positives and part.negatives for part in parts):
            patients, statistic = macro_statistic(parts, auroc_statistic)
            drawn = bootstrap_distribution(patients, statistic, resamples)
            mean = float(statistic(np.ones((1, len(patients))))[0])
            value = Estimate(mean, *(percentile_interval(drawn) or (None, None)))
            enough = all(min(part.positives, part.negatives) >= FEWEST for part in parts)
            variance = float(np.nanvar(drawn))
            if enough and variance > 0 and 0 < mean < 1:
                areas[name] = mean, variance
        rows.append(SubgroupRow(AVERAGE, column, name, count, None, "auroc", value))
    return Subgroups(tuple(rows), (_areas_differ(AVERAGE, column, areas),))


def _areas_differ(question: str, column: str, areas: Mapping[str, tuple[float, float]]) -> InteractionTest:
    values = np.array([area for area, _ in areas.values()])
    variances = np.array([variance for _, variance in areas.values()])
    # The variance of log(a / (1 - a)), by its slope 1 / (a (1 - a)).
    found = cochran_q(np.log(values / (1 - values)), variances / (values * (1 - values)) ** 2)
    return InteractionTest(question, column, "auroc", tuple(areas), "Cochran's Q", None if found is None else found[1])


def _proportions_differ(table: Sequence[tuple[int, int]]) -> tuple[str, float | None]:
    from scipy.stats import chi2_contingency, fisher_exact
    from scipy.stats.contingency import expected_freq

    counts = np.array(table, np.int64).reshape(-1, 2)
    if len(counts) == 2:
        return "Fisher's exact", float(fisher_exact(counts).pvalue)
    name = "chi-squared"
    if len(counts) < 2 or not counts.sum(axis=0).all():
        return name, None
    expected = expected_freq(counts)
    if expected.min() < 1 or (expected < 5).mean() > 0.2:
        return name, None
    return name, float(chi2_contingency(counts, correction=False).pvalue)
