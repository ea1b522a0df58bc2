"""The use case `train bags`: a recipe and a cohort to an ensemble that answers for patients. Research use only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bag_calibration import BagCalibration, cross_fitted, fit_calibration, numbers_of, probabilities_of
from hemascope.app.bag_cohort import COUNTS, TrainingCohort, laboratory_columns, open_training_cohort
from hemascope.app.bag_run import finish_bag_run, start_bag_run
from hemascope.app.bag_shipping import ship_members
from hemascope.app.bench_record import write_text
from hemascope.app.cohort_checks import check_cohort, checks_document, warnings_of
from hemascope.app.patient_rows import gather_answers, write_answers
from hemascope.app.training import need_torch
from hemascope.bags.folds import OUT_OF_FOLD
from hemascope.core.errors import OutputError
from hemascope.evaluate.patients.answers import NO_FOLD, PatientAnswers
from hemascope.recipes.bags import BagTrainingRecipe

if TYPE_CHECKING:
    from hemascope.train.bags.members import BagMember

ANSWERS_FILE, EMBEDDING_FILE, CALIBRATION_FILE = "predictions.csv", "patients.npz", "calibration.json"
CHECKS_FILE = "checks.json"

OnEpoch = Callable[[int, int, float], None]
"""Called after every epoch with the epochs done by all members, the most there can be, and the loss."""

OnWarning = Callable[[str], None]
"""Called with what a user should know before a training."""


def train_bag_model(
    recipe: BagTrainingRecipe,
    manifest: Path,
    run: Path | None,
    out: Path | None,
    command: str,
    on_epoch: OnEpoch,
    variant: str = "",
    on_warning: OnWarning = lambda words: None,
) -> Path:
    """Train an ensemble, calibrate it on out-of-fold answers, answer for everybody else, and pack it.

    Parameters
    ----------
    recipe
        What is asked, and how it is learned.
    manifest
        The cohort.
    run
        Run folder; ``runs/NAME`` where None. An interrupted run goes on from its newest checkpoint.
    out
        Model folder; ``model`` in the run folder where None.
    command
        What was asked, for the card.
    on_epoch
        Progress.
    variant
        Which embeddings of the cohort; "" for the usual ones, ``counts`` for differential counts instead.
    on_warning
        Called with a sentence for each way in which a model could answer without looking at the disease (the checks
        are in the run folder too), and at the end for each marker that got no threshold.

    Returns
    -------
    pathlib.Path
        The model folder.

    Raises
    ------
    MissingExtraError
        If the extra ``train`` is not installed.
    CohortError
        If the cohort cannot be read, or cannot be learned from.
    RecipeError
        If the run folder holds another run, or the recipe asks for what there is not.
    OutputError
        If a folder cannot be written.
    """
    need_torch("training a model of patients")
    opened = open_training_cohort(recipe, manifest, variant)
    folder = run or Path("runs") / recipe.name
    checks = [] if variant == COUNTS else check_cohort(opened.cohort, opened.truth, opened.tasks)  # counts: no cells
    for words in warnings_of(checks):
        on_warning(words)
    members, calibration = fit_and_answer(recipe, opened, manifest, folder, on_epoch, variant)
    for words in without_threshold(calibration):
        on_warning(words)
    write_text(folder / CHECKS_FILE, json.dumps(checks_document(opened.cohort, checks), indent=2) + "\n")
    model = out or folder / "model"
    ship_members(recipe, opened, members, calibration, folder, model, command)
    finish_bag_run(folder)
    return model


@dataclass(frozen=True, slots=True, eq=False)
class AskedMembers:
    """What trained members say of a cohort.

    Attributes
    ----------
    calibration
        Of the ensemble.
    by_fold
        What the held-out patients of each fold were answered with.
    answers
        P rows: held-out patients, and those only asked by the whole ensemble.
    embedding
        P x E.
    """

    calibration: BagCalibration
    by_fold: Mapping[int, BagCalibration]
    answers: PatientAnswers
    embedding: NDArray[np.float32]


def fit_and_answer(
    recipe: BagTrainingRecipe,
    opened: TrainingCohort,
    manifest: Path,
    folder: Path,
    on_epoch: OnEpoch,
    variant: str = "",
) -> tuple[tuple[BagMember, ...], BagCalibration]:
    """Train the members, or go on, and write all of a run folder but the model and the mark that it is finished.

    Parameters
    ----------
    opened
        The cohort in ``manifest``.
    folder
        The run folder.

    Raises
    ------
    RecipeError
        If the folder holds another run, or a training diverges.
    OutputError
        If the folder cannot be written.
    """
    from hemascope.train.bags.curves import draw_member_curves
    from hemascope.train.bags.members import fit_members, member_folder

    start_bag_run(folder, recipe, opened, manifest, variant)
    members = fit_members(recipe, opened.tasks, opened.cohort.bags, opened.truth, opened.plan, folder, on_epoch)
    draw_member_curves(
        folder,
        {f"fold {m.fold}, seed {m.seed_number}": folder / member_folder(m.fold, m.seed_number) for m in members},
    )
    asked = ask_members(opened, members)
    _write_calibration(folder / CALIBRATION_FILE, asked)
    write_answers(folder / ANSWERS_FILE, asked.answers)
    _write_embedding(folder / EMBEDDING_FILE, asked.answers, asked.embedding)
    return members, asked.calibration


def without_threshold(calibration: BagCalibration) -> list[str]:
    """Return a sentence for each marker for which no threshold could be chosen."""
    return [
        f"'{output}' got no threshold: of the patients answered out of fold nobody has it, or everybody; "
        "give its probability, and no yes or no"
        for thresholds in calibration.thresholds.values()
        for output, threshold in thresholds.items()
        if threshold is None
    ]


def ask_members(opened: TrainingCohort, members: Sequence[BagMember]) -> AskedMembers:
    """Calibrate on held-out patients; answer for them fold by fold, and for those only asked by the whole ensemble."""
    from hemascope.train.bags.members import told_by, told_out_of_fold

    tasks, bags, truth = opened.tasks, opened.cohort.bags, opened.truth
    places, folds, held = told_out_of_fold(members, tasks, bags, opened.plan)
    calibration = fit_calibration(tasks, held.outputs, truth[places], opened.taxonomy)
    told, given = cross_fitted(tasks, held.outputs, truth[places], folds, opened.taxonomy)
    rows = [places]
    splits = [OUT_OF_FOLD] * len(places)
    probabilities, numbers = [told], [numbers_of(tasks, held.outputs)]
    embeddings = [held.embedding]
    for split, asked in opened.plan.asked.items():
        answer = told_by(members, tasks, bags, asked)
        rows.append(asked)
        splits += [split] * len(asked)
        probabilities.append(probabilities_of(tasks, answer.outputs, calibration.temperatures, opened.taxonomy))
        numbers.append(numbers_of(tasks, answer.outputs))
        embeddings.append(answer.embedding)
    every = np.concatenate(rows)
    answers = gather_answers(
        tasks,
        [opened.cohort.facts[place] for place in every],
        splits,
        np.concatenate([folds, np.full(len(every) - len(folds), NO_FOLD)]),
        bags.sizes[every],
        {name: np.concatenate([part[name] for part in probabilities]) for name in told},
        {name: np.concatenate([part[name] for part in numbers]) for name in numbers[0]},
        truth[every],
        laboratory_columns(tasks, opened.taxonomy),
    )
    return AskedMembers(calibration, given, answers, np.concatenate(embeddings))


def _write_calibration(path: Path, asked: AskedMembers) -> None:
    values = {
        "chosen_on": OUT_OF_FOLD,
        **asked.calibration.as_json(),
        "by_fold": {str(fold): one.as_json() for fold, one in asked.by_fold.items()},
    }
    write_text(path, json.dumps(values, indent=2) + "\n")


def _write_embedding(path: Path, answers: PatientAnswers, embedding: NDArray[np.float32]) -> None:
    partial = path.with_name(f".{path.stem}.partial.npz")
    try:
        np.savez(partial, patients=np.array(answers.patients), splits=answers.splits, embedding=embedding)
        partial.replace(path)
    except OSError as error:
        raise OutputError.at(path, error) from error
