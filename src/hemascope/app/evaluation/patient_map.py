"""Patients on a plane, colored by what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.scatter import draw_map
from hemascope.app.evaluation.drawing.style import patients
from hemascope.app.evaluation.findings import Findings, Picture, Sheet, plain
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.app.evaluation.projection import Projection, place_on_plane
from hemascope.core.bag_task import TaskKind

MOST_PANELS = 6
_FEWEST = 3
_MOST_SITES = 12

Panel = tuple[NDArray[np.intp], Sequence[str]]


def map_patients(run: Evaluated, how: Projection) -> Findings | None:
    """Return the map of patients by their embedding; None where the run kept fewer than three.

    Patients out of fold were embedded by the networks of their folds, whose directions have nothing in common: the
    map is of the fold with the most patients.
    """
    embedded = np.array([name in run.embedding for name in run.judged.patients], bool)
    fold = _largest_fold(run.judged.folds[embedded])
    rows = np.flatnonzero(embedded if fold is None else embedded & (run.judged.folds == fold))
    if len(rows) < _FEWEST:
        return None
    names = [run.judged.patients[row] for row in rows]
    places, method = place_on_plane(np.stack([run.embedding[name] for name in names]), how)
    title = f"Patients by {method}, {patients(len(rows))}, {run.split.replace('_', '-')}"
    title += "" if fold is None else f", fold {fold}"
    directions = ("UMAP 1", "UMAP 2") if method == "UMAP" else ("component 1", "component 2")
    cells = tuple((name, plain(x), plain(y)) for name, (x, y) in zip(names, places.tolist(), strict=True))
    caption = (
        f"Each point is a patient: the vector that the first member of the ensemble makes of the cells, by {method}. "
        "Classes that lie apart are told apart; sites, scanners or stains that lie apart warn of a shortcut. "
        "Distances between groups and their sizes mean little."
    )
    draw = partial(draw_map, title, places, _panels(run, rows), directions)
    return Findings(
        "patient_map",
        "Map of patients",
        {"method": method, "patients": len(rows), "fold": fold},
        (Sheet("patient_map", ("patient", "x", "y"), cells),),
        (Picture("patient_map", "Map of patients", caption, draw),),
        remarks=() if fold is None else (f"Folds have networks of their own: the map shows fold {fold} alone.",),
    )


def _largest_fold(folds: NDArray[np.intp]) -> int | None:
    """Return the fold of the most patients, the first of equals; None where all are of one."""
    names, counts = np.unique(folds, return_counts=True)
    return None if len(names) < 2 else int(names[counts.argmax()])


def _panels(run: Evaluated, rows: NDArray[np.intp]) -> dict[str, Panel]:
    """Return a panel a task of classes, a marker, and each fact that takes several values."""
    judged, found = run.judged.select(rows), {}
    for task in judged.tasks:
        if task.kind is TaskKind.CLASSES:
            classes = np.nan_to_num(judged.truth_of(task.name), nan=-1).astype(np.intp)
            found[task.name.replace("_", " ")] = (classes, [run.shown(name) for name in task.outputs])
        elif task.kind is TaskKind.MARKERS:
            for marker in task.outputs:
                there = np.nan_to_num(judged.truth_of(marker), nan=-1).astype(np.intp)
                found[run.shown(marker)] = (there, ["absent", "present"])
    for name, texts in judged.facts.items():
        values = sorted({value for value in texts.tolist() if value})
        if 2 <= len(values) <= _MOST_SITES:
            groups = np.array([values.index(value) if value else -1 for value in texts.tolist()], np.intp)
            found[name] = (groups, values)
    return dict(list(found.items())[:MOST_PANELS])
