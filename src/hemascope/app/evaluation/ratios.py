"""The probability of each class against ratios of cells that a hematologist counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.scatter import Cloud, draw_clouds
from hemascope.app.evaluation.drawing.style import patients
from hemascope.app.evaluation.estimates import cells, shown, told
from hemascope.app.evaluation.findings import Findings, Picture, Sheet, plain
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.evaluate.patients.correlation import Correlation, correlate

PREFIX = "ratio_"
"""Of the covariates that are ratios of cells."""

MOST_CLOUDS = 6


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """The probability of one class against one ratio."""

    task: BagTask
    output: str
    ratio: str
    rows: NDArray[np.intp]
    correlation: Correlation


def judge_ratios(run: Evaluated) -> Findings | None:
    """Return correlations of probabilities with ratios of cells; None where the cohort has no ratios."""
    ratios = [n for n, v in run.judged.covariates.items() if n.startswith(PREFIX) and v.dtype.kind == "f"]
    pairs = [
        pair
        for task in run.judged.tasks
        if task.kind is not TaskKind.NUMBER
        for output in task.outputs
        for ratio in ratios
        if (pair := _pair(run, task, output, ratio)) is not None
    ]
    if not pairs:
        return None
    figures: dict[str, dict[str, object]] = {}
    for pair in pairs:
        figures.setdefault(f"{pair.task.name}.{pair.output}", {})[pair.ratio] = {
            "patients": pair.correlation.patients,
            "spearman": told(pair.correlation.spearman),
            "p_value": plain(pair.correlation.p_value, 12),
        }
    rows = tuple(
        (p.task.name, p.output, p.ratio, len(p.rows), *cells(p.correlation.spearman), plain(p.correlation.p_value, 12))
        for p in pairs
    )
    columns = ("task", "output", "ratio", "patients", "spearman", "spearman_low", "spearman_high", "p_value")
    return Findings(
        "cell_ratios",
        "Cell ratios",
        figures,
        (Sheet("cell_ratios", columns, rows),),
        _pictures(run, pairs),
        remarks=("Spearman's rank correlation. It says what the answers go with, not what they rest on.",),
    )


def _pair(run: Evaluated, task: BagTask, output: str, ratio: str) -> _Pair | None:
    probability = run.judged.probabilities[task.name][:, task.outputs.index(output)]
    measured = np.asarray(run.judged.covariates[ratio], np.float64)
    rows = np.flatnonzero(np.isfinite(probability) & np.isfinite(measured))
    found = correlate(probability, measured, run.judged.patients, run.resamples)
    return None if found.spearman.value is None else _Pair(task, output, ratio, rows, found)


def _pictures(run: Evaluated, pairs: list[_Pair]) -> tuple[Picture, ...]:
    """Return a picture a task, of its strongest correlations."""
    found = []
    for task in run.judged.tasks:
        own = sorted((p for p in pairs if p.task is task), key=lambda p: -abs(p.correlation.spearman.value or 0))[
            :MOST_CLOUDS
        ]
        if not own:
            continue
        classes = task.kind is TaskKind.CLASSES
        names = [run.shown(name) for name in task.outputs] if classes else ["absent", "present"]
        count = patients(max(len(pair.rows) for pair in own))
        title = f"{run.shown(task.name).capitalize()}: probability against cell ratios, {count}"
        caption = (
            "Each point is a patient, colored by what is true. "
            + ("The strongest correlations; all are in the table." if len(pairs) > len(own) else "")
        )  # fmt: skip
        paint = partial(draw_clouds, title, [_cloud(run, pair) for pair in own], names)
        found.append(
            Picture(f"ratios_{task.name}", f"{run.shown(task.name).capitalize()} and cell ratios", caption, paint)
        )
    return tuple(found)


def _cloud(run: Evaluated, pair: _Pair) -> Cloud:
    judged, name = run.judged, run.shown(pair.output)
    truth = judged.truth_of(pair.task.name if pair.task.kind is TaskKind.CLASSES else pair.output)[pair.rows]
    cell = pair.ratio.removeprefix(PREFIX).replace("_", " ")
    return Cloud(
        title=f"{name}\nSpearman {shown(pair.correlation.spearman)}",
        x=np.asarray(judged.covariates[pair.ratio], np.float64)[pair.rows],
        y=judged.probabilities[pair.task.name][pair.rows, pair.task.outputs.index(pair.output)],
        x_label=f"{cell} ratio",
        y_label=f"probability of {name}",
        groups=np.nan_to_num(truth, nan=-1).astype(np.intp),
    )
