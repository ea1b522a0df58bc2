"""Who is learned from, who says when to stop, and who is answered by whom: patients in folds that are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask, TaskKind, truth_slices
from hemascope.stats.stratified import stratified_parts

WATCHING_PARTS = 8
"""Of the patients that a fold learns from, one in about this many watches instead: it says when training was best."""

DRAWN_PARTS = 5
"""Where one model is trained and a cohort names no splits: a part each for test and validation, the rest to learn from.
"""

TRAIN, VAL, TEST = "train", "val", "test"
OUT_OF_FOLD = "out_of_fold"
EXCLUDED = "excluded"

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class PatientFold:
    """One fold.

    Attributes
    ----------
    train
        Places of those who are learned from.
    watch
        Those who say when to stop and which weights are best.
    held_out
        Those whose out-of-fold answer comes from this fold; none of them is in ``train``.
    """

    train: Places
    watch: Places
    held_out: Places


@dataclass(frozen=True, slots=True, eq=False)
class PatientPlan:
    """How the patients of a cohort are used.

    Attributes
    ----------
    folds
        One or more; the held-out patients of all differ.
    asked
        Split to the places of patients that only the finished ensemble answers: ``test``, ``excluded``, and ``val``
        where those watched every fold of a cross-validation.
    """

    folds: tuple[PatientFold, ...]
    asked: dict[str, Places]


def plan_folds(
    tasks: Sequence[BagTask],
    truth: NDArray[np.float64],
    named: Sequence[str],
    folds: int,
    seed: int,
    *,
    watch_held_out: bool = False,
) -> PatientPlan:
    """Plan a training.

    Splits that the cohort names are kept: nobody of ``test`` is in a fold, and those of ``val`` watch. Everybody else
    is dealt to ``folds`` parts that are alike in classes, markers and what is missing; each fold holds one of them out.
    Of those it learns from, one in ``WATCHING_PARTS`` watches, where no ``val`` is named. With one fold the patients
    who watch are those held out; where the cohort names none, a fifth of all is drawn, and a fifth for a test too.

    Parameters
    ----------
    tasks, truth
        What is asked, and P x C truth.
    named
        P splits of the cohort: ``train``, ``val``, ``test`` or ""; or ``excluded``, who are in no fold either.
    folds
        K, 1 or more.
    seed
        Of all draws.
    watch_held_out
        Whether, without a named ``val``, the held-out patients of each fold watch too: more are learned from, and
        out-of-fold answers come out a little too good, because the best epoch was chosen on them.

    Raises
    ------
    ValueError
        If a split has another name, or there are too few patients for the folds.
    """
    splits = np.array(named, np.str_)
    strange = sorted(set(splits.tolist()) - {TRAIN, VAL, TEST, EXCLUDED, ""})
    if strange:
        raise ValueError(f"splits are train, val or test, not {', '.join(strange)}")
    labels = labels_of(tasks, truth)
    if folds == 1:
        return _one_model(_drawn(splits, labels, seed))
    val, free = np.flatnonzero(splits == VAL), np.flatnonzero((splits == TRAIN) | (splits == ""))
    if len(free) < folds:
        raise ValueError(f"{len(free)} patients cannot be dealt to {folds} folds")
    parts = stratified_parts(labels[free], folds, seed)
    planned = []
    for part in range(folds):
        held, rest = free[parts == part], free[parts != part]
        if len(val) or watch_held_out:
            planned.append(PatientFold(rest, val if len(val) else held, held))
        else:
            watches = stratified_parts(labels[rest], min(WATCHING_PARTS, len(rest)), seed + 1 + part) == 0
            planned.append(PatientFold(rest[~watches], rest[watches], held))
    return PatientPlan(tuple(planned), _asked(splits, (TEST, VAL, EXCLUDED)))


def labels_of(tasks: Sequence[BagTask], truth: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return P x L, what folds should be alike in: classes, markers there and not there, whether a number is known."""
    places = truth_slices(tasks)
    found: list[NDArray[np.bool_]] = []
    for task in tasks:
        for column in truth[:, places[task.name]].T:
            if task.kind is TaskKind.NUMBER:
                found.append(~np.isnan(column))
            else:
                values = range(len(task.outputs)) if task.kind is TaskKind.CLASSES else (0, 1)
                found += [column == value for value in values]
    return np.stack(found, axis=1)


def _drawn(splits: NDArray[np.str_], labels: NDArray[np.bool_], seed: int) -> NDArray[np.str_]:
    """Return splits in which somebody validates, and somebody tests unless validation was named."""
    chosen = splits.astype("<U16")
    chosen[chosen == ""] = TRAIN
    if VAL in chosen:
        return chosen
    wanted = {VAL: DRAWN_PARTS - 1} if TEST in chosen else {TEST: DRAWN_PARTS, VAL: DRAWN_PARTS - 1}
    for name, parts in wanted.items():
        free = np.flatnonzero(chosen == TRAIN)
        chosen[free[stratified_parts(labels[free], parts, seed) == 0]] = name
    return chosen


def _one_model(splits: NDArray[np.str_]) -> PatientPlan:
    train, val = (np.flatnonzero(splits == name) for name in (TRAIN, VAL))
    if not len(train) or not len(val):
        raise ValueError(f"{len(train)} patients to learn from and {len(val)} who validate: both must be some")
    return PatientPlan((PatientFold(train, val, val),), _asked(splits, (TEST, EXCLUDED)))


def _asked(splits: NDArray[np.str_], names: Sequence[str]) -> dict[str, Places]:
    found = {name: np.flatnonzero(splits == name) for name in names}
    return {name: places for name, places in found.items() if len(places)}
