"""Our training of patients, epoch by epoch, under a clock; and untrained ensembles as they answer."""

from __future__ import annotations

import itertools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hemascope.app.bag_speed_peer import EpochTime
from hemascope.bags.model_spec import BagModelSpec, CellsSeen, NumberScale, TaskSpec, attended_columns
from hemascope.core.bag import BagSet
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.nets.bags.build import build_bag_net
from hemascope.recipes.bags import AggregatorRecipe, BagTrainingRecipe, TaskRecipe
from hemascope.synth.cohort.presets import DISEASES, MARKERS
from hemascope.train.bags.fit import fit_bag_net
from hemascope.train.bags.package import ship_bag_model

MEMBERS = 5
ENCODER = "simulated"

_MARKERS = TaskRecipe(name="cytogenetics", kind=TaskKind.MARKERS, outputs=MARKERS)
_ONE = TaskRecipe(name=MARKERS[-1], kind=TaskKind.CLASSES, outputs=("without", "with"))
_DISEASE = TaskRecipe(name="disease", kind=TaskKind.CLASSES, outputs=DISEASES)
_HEMOGLOBIN = TaskRecipe(name="hemoglobin", kind=TaskKind.NUMBER, unit="g/dL")

_NO_CAP = 1 << 20


def training_recipes() -> dict[str, BagTrainingRecipe]:
    """Return what is timed by name.

    ``gated_attention`` is the recipe ``myeloma``, also in half precision; ``gated_attention_512`` and ``clam_512`` have
    the widths of CLAM's small model (512 and 256), one question of two classes, every cell, and the second its loss on
    cells.
    """
    small = {"width": 512, "attention_width": 256, "head_width": 0, "dropout": 0.25}
    myeloma = BagTrainingRecipe(
        name="gated_attention", version="1", tasks=(_MARKERS,), batch=16, cell_cap=500, monitor="loss",
        aggregator=AggregatorRecipe(kind="gated_attention", width=0, attention_width=128, head_width=0, dropout=0.2),
    )  # fmt: skip
    like_clam = BagTrainingRecipe(
        name="gated_attention_512", version="1", tasks=(_ONE,), batch=16, cell_cap=_NO_CAP, monitor="loss",
        aggregator=AggregatorRecipe(kind="gated_attention", **small),
    )  # fmt: skip
    clam = like_clam.model_copy(update={"name": "clam_512", "aggregator": AggregatorRecipe(kind="clam", **small)})
    half = myeloma.model_copy(update={"name": "gated_attention_bfloat16", "precision": "bfloat16"})
    return {recipe.name: recipe for recipe in (myeloma, half, like_clam, clam)}


def time_epoch(recipe: BagTrainingRecipe, bags: BagSet, truth: NDArray[np.float64], threads: int) -> EpochTime:
    """Return the seconds of an epoch as ``fit_bag_net`` runs it: the second, with all that belongs to one.

    Parameters
    ----------
    recipe
        What is trained.
    bags
        P patients; the last two validate.
    truth
        P x C, of the recipe's tasks.
    threads
        Of torch.
    """
    ends: list[EpochTime] = []
    torch.set_num_threads(threads)
    places = np.arange(len(bags))
    with tempfile.TemporaryDirectory() as folder:
        fit_bag_net(
            recipe.model_copy(update={"epochs": 2, "patience": 2}),
            [task.task() for task in recipe.tasks],
            bags, truth, places[:-2], places[-2:], Path(folder),
            lambda epoch, epochs, loss: ends.append(EpochTime(time.perf_counter(), time.process_time())),
            seed=0,
        )  # fmt: skip
    ((first, second),) = itertools.pairwise(ends)
    return EpochTime(second.wall - first.wall, second.processor - first.processor)


@dataclass(frozen=True, slots=True)
class EnsembleKind:
    """An ensemble to be timed.

    Attributes
    ----------
    plan
        Of each member.
    tasks
        What it answers.
    """

    plan: AggregatorRecipe
    tasks: tuple[TaskRecipe, ...]


ENSEMBLES = {
    "gated_attention": EnsembleKind(
        AggregatorRecipe(kind="gated_attention", width=0, attention_width=128, head_width=0, dropout=0.2), (_MARKERS,)
    ),
    "transformer": EnsembleKind(
        AggregatorRecipe(kind="transformer", width=512, depth=2, heads=8, head_width=64), (_DISEASE, _HEMOGLOBIN)
    ),
    "cell_states": EnsembleKind(AggregatorRecipe(kind="cell_states", states=32, state_dimensions=12), (_MARKERS,)),
}
"""The aggregators of the recipes ``myeloma``, ``caltomorph`` and ``myeloma_states``."""


def ship_untrained(kind: EnsembleKind, dimension: int, folder: Path) -> None:
    """Write an ensemble of ``MEMBERS`` untrained members, which costs what a trained one costs."""
    torch.manual_seed(0)
    recipe = BagTrainingRecipe(name=f"untrained-{kind.plan.kind}", version="1", tasks=kind.tasks, aggregator=kind.plan)
    tasks = tuple(task.task() for task in kind.tasks)
    outputs = sum(len(task.outputs) for task in tasks)
    members = [build_bag_net(kind.plan, dimension, outputs) for _ in range(MEMBERS)]
    spec = BagModelSpec(
        aggregator=kind.plan.kind,
        members=MEMBERS,
        encoder=ENCODER,
        dimension=dimension,
        attended=attended_columns(members[0].columns, tasks),
        tasks=tuple(_spec(task) for task in tasks),
        cells=CellsSeen(patients=1, least=1, first_percentile=1, median=500, greatest=1000),
    )
    ship_bag_model(members, recipe, spec, data={}, figures={}, command="hemascope bench bag-speed", folder=folder)


def _spec(task: BagTask) -> TaskSpec:
    scales = tuple(NumberScale(mean=0, spread=1) for _ in range(MEMBERS)) if task.kind is TaskKind.NUMBER else ()
    return TaskSpec(name=task.name, kind=task.kind, outputs=task.outputs, unit=task.unit, scales=scales)
