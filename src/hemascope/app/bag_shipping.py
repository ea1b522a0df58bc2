"""Trained members and their calibration to a model folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hemascope.app.bag_calibration import BagCalibration
from hemascope.app.bag_cohort import TrainingCohort
from hemascope.app.bag_run import INPUTS_FILE
from hemascope.bags.hierarchy import hierarchy_of
from hemascope.bags.model_spec import (
    BagModelSpec,
    CellsSeen,
    NumberScale,
    TaskSpec,
    TaxonomyFacts,
    attended_columns,
)
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.recipes.bags import BagTrainingRecipe

if TYPE_CHECKING:
    from hemascope.train.bags.members import BagMember


def ship_members(
    recipe: BagTrainingRecipe,
    opened: TrainingCohort,
    members: Sequence[BagMember],
    calibration: BagCalibration,
    run: Path,
    folder: Path,
    command: str,
) -> None:
    """Pack the ensemble.

    Parameters
    ----------
    run
        The run folder, started: digests of the cohort come from it.
    folder
        Where the model goes.
    """
    from hemascope.train.bags.package import ship_bag_model

    spec = spec_of(recipe, opened, members, calibration)
    inputs = hashlib.sha256((run / INPUTS_FILE).read_bytes()).hexdigest()
    data = {opened.cohort.name: {"inputs_sha256": inputs, "patients": str(spec.cells.patients)}}
    ship_bag_model(
        [member.net for member in members],
        recipe,
        spec,
        data=data,
        figures=mean_figures([member.facts.figures for member in members]),
        command=command,
        folder=folder,
    )


def spec_of(
    recipe: BagTrainingRecipe,
    opened: TrainingCohort,
    members: Sequence[BagMember],
    calibration: BagCalibration,
) -> BagModelSpec:
    """Return what the answering side must know."""
    bags = opened.cohort.bags
    learned = np.unique(np.concatenate([fold.train for fold in opened.plan.folds]))
    sizes = bags.sizes[learned]
    return BagModelSpec(
        aggregator=recipe.aggregator.kind,
        members=len(members),
        encoder=bags.encoder,
        dimension=bags.dimension,
        attended=attended_columns(members[0].net.columns, opened.tasks),
        tasks=tuple(_task_spec(task, members, calibration) for task in opened.tasks),
        cells=CellsSeen(
            patients=len(learned),
            least=int(sizes.min()),
            first_percentile=float(np.percentile(sizes, 1)),
            median=float(np.median(sizes)),
            greatest=int(sizes.max()),
        ),
        taxonomy=_taxonomy_facts(opened, calibration),
    )


def _task_spec(task: BagTask, members: Sequence[BagMember], calibration: BagCalibration) -> TaskSpec:
    is_number = task.kind is TaskKind.NUMBER
    thresholds = calibration.thresholds.get(task.name, {})
    return TaskSpec(
        name=task.name,
        kind=task.kind,
        outputs=task.outputs,
        unit=task.unit,
        temperature=calibration.temperatures.get(task.name, 1.0),
        thresholds={name: value for name, value in thresholds.items() if value is not None},
        scales=tuple(
            NumberScale(mean=member.facts.means[task.name], spread=member.facts.spreads[task.name])
            for member in members
            if is_number
        ),
        least_confidence=calibration.least_confidence.get(task.name),
    )


def _taxonomy_facts(opened: TrainingCohort, calibration: BagCalibration) -> TaxonomyFacts | None:
    table = opened.taxonomy
    if table is None:
        return None
    [task, *_] = [t.name for t in opened.tasks if t.kind is TaskKind.CLASSES and t.outputs == table.coarse] or [""]
    if not task:
        return None
    return TaxonomyFacts(
        name=table.name,
        version=table.version,
        sha256=table.sha256,
        task=task,
        malignant=table.malignant,
        threshold=calibration.malignancy,
        titles=table.titles,
        parents=table.parents if hierarchy_of(opened.tasks, table.parents) else {},
    )


def mean_figures(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean over members of each figure that all of them have, on the patients who watched."""
    shared = set.intersection(*(set(one) for one in figures))
    return {f"watching_{name}": float(np.mean([one[name] for one in figures])) for name in sorted(shared)}
