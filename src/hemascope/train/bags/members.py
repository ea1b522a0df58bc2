"""The members of an ensemble: one network a fold and seed, and what they say of whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.bags.folds import PatientPlan
from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind, output_slices
from hemascope.nets.bags.net import BagNet
from hemascope.recipes.bags import BagTrainingRecipe
from hemascope.train.bags.fit import BagNetFacts, fit_bag_net
from hemascope.train.bags.predict import answers_of
from hemascope.train.optimize import RunLog

OnMemberEpoch = Callable[[int, int, float], None]
"""Called after every epoch with the epochs done by all members, the most there can be, and the loss."""


@dataclass(frozen=True, slots=True, eq=False)
class BagMember:
    """One trained network.

    Attributes
    ----------
    net, facts
        As ``fit_bag_net`` gives them.
    fold, seed_number
        1 to the number of folds, and 1 to the number of seeds a fold.
    """

    net: BagNet
    facts: BagNetFacts
    fold: int
    seed_number: int


@dataclass(frozen=True, slots=True, eq=False)
class ToldPatients:
    """What S networks say of P patients.

    Attributes
    ----------
    outputs
        S x P x O, laid out as ``output_slices`` says: raw logits of classes and markers, numbers in their unit.
    embedding
        P x E of the first network.
    """

    outputs: NDArray[np.float64]
    embedding: NDArray[np.float32]


def fit_members(
    recipe: BagTrainingRecipe,
    tasks: Sequence[BagTask],
    bags: BagSet,
    truth: NDArray[np.float64],
    plan: PatientPlan,
    run: Path,
    on_epoch: OnMemberEpoch,
) -> tuple[BagMember, ...]:
    """Train every member, fold by fold; those already done, in whole or in part, are taken from the run folder.

    Parameters
    ----------
    recipe, tasks, bags, truth
        As in ``fit_bag_net``.
    plan
        Who is learned from in which fold.
    run
        The run folder: each member has a folder in it, and ``log.jsonl`` has a line for each.
    on_epoch
        Progress.
    """
    members: list[BagMember] = []
    log = RunLog(run)
    logged = {(row.get("fold"), row.get("member")) for row in log.rows()}
    most = len(plan.folds) * recipe.members * recipe.epochs
    for number, fold in enumerate(plan.folds, 1):
        for seed_number in range(1, recipe.members + 1):
            before = len(members) * recipe.epochs
            net, facts = fit_bag_net(
                recipe,
                tasks,
                bags,
                truth,
                fold.train,
                fold.watch,
                run / member_folder(number, seed_number),
                lambda epoch, _, loss, before=before: on_epoch(before + epoch, most, loss),  # type: ignore[misc]
                seed=seed_of(recipe, number, seed_number),
            )
            members.append(BagMember(net, facts, number, seed_number))
            if (number, seed_number) not in logged:
                log.write(facts.epochs, fold=number, member=seed_number, best=facts.best_epoch, **facts.figures)
    return tuple(members)


def member_folder(fold: int, seed_number: int) -> str:
    """Return the name of a member's folder."""
    return f"fold-{fold}-member-{seed_number}"


def seed_of(recipe: BagTrainingRecipe, fold: int, seed_number: int) -> int:
    """Return the seed of a member: another for each, all from the recipe's."""
    return recipe.seed * 10_007 + 101 * (fold - 1) + seed_number - 1


def told_by(
    members: Sequence[BagMember], tasks: Sequence[BagTask], bags: BagSet, places: NDArray[np.intp]
) -> ToldPatients:
    """Return what members say of patients at some places, one or more."""
    answers = [answers_of(member.net, bags, places) for member in members]
    outputs = [in_units(answer.logits, tasks, member.facts) for answer, member in zip(answers, members, strict=True)]
    return ToldPatients(np.stack(outputs), answers[0].embedding)


def told_out_of_fold(
    members: Sequence[BagMember], tasks: Sequence[BagTask], bags: BagSet, plan: PatientPlan
) -> tuple[NDArray[np.intp], NDArray[np.intp], ToldPatients]:
    """Return what is said of held-out patients by the members that were not trained on them.

    The first networks of different folds put patients into different spaces; those of later folds are turned into that
    of the first (orthogonal Procrustes) by the vectors of all held-out patients in both.

    Returns
    -------
    places, folds, told
        Places of the P held-out patients, the fold of each, and what S seeds say.
    """
    places = np.concatenate([fold.held_out for fold in plan.folds])
    folds = np.repeat(np.arange(1, len(plan.folds) + 1), [len(fold.held_out) for fold in plan.folds])
    outputs, vectors = [], []
    frame = answers_of(members[0].net, bags, places).embedding
    for number, fold in enumerate(plan.folds, 1):
        own = [member for member in members if member.fold == number]
        told = told_by(own, tasks, bags, fold.held_out)
        everybody = frame if number == 1 else answers_of(own[0].net, bags, places).embedding
        outputs.append(told.outputs)
        vectors.append(turned(everybody, frame)[folds == number])
    return places, folds, ToldPatients(np.concatenate(outputs, axis=1), np.concatenate(vectors))


def turned(vectors: NDArray[np.float32], frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return P x E vectors moved and turned such that they come closest to those of the same patients in a frame."""
    from scipy.linalg import orthogonal_procrustes

    if vectors is frame:
        return vectors
    center = vectors.mean(axis=0)
    rotation, _ = orthogonal_procrustes(vectors - center, frame - frame.mean(axis=0))
    moved: NDArray[np.float32] = ((vectors - center) @ rotation + frame.mean(axis=0)).astype(np.float32)
    return moved


def in_units(logits: NDArray[np.float32], tasks: Sequence[BagTask], facts: BagNetFacts) -> NDArray[np.float64]:
    """Return P x O outputs with numbers in their unit instead of standardized."""
    outputs = logits.astype(np.float64)
    places = output_slices(tasks)
    for task in tasks:
        if task.kind is TaskKind.NUMBER:
            outputs[:, places[task.name]] *= facts.spreads[task.name]
            outputs[:, places[task.name]] += facts.means[task.name]
    return outputs
