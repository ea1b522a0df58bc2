"""What a cohort must be asked before training: could a model answer without looking at the disease at all.

Every label is held against where and how the smears were made, the number of cells, and what the empty background says;
patients are compared with each other; splits with sites. A check that is raised says that two things are associated,
not why: a label may differ between sites for medical reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask, TaskKind, truth_slices
from hemascope.core.cohort import Cohort
from hemascope.evaluate.chance_tests import (
    Association,
    categories_together,
    groups_differ,
    numbers_together,
    predicts,
)
from hemascope.evaluate.shared_cells import SharedCells, shared_cells
from hemascope.evaluate.shortcut_results import Check, CheckResult
from hemascope.stats.holm import holm

ALPHA = 0.01
"""Probability of any false alarm among all p values of a clean cohort, at most."""

PLACES = ("site", "scanner", "stain", "specimen")
"""Facts of a patient that say where and how the smears were made."""

ACQUISITION = ("background", "focus", "exposure", "illumination", "blur", "sharpness", "um_per_px", "magnification")
"""Beginnings of covariates that tell of pictures, not of people."""

LEAST_PATIENTS = 10
"""With a known label, below which it is not checked."""

_DRAWS = 9999


def check_shortcuts(
    cohort: Cohort, truth: NDArray[np.float64], tasks: Sequence[BagTask], *, alpha: float = ALPHA, seed: int = 0
) -> list[CheckResult]:
    """Return every check of a cohort, those that were raised first.

    Parameters
    ----------
    cohort
        P patients with their cells.
    truth
        P x C labels as ``truth_slices`` lays them out, NaN where missing.
    tasks
        What is to be asked of a model.
    alpha
        Probability of any false alarm, at most; duplicates are found by a rule that has no such probability.
    seed
        Of random deals.

    Raises
    ------
    ValueError
        If truth has not one row a patient.
    """
    if len(truth) != len(cohort):
        raise ValueError(f"{len(truth)} rows of truth do not fit {len(cohort)} patients")
    columns = _columns(truth, tasks)
    kinds = len(PLACES) + 2
    draws = max(_DRAWS, int(np.ceil(4 * (len(columns) * kinds + len(PLACES)) / alpha)))
    found = [result for column in columns for result in _of_label(cohort, column, draws, seed)]
    found += _splits(cohort, draws, seed)
    return sorted([*_judged(found, alpha), *_duplicates(cohort, seed)], key=lambda result: not result.raised)


def acquisition_covariates(cohort: Cohort) -> tuple[str, ...]:
    """Return the covariates with numbers that tell of pictures; see ``ACQUISITION``."""
    names = dict.fromkeys(name for fact in cohort.facts for name in fact.covariates)
    return tuple(
        name
        for name in names
        if name.lower().startswith(ACQUISITION)
        and all(isinstance(fact.covariates.get(name, 0.0), int | float) for fact in cohort.facts)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """One label: its values, NaN where missing; codes of groups, or a number."""

    name: str
    values: NDArray[np.float64]
    is_number: bool

    @property
    def known(self) -> NDArray[np.intp]:
        return np.flatnonzero(~np.isnan(self.values))


def _columns(truth: NDArray[np.float64], tasks: Sequence[BagTask]) -> list[_Column]:
    """Return the labels that vary and are known of enough patients."""
    places = truth_slices(tasks)
    columns = [
        _Column(name, values, task.kind is TaskKind.NUMBER)
        for task in tasks
        for name, values in zip(task.columns, truth[:, places[task.name]].T, strict=True)
    ]
    return [
        column
        for column in columns
        if len(column.known) >= LEAST_PATIENTS and len(np.unique(column.values[column.known])) > 1
    ]


def _of_label(cohort: Cohort, column: _Column, draws: int, seed: int) -> list[CheckResult]:
    known = column.known
    values = column.values[known]
    groups = values.astype(np.intp)
    found = []
    for place in PLACES:
        names = np.array([getattr(cohort.facts[patient], place) for patient in known])
        told = names != ""
        codes = np.unique(names[told], return_inverse=True)[1]
        if len(np.unique(codes)) > 1 and len(np.unique(values[told])) > 1:
            if column.is_number:
                result, measure = groups_differ(values[told], codes), "epsilon squared"
            else:
                result, measure = categories_together(groups[told], codes, draws, seed), "Cramer's V"
            found.append(_result(Check(place), column.name, place, int(told.sum()), measure, result))
    sizes = cohort.bags.sizes[known].astype(np.float64)
    if column.is_number:
        of_size, measure = numbers_together(values, sizes), "Spearman's correlation"
    else:
        of_size, measure = groups_differ(sizes, groups), "epsilon squared"
    found.append(_result(Check.CELL_NUMBER, column.name, "number of cells", len(known), measure, of_size))
    return [*found, _background(cohort, column, draws, seed)]


def _background(cohort: Cohort, column: _Column, draws: int, seed: int) -> CheckResult:
    names, known = acquisition_covariates(cohort), column.known
    if not names:
        words = (
            f"whether the background tells '{column.name}' is not known: the cohort has no column such as "
            "'background_r'; measure it between the cells"
        )
        return CheckResult(Check.BACKGROUND, column.name, "", len(known), "AUROC", None, words=words)
    features = _filled(
        np.array(
            [[cohort.facts[patient].covariates.get(name, np.nan) for name in names] for patient in known], np.float64
        )
    )
    values = column.values[known]
    groups = (values > np.median(values)).astype(np.intp) if column.is_number else values.astype(np.intp)
    if len(np.unique(groups)) < 2:
        return CheckResult(Check.BACKGROUND, column.name, ", ".join(names), len(known), "AUROC", None)
    measure = "AUROC of high against low" if column.is_number else "AUROC"
    result = predicts(features, groups, draws, seed)
    return _result(Check.BACKGROUND, column.name, ", ".join(names), len(known), measure, result)


def _filled(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return features with the mean where one is missing, and a flag beside each that ever is: missing tells too."""
    missing = np.isnan(features)
    counts = (~missing).sum(axis=0)
    means = np.where(missing, 0, features).sum(axis=0) / np.maximum(counts, 1)
    return np.hstack([np.where(missing, means, features), missing[:, missing.any(axis=0)]])


