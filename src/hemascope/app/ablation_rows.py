"""The rows of an ablation: a recipe's own way, and what is changed of it, one thing at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import get_args

from hemascope.app.bag_cohort import COUNTS
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.recipes.bags import AggregatorName, BagTrainingRecipe, TaskRecipe

OWN = "own"
"""Folder of the recipe's own run."""

SIZES = (1, 2, 3, 5)
"""Seeds a fold whose answers are averaged."""

DESCRIPTORS = "descriptors"
"""The variant that holds handcrafted features."""

COUNT_RATE, COUNT_EPOCHS = 0.1, 100
"""Rate, and fewest epochs, of the baseline without images: its shares are small numbers, of which a rate meant for
embeddings learns nothing."""

_WAYS_OF_IMBALANCE = ("none", "focal", "class_weights", "balanced_sampling")


class Group(StrEnum):
    """What is changed."""

    AGGREGATORS = "aggregators"
    TASKS = "tasks"
    VARIANTS = "variants"
    MEMBERS = "members"
    IMBALANCE = "imbalance"
    COUNTS = "counts"
    RECIPES = "recipes"


@dataclass(frozen=True, slots=True)
class AblationRun:
    """One training.

    Attributes
    ----------
    key
        Name of its folder.
    recipe
        How it is trained.
    variant
        On which embeddings of the cohort.
    """

    key: str
    recipe: BagTrainingRecipe
    variant: str = ""

    @property
    def epochs(self) -> int:
        """Most epochs of all its networks."""
        return self.recipe.folds * self.recipe.members * self.recipe.epochs


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One line of the tables.

    Attributes
    ----------
    group
        What is changed; None for the recipe's own way.
    name
        How.
    runs
        Trainings whose answers together answer every task.
    seeds
        Seeds a fold of that training that answer; 0 for all.
    """

    group: Group | None
    name: str
    runs: tuple[AblationRun, ...]
    seeds: int = 0


def own_row(recipe: BagTrainingRecipe) -> AblationRow:
    """Return the row that all others are compared with."""
    return AblationRow(None, "the recipe's own", (AblationRun(OWN, recipe),))


def changed_rows(
    recipe: BagTrainingRecipe,
    tasks: Sequence[BagTask],
    variants: Sequence[str],
    groups: Collection[Group],
    others: Sequence[BagTrainingRecipe] = (),
) -> tuple[AblationRow, ...]:
    """Return the rows of some groups; what the recipe does already is not among them.

    Parameters
    ----------
    recipe, tasks
        What is changed, and its tasks with all their outputs.
    variants
        Further embeddings that the manifest names.
    groups
        What to change.
    others
        Whole recipes of the same tasks; rows of ``Group.RECIPES``. Folds and seed become those of ``recipe``.
    """
    made = {
        Group.AGGREGATORS: _aggregators(recipe),
        Group.TASKS: _single_tasks(recipe, tasks),
        Group.VARIANTS: tuple(_row(Group.VARIANTS, name, recipe, variant=name) for name in variants),
        Group.MEMBERS: _members(recipe),
        Group.IMBALANCE: tuple(
            _row(Group.IMBALANCE, way, recipe.model_copy(update={"imbalance": way}))
            for way in _WAYS_OF_IMBALANCE
            if way != recipe.imbalance
        ),
        Group.COUNTS: (_row(Group.COUNTS, "counts, age and sex", _of_counts(recipe), variant=COUNTS),),
        Group.RECIPES: tuple(_whole(recipe, other) for other in others),
    }
    return tuple(row for group in Group if group in groups or (group is Group.RECIPES) for row in made[group])


def _row(group: Group, name: str, recipe: BagTrainingRecipe, *, variant: str = "") -> AblationRow:
    shown = "handcrafted features" if group is Group.VARIANTS and name == DESCRIPTORS else name
    return AblationRow(group, shown, (AblationRun(_folder(f"{group}-{name}"), recipe, variant),))


def _aggregators(recipe: BagTrainingRecipe) -> tuple[AblationRow, ...]:
    return tuple(
        _row(
            Group.AGGREGATORS,
            kind,
            recipe.model_copy(update={"aggregator": recipe.aggregator.model_copy(update={"kind": kind})}),
        )
        for kind in get_args(AggregatorName)
        if kind != recipe.aggregator.kind
    )


def _single_tasks(recipe: BagTrainingRecipe, tasks: Sequence[BagTask]) -> tuple[AblationRow, ...]:
    """Return one row: a training a marker, and one every other task; none where the recipe asks one question."""
    asked: list[TaskRecipe] = []
    for task, settled in zip(recipe.tasks, tasks, strict=True):
        is_markers = task.kind is TaskKind.MARKERS
        asked += [task.model_copy(update={"outputs": (name,)}) for name in settled.outputs] if is_markers else [task]
    if len(asked) < 2:
        return ()
    runs = tuple(
        AblationRun(_folder(f"{Group.TASKS}-{place}-{task.name}-{'-'.join(task.outputs[:1])}"), _only(recipe, task))
        for place, task in enumerate(asked, 1)
    )
    return (AblationRow(Group.TASKS, f"{len(runs)} models of one question each", runs),)


def _only(recipe: BagTrainingRecipe, task: TaskRecipe) -> BagTrainingRecipe:
    of_taxonomy = recipe.task_of_taxonomy if recipe.task_of_taxonomy == task.name else ""
    return recipe.model_copy(update={"tasks": (task,), "task_of_taxonomy": of_taxonomy})


def _members(recipe: BagTrainingRecipe) -> tuple[AblationRow, ...]:
    """Return rows of some seeds a fold, all of one training, whose first seeds are the recipe's own."""
    most = max(*SIZES, recipe.members)
    run = AblationRun(str(Group.MEMBERS), recipe.model_copy(update={"members": most}))
    return tuple(
        AblationRow(Group.MEMBERS, f"{size} seeds a fold" if size > 1 else "1 seed a fold", (run,), size)
        for size in SIZES
        if size != recipe.members
    )


def _of_counts(recipe: BagTrainingRecipe) -> BagTrainingRecipe:
    plain = recipe.aggregator.model_copy(update={"kind": "mean", "width": 0, "head_width": 0, "dropout": 0.0})
    epochs = max(recipe.epochs, COUNT_EPOCHS)
    steady = {"learning_rate": COUNT_RATE, "epochs": epochs, "patience": epochs, "plateau_patience": 0}
    return recipe.model_copy(update={"aggregator": plain, "monitor": "loss", **steady})


def _whole(recipe: BagTrainingRecipe, other: BagTrainingRecipe) -> AblationRow:
    alike = {name: getattr(recipe, name) for name in ("folds", "members", "seed", "watch")}
    return _row(Group.RECIPES, other.name, other.model_copy(update=alike))


def _folder(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in name).strip("_-")
