"""The trainings of an ablation: each once, all on the same patients in the same folds, with what they cost."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hemascope.app.ablation_rows import OWN, AblationRow, AblationRun, Group
from hemascope.app.bag_cohort import TrainingCohort, open_training_cohort, tasks_of
from hemascope.app.bag_run import DONE_FILE, INPUTS_FILE, describe_inputs, finish_bag_run
from hemascope.app.bag_training import ANSWERS_FILE, ask_members, fit_and_answer
from hemascope.app.bench_record import write_text
from hemascope.app.patient_rows import write_answers
from hemascope.core.errors import RecipeError
from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.answers_file import read_answers
from hemascope.recipes.bags import BagTrainingRecipe

TIME_FILE = "training_time.json"

OnEpoch = Callable[[int, float], None]
"""Called after every epoch with the epochs that this training has done, and the loss."""


@dataclass(frozen=True, slots=True)
class TrainingTime:
    """What a training took, epochs that were done twice after a kill counted twice.

    Attributes
    ----------
    processor
        Seconds of all threads.
    clock
        Seconds.
    """

    processor: float = 0.0
    clock: float = 0.0

    def __add__(self, other: TrainingTime) -> TrainingTime:
        """Return both together."""
        return TrainingTime(self.processor + other.processor, self.clock + other.clock)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRow:
    """What a row says, and what it took.

    Attributes
    ----------
    answers
        To every task, one list a training.
    time
        Of its trainings.
    encoder
        Of the cells.
    """

    answers: tuple[PatientAnswers, ...]
    time: TrainingTime
    encoder: str


@dataclass(slots=True)
class _Watch:
    """Writes down what each network took, epoch by epoch: nothing is lost where a training is killed."""

    path: Path
    recipe: BagTrainingRecipe
    spent: dict[str, TrainingTime] = field(default_factory=dict)
    since: tuple[float, float] = (0.0, 0.0)

    def start(self) -> None:
        self.spent = read_times(self.path)
        self.since = (time.process_time(), time.perf_counter())

    def lap(self, done: int) -> None:
        place = (done - 1) // self.recipe.epochs
        name = f"{place // self.recipe.members + 1}-{place % self.recipe.members + 1}"
        now = (time.process_time(), time.perf_counter())
        taken = TrainingTime(now[0] - self.since[0], now[1] - self.since[1])
        self.spent[name] = self.spent.get(name, TrainingTime()) + taken
        self.since = now
        write_text(self.path, json.dumps({key: [t.processor, t.clock] for key, t in self.spent.items()}) + "\n")


def read_times(path: Path) -> dict[str, TrainingTime]:
    """Return what each network took, by ``FOLD-SEED``; nothing where there is no file."""
    if not path.is_file():
        return {}
    return {key: TrainingTime(*pair) for key, pair in json.loads(path.read_text(encoding="utf-8")).items()}


class AblationTrainer:
    """Trains what is not trained yet.

    Parameters
    ----------
    recipe
        The one that is changed; its folds are everybody's.
    manifest
        The cohort.
    folder
        Run folders of all trainings.
    """

    def __init__(self, recipe: BagTrainingRecipe, manifest: Path, folder: Path) -> None:
        self._recipe, self._manifest, self._folder = recipe, manifest, folder
        self.opened = open_training_cohort(recipe, manifest)
        self._variant: tuple[str, TrainingCohort] | None = None
        self._warm = False

    def train(self, row: AblationRow, on_epoch: OnEpoch) -> TrainedRow:
        """Return what a row says, training only what no finished run folder holds.

        Raises
        ------
        CohortError
            If its embeddings cannot be read.
        RecipeError
            If a folder holds another run, or a training diverges.
        OutputError
            If a folder cannot be written.
        """
        answers, spent, encoder, before = [], TrainingTime(), "", 0
        for run in row.runs:
            opened = self._opened_for(run)
            self._train_once(run, opened, row.group, lambda done, loss, before=before: on_epoch(before + done, loss))  # type: ignore[misc]
            before += run.epochs
            folder = self._folder / run.key
            name = answers_of_seeds(row.seeds) if row.seeds else ANSWERS_FILE
            answers.append(read_answers(folder / name, opened.tasks))
            spent = sum(_of_seeds(read_times(folder / TIME_FILE), row.seeds), spent)
            encoder = opened.cohort.bags.encoder
        return TrainedRow(tuple(answers), spent, encoder)

    def _opened_for(self, run: AblationRun) -> TrainingCohort:
        opened = self.opened
        if run.variant:
            if self._variant is None or self._variant[0] != run.variant:
                self._variant = None  # lets go of the cells before others are read
                found = open_training_cohort(self._recipe, self._manifest, run.variant)
                self._variant = (run.variant, found)
            opened = self._variant[1]
        return narrowed(opened, run.recipe)

    def _train_once(self, run: AblationRun, opened: TrainingCohort, group: Group | None, on_epoch: OnEpoch) -> None:
        folder = self._folder / run.key
        if _is_finished(folder, describe_inputs(run.recipe, opened, self._manifest, run.variant)):
            return
        if group is Group.MEMBERS:
            _take_members(self._folder / OWN, folder)
        if not self._warm:
            _warm_up(self.opened, self._recipe)
            self._warm = True
        watch = _Watch(folder / TIME_FILE, run.recipe)
        watch.start()

        def lap(done: int, _: int, loss: float) -> None:
            watch.lap(done)
            on_epoch(done, loss)

        members, _ = fit_and_answer(run.recipe, opened, self._manifest, folder, lap, run.variant)
        if group is Group.MEMBERS:
            for seeds in range(1, run.recipe.members + 1):
                some = [member for member in members if member.seed_number <= seeds]
                write_answers(folder / answers_of_seeds(seeds), ask_members(opened, some).answers)
        finish_bag_run(folder)


def answers_of_seeds(seeds: int) -> str:
    """Return the name of the file of answers by the first seeds of each fold."""
    return f"predictions-{seeds}.csv"


def narrowed(opened: TrainingCohort, recipe: BagTrainingRecipe) -> TrainingCohort:
    """Return a cohort with the tasks of a recipe alone; patients and folds stay.

    Raises
    ------
    RecipeError
        If the recipe asks what the cohort was not opened for.
    """
    tasks = tasks_of(recipe, opened.taxonomy)
    columns = [column for task in opened.tasks for column in task.columns]
    strange = [column for task in tasks for column in task.columns if column not in columns]
    if strange:
        raise RecipeError(
            f"recipe {recipe.name} asks for {', '.join(strange)}, which the recipe compared with does not"
        )
    places = np.array([columns.index(column) for task in tasks for column in task.columns], np.intp)
    return replace(opened, tasks=tasks, truth=opened.truth[:, places])


def _warm_up(opened: TrainingCohort, recipe: BagTrainingRecipe) -> None:
    """Train a little for nothing: what is loaded at the first step would count as time of the first row."""
    from hemascope.train.bags.fit import fit_bag_net

    plain = recipe.aggregator.model_copy(update={"kind": "mean", "width": 0})
    little = recipe.model_copy(update={"aggregator": plain, "imbalance": "none", "epochs": 1, "cell_cap": 1})
    fold = opened.plan.folds[0]
    with tempfile.TemporaryDirectory(prefix="hemascope-") as folder:
        fit_bag_net(
            little, opened.tasks, opened.cohort.bags, opened.truth, fold.train, fold.watch[:1], Path(folder),
            lambda epoch, epochs, loss: None,
            seed=0,
        )  # fmt: skip


def _is_finished(folder: Path, inputs: Mapping[str, object]) -> bool:
    """Return whether a folder holds just this run, finished; that of another is refused when it is started."""
    if not (folder / DONE_FILE).is_file() or not (folder / INPUTS_FILE).is_file():
        return False
    return bool(json.loads((folder / INPUTS_FILE).read_text(encoding="utf-8")) == json.loads(json.dumps(inputs)))


def _take_members(source: Path, folder: Path) -> None:
    """Copy networks that were trained with the same seeds, and what they took; none is trained twice."""
    if (folder / TIME_FILE).is_file():
        return
    for member in sorted(source.glob("fold-*-member-*")):
        shutil.copytree(member, folder / member.name, dirs_exist_ok=True)
    if (source / TIME_FILE).is_file():
        shutil.copy(source / TIME_FILE, folder / TIME_FILE)


def _of_seeds(times: Mapping[str, TrainingTime], seeds: int) -> Sequence[TrainingTime]:
    return [spent for key, spent in times.items() if not seeds or int(key.split("-")[1]) <= seeds]
