"""Models of patients trained on simulated cohorts, and what they answer to patients nobody has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.linear_probe import LinearProbe, fit_linear_probe
from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind, output_slices
from hemascope.recipes.bags import BagTrainingRecipe
from hemascope.stats.log_softmax import log_softmax
from hemascope.stats.ranking import auroc
from hemascope.synth.cohort.draw import TRAIN, VALIDATION, draw_patients, join_drawn, truth_table
from hemascope.synth.cohort.truth import CohortTruth

Progress = Callable[[str, int, int], None]

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""C of the logistic regression on pooled cells, of which validation patients choose one a marker."""


@dataclass(frozen=True, slots=True, eq=False)
class TrialCohort:
    """What a model of one cohort may see.

    Attributes
    ----------
    law
        Where its patients come from.
    bags, truth
        All its patients; truth as ``truth_slices`` says.
    train, validation
        Places among them.
    """

    law: CohortTruth
    bags: BagSet
    truth: NDArray[np.float64]
    train: NDArray[np.intp]
    validation: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class TrialAnswers:
    """What a model says of P patients.

    Attributes
    ----------
    probabilities
        P x K of markers or classes.
    numbers
        P numbers; empty where none is asked.
    attention
        T shares; empty where there is none.
    """

    probabilities: NDArray[np.float64]
    numbers: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    attention: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


class TrialModel(Protocol):
    """A trained model of patients."""

    def answer(self, bags: BagSet) -> TrialAnswers:
        """Return what it says of every bag."""
        ...


def trial_cohort(law: CohortTruth, train: int, validation: int, seed: int) -> TrialCohort:
    """Return the cohort of a seed: patients of its own streams, which test patients never come from."""
    parts = [draw_patients(law, train, 10 * seed + TRAIN), draw_patients(law, validation, 10 * seed + VALIDATION)]
    drawn = join_drawn(parts)
    places = np.arange(train + validation)
    return TrialCohort(law, drawn.bags, truth_table(law, drawn), places[:train], places[train:])


class PooledProbe:
    """Mean or greatest value of each number over the cells, and a logistic regression a marker or for all classes.

    Parameters
    ----------
    cohort
        Trained on its training patients; its validation patients choose the penalty.
    pool
        ``mean`` or ``max``.
    """

    def __init__(self, cohort: TrialCohort, pool: str) -> None:
        self._pool, task = pool, cohort.law.tasks[0]
        values = pooled(cohort.bags, pool)
        columns = [cohort.truth[:, place] for place in range(len(task.columns))]
        self._classes = task.kind is TaskKind.CLASSES
        names = task.outputs if self._classes else ("no", "yes")
        self._probes = [_chosen_probe(values, column.astype(np.intp), names, cohort) for column in columns]

    def answer(self, bags: BagSet) -> TrialAnswers:
        """Return what it says of every bag."""
        values = pooled(bags, self._pool)
        told = [np.exp(log_softmax(probe.logits(values))) for probe in self._probes]
        return TrialAnswers(told[0] if self._classes else np.stack([part[:, 1] for part in told], axis=1))


class NetTrial:
    """Networks of one recipe, one a member, whose probabilities are averaged.

    Parameters
    ----------
    recipe
        How each is trained.
    cohort
        On whom.
    members
        How many.
    run
        Folder for them; training resumes from it.
    seed
        Of the first member.
    progress
        Called as training goes.
    """

    def __init__(
        self, recipe: BagTrainingRecipe, cohort: TrialCohort, members: int, run: Path, seed: int, progress: Progress
    ) -> None:
        from hemascope.train.bags.fit import fit_bag_net  # imported here: torch

        self._tasks: Sequence[BagTask] = cohort.law.tasks
        self._members = []
        for member in range(members):
            name = f"{cohort.law.name}: {recipe.name}, member {member + 1} of {members}"
            net, facts = fit_bag_net(
                recipe, self._tasks, cohort.bags, cohort.truth, cohort.train, cohort.validation, run / str(member),
                _shown(progress, name),
                seed=1000 * seed + member,
            )  # fmt: skip
            self._members.append((net, facts))

    def answer(self, bags: BagSet) -> TrialAnswers:
        """Return the mean of what the members say."""
        from hemascope.train.bags.predict import answers_of  # imported here: torch

        told, numbers, attention = [], [], []
        places = output_slices(self._tasks)
        for net, facts in self._members:
            answers = answers_of(net, bags)
            first, *others = self._tasks
            logits = answers.logits[:, places[first.name]].astype(np.float64)
            is_classes = first.kind is TaskKind.CLASSES
            told.append(np.exp(log_softmax(logits)) if is_classes else 1 / (1 + np.exp(-logits)))
            attention.append(answers.attention.mean(axis=1))
            for task in others:
                numbers.append(
                    facts.means[task.name] + facts.spreads[task.name] * answers.logits[:, places[task.name]][:, 0]
                )
        mean_number = np.mean(numbers, axis=0) if numbers else np.empty(0)
        return TrialAnswers(np.mean(told, axis=0), mean_number, np.mean(attention, axis=0))


def _shown(progress: Progress, name: str) -> Callable[[int, int, float], None]:
    return lambda epoch, epochs, loss: progress(name, epoch, epochs)


def pooled(bags: BagSet, pool: str) -> NDArray[np.float32]:
    """Return P x D: the mean or the greatest value of each number over the cells of a patient."""
    if pool == "max":
        return np.maximum.reduceat(bags.values, bags.starts[:-1], axis=0)
    sums = np.add.reduceat(bags.values, bags.starts[:-1], axis=0, dtype=np.float64)
    return np.asarray(sums / bags.sizes[:, None], np.float32)


def _chosen_probe(
    values: NDArray[np.float32], labels: NDArray[np.intp], names: Sequence[str], cohort: TrialCohort
) -> LinearProbe:
    probes: Mapping[float, LinearProbe] = {
        c: fit_linear_probe(values[cohort.train], labels[cohort.train], names, c=c) for c in PENALTIES
    }
    asked, truth = values[cohort.validation], labels[cohort.validation]

    def right(c: float) -> float:
        logits = probes[c].logits(asked)
        if len(names) > 2:
            return float((logits.argmax(axis=1) == truth).mean())
        area = auroc(logits[:, 1] - logits[:, 0], truth == 1)
        return area if np.isfinite(area) else 0.0

    return probes[max(PENALTIES, key=right)]
