"""Small cohorts of answers about patients, drawn with known truth."""

from collections.abc import Mapping, Sequence

import numpy as np

from hemascope.core.bag_task import BagTask, TaskKind, truth_slices
from hemascope.evaluate.patients.answers import FACTS, NO_FOLD, PatientAnswers

DISEASE = BagTask("disease", TaskKind.CLASSES, ("healthy", "mds", "acute"))
MARKERS = BagTask("fish", TaskKind.MARKERS, ("del(17p)", "t(4;14)", "gain(1q)"))
HEMOGLOBIN = BagTask("hemoglobin", TaskKind.NUMBER, ("hemoglobin",), "g/dL")


def make_answers(
    tasks: Sequence[BagTask],
    probabilities: Mapping[str, np.ndarray],
    truth: Mapping[str, Sequence[float]],
    *,
    numbers: Mapping[str, Sequence[float]] | None = None,
    cells: Sequence[int] | None = None,
    splits: Sequence[str] | None = None,
    facts: Mapping[str, Sequence[str]] | None = None,
    covariates: Mapping[str, np.ndarray] | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
) -> PatientAnswers:
    """Return answers from plain columns; ``truth`` is by column name."""
    count = len(next(iter(truth.values())))
    table = np.full((count, sum(len(task.columns) for task in tasks)), np.nan)
    for task, place in zip(tasks, truth_slices(tasks).values(), strict=True):
        for column, values in zip(range(place.start, place.stop), (truth[name] for name in task.columns), strict=True):
            table[:, column] = values
    return PatientAnswers(
        tasks=tuple(tasks),
        patients=tuple(f"p{number:04d}" for number in range(count)),
        splits=np.asarray(["out_of_fold"] * count if splits is None else splits, np.str_),
        folds=np.full(count, NO_FOLD, np.intp),
        cells=np.asarray([500] * count if cells is None else cells, np.intp),
        probabilities={name: np.asarray(values, float) for name, values in probabilities.items()},
        numbers={name: np.asarray(values, float) for name, values in (numbers or {}).items()},
        truth=table,
        facts={name: np.asarray((facts or {}).get(name, [""] * count), np.str_) for name in FACTS},
        covariates=covariates or {},
        labels={name: np.asarray(values, np.str_) for name, values in (labels or {}).items()},
    )


def draw_markers(count: int = 200, seed: int = 0, distance: float = 1.5, **more: object) -> PatientAnswers:
    """Return drawn answers to three markers, about a third of the patients with each."""
    generator = np.random.default_rng(seed)
    present = generator.uniform(size=(count, 3)) < 0.35
    told = 1 / (1 + np.exp(1 - generator.normal(size=(count, 3)) - distance * present))
    truth = {name: present[:, place].astype(float) for place, name in enumerate(MARKERS.outputs)}
    return make_answers([MARKERS], {"fish": told}, truth, **more)


def draw_diseases(count: int = 200, seed: int = 0, **more: object) -> PatientAnswers:
    """Return drawn answers to three classes, whose probabilities are calibrated: the truth is drawn from them."""
    generator = np.random.default_rng(seed)
    told = generator.dirichlet([0.5, 0.5, 0.5], size=count)
    truth = (generator.uniform(size=(count, 1)) > told.cumsum(axis=1)).sum(axis=1)
    return make_answers([DISEASE], {"disease": told}, {"disease": truth.astype(float)}, **more)
