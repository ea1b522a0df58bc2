"""A cohort opened for the training of a model of patients: tasks, truth, and who is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.cohort import open_cohort
from hemascope.bags.checks import check_finite, check_truth
from hemascope.bags.counts import count_cohort
from hemascope.bags.folds import EXCLUDED, TEST, PatientPlan, plan_folds
from hemascope.bags.taxonomy import load_taxonomy
from hemascope.bags.truth import truth_of
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.cohort import Cohort
from hemascope.core.disease_taxonomy import DiseaseTaxonomy
from hemascope.core.errors import CohortError, RecipeError
from hemascope.core.patient import PatientFacts
from hemascope.data.cohort.manifest import Manifest, read_manifest
from hemascope.recipes.bags import BagTrainingRecipe

COUNTS = "counts"
"""The variant that stands for differential counts with age and sex in the place of embedded cells."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingCohort:
    """What a training starts from.

    Attributes
    ----------
    tasks
        What is asked.
    taxonomy
        Table of diseases, where the recipe names one.
    cohort
        P patients with cells, excluded ones too.
    truth
        P x C what is known of them. Of excluded patients only what fits the tasks: their label is often no class.
    plan
        Who is learned from in which fold, and who is only asked.
    """

    tasks: tuple[BagTask, ...]
    taxonomy: DiseaseTaxonomy | None
    cohort: Cohort
    truth: NDArray[np.float64]
    plan: PatientPlan


def tasks_of(recipe: BagTrainingRecipe, taxonomy: DiseaseTaxonomy | None) -> tuple[BagTask, ...]:
    """Return the tasks of a recipe; a task of classes that names none has the coarse classes of the table.

    Raises
    ------
    RecipeError
        If a task has no outputs, and there is no table.
    """
    coarse = taxonomy.coarse if taxonomy else ()
    try:
        return tuple(task.task(coarse if task.kind is TaskKind.CLASSES else ()) for task in recipe.tasks)
    except ValueError as error:
        raise RecipeError(f"recipe {recipe.name}: {error}; name its outputs, or a table of diseases") from error


def open_training_cohort(recipe: BagTrainingRecipe, manifest: Path, variant: str = "") -> TrainingCohort:
    """Open a cohort, check that it can be learned from, and deal its patients to folds.

    Parameters
    ----------
    recipe
        What is asked, and how many folds.
    manifest
        The cohort.
    variant
        Which embeddings of it; "" for the usual ones, ``COUNTS`` for counts instead.

    Raises
    ------
    CohortError
        If the cohort cannot be read, or cannot be learned from in so many folds.
    RecipeError
        If there is no such table of diseases, or a task has no outputs.
    """
    taxonomy = load_taxonomy(recipe.taxonomy) if recipe.taxonomy else None
    tasks = tasks_of(recipe, taxonomy)
    columns = [column for task in tasks for column in task.columns]
    read = read_manifest(manifest)
    _need_columns(read, columns)
    cohort = open_variant(manifest, variant, columns)
    named = [EXCLUDED if fact.excluded else fact.split for fact in cohort.facts]
    truth = _truth(cohort.facts, tasks, taxonomy, read)
    learned = [place for place, split in enumerate(named) if split not in (TEST, EXCLUDED)]
    check_finite(cohort.bags)
    check_truth(str(manifest), [cohort.patients[place] for place in learned], tasks, truth[learned], recipe.folds)
    try:
        plan = plan_folds(tasks, truth, named, recipe.folds, recipe.seed, watch_held_out=recipe.watch == "held_out")
    except ValueError as error:
        raise CohortError(f"{manifest}: {error}") from error
    for number, fold in enumerate(plan.folds, 1):
        what = f"{manifest}: those learned from in fold {number}" if recipe.folds > 1 else f"{manifest}: split 'train'"
        check_truth(what, [cohort.patients[place] for place in fold.train], tasks, truth[fold.train], folds=1)
    return TrainingCohort(tasks, taxonomy, cohort, truth, plan)


def open_variant(manifest: Path, variant: str = "", labels: Sequence[str] = ()) -> Cohort:
    """Open a cohort, excluded patients too, with one of its embeddings, or with counts in their place.

    Parameters
    ----------
    manifest
        The cohort.
    variant
        Which embeddings; "" for the usual ones, ``COUNTS`` for differential counts with age and sex.
    labels
        Columns that are labels, and so no covariates.

    Raises
    ------
    CohortError
        If it cannot be read, has no such embeddings or no counts, or calls embeddings by the name of the counts.
    """
    if variant != COUNTS:
        return open_cohort(manifest, variant, include_excluded=True, labels=labels)
    if COUNTS in read_manifest(manifest).variants:
        raise CohortError(
            f"{manifest} has a column 'path:{COUNTS}', but the variant '{COUNTS}' stands for differential counts; "
            "rename the column"
        )
    return count_cohort(open_cohort(manifest, include_excluded=True, labels=labels))


def _need_columns(manifest: Manifest, columns: Sequence[str]) -> None:
    absent = [name for name in columns if name not in manifest.columns]
    if absent:
        raise CohortError(
            f"{manifest.path} has no column '{absent[0]}', which the recipe asks for; it has "
            f"{', '.join(manifest.columns) or 'no labels'}: add the column, or leave it out of the recipe"
        )


def _truth(
    facts: Sequence[PatientFacts], tasks: Sequence[BagTask], taxonomy: DiseaseTaxonomy | None, manifest: Manifest
) -> NDArray[np.float64]:
    """Return P x C truths; a label that does not fit is told with its rows, unless the patient is excluded."""
    truth = np.full((len(facts), sum(len(task.columns) for task in tasks)), np.nan)
    for row, fact in enumerate(facts):
        if fact.excluded:
            truth[row] = fitting_truth(fact, tasks, taxonomy)
            continue
        try:
            truth[row] = truth_of([fact], tasks, taxonomy)[0]
        except CohortError as error:
            where = manifest.where(*(smear for smear in manifest.rows if smear.patient == fact.patient))
            raise CohortError(f"{where}: {error}") from error
    return truth


def fitting_truth(
    fact: PatientFacts, tasks: Sequence[BagTask], taxonomy: DiseaseTaxonomy | None
) -> NDArray[np.float64]:
    """Return C truths of a patient who need not fit the tasks: a label that is no class is missing."""
    parts = []
    for task in tasks:
        try:
            parts.append(truth_of([fact], [task], taxonomy)[0])
        except CohortError:
            parts.append(np.full(len(task.columns), np.nan))
    return np.concatenate(parts)


def laboratory_columns(tasks: Sequence[BagTask], taxonomy: DiseaseTaxonomy | None) -> tuple[str, ...]:
    """Return the columns whose raw labels are worth keeping: those that a taxonomy reads."""
    if taxonomy is None:
        return ()
    return tuple(t.name for t in tasks if t.kind is TaskKind.CLASSES and t.outputs == taxonomy.coarse)