def _splits(cohort: Cohort, draws: int, seed: int) -> list[CheckResult]:
    """Return whether places are dealt evenly to the splits."""
    splits = np.array([fact.split for fact in cohort.facts])
    found = []
    for place in PLACES:
        names = np.array([getattr(fact, place) for fact in cohort.facts])
        told = (names != "") & (splits != "")
        if len(np.unique(names[told])) > 1 and len(np.unique(splits[told])) > 1:
            codes = [np.unique(texts[told], return_inverse=True)[1] for texts in (splits, names)]
            result = categories_together(codes[0], codes[1], draws, seed)
            found.append(_result(Check.SPLITS, "", place, int(told.sum()), "Cramer's V", result))
    return found


def _duplicates(cohort: Cohort, seed: int) -> list[CheckResult]:
    pairs = shared_cells(cohort.bags, seed)
    if pairs:
        return [_duplicate(cohort, pair) for pair in pairs]
    words = f"no two of {len(cohort)} patients share cells"
    return [CheckResult(Check.DUPLICATES, "", "cells", len(cohort), "share of cells", 0.0, words=words)]


def _duplicate(cohort: Cohort, pair: SharedCells) -> CheckResult:
    first, second = cohort.facts[pair.first], cohort.facts[pair.second]
    how = "the same" if pair.exact else "nearly the same"
    where = f"splits '{first.split}' and '{second.split}'" if first.split != second.split else "one split"
    words = f"patients {first.patient} and {second.patient} share {pair.cells} cells that are {how}, in {where}"
    against = f"{first.patient}, {second.patient}"
    return CheckResult(Check.DUPLICATES, "", against, 2, "share of cells", pair.share, raised=True, words=words)


def _result(
    check: Check, label: str, against: str, patients: int, measure: str, association: Association
) -> CheckResult:
    return CheckResult(check, label, against, patients, measure, association.effect, association.p)


def _judged(results: Sequence[CheckResult], alpha: float) -> list[CheckResult]:
    """Return the results with p values adjusted over all of them, a verdict, and words."""
    adjusted = holm([np.nan if result.p is None else result.p for result in results])
    return [
        result if result.p is None else _told(replace(result, p_adjusted=float(p), raised=bool(p <= alpha)))
        for result, p in zip(results, adjusted, strict=True)
    ]


def _told(result: CheckResult) -> CheckResult:
    verb = "is associated with" if result.raised else "is not seen to go with"
    subject = _SUBJECTS[result.check](result)
    p = "p < 0.001" if result.p_adjusted is not None and result.p_adjusted < 0.001 else f"p {result.p_adjusted:.3f}"
    words = f"{subject} {verb} {result.against} ({result.measure} {result.effect:.2f}, {p} over all checks)"
    return replace(result, words=words)


_SUBJECTS: dict[Check, Callable[[CheckResult], str]] = {
    check: (lambda result: f"label '{result.label}'") for check in Check if check is not Check.SPLITS
} | {Check.SPLITS: lambda _: "the split"}
