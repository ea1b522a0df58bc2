"""Patients on a plane, colored by what is known of them."""

from __future__ import annotations

from collections.abc import Sequence

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
    """Return the map of patients by their embedding; None where the run kept fewer than three."""
    rows = [row for row, name in enumerate(run.judged.patients) if name in run.embedding]
    if len(rows) < _FEWEST:
        return None
    vectors = np.stack([run.embedding[run.judged.patients[row]] for row in rows])
    places, method = place_on_plane(vectors, how)
    panels = _panels(run, np.array(rows))
    title = f"Patients by {method}, {patients(len(rows))}, {run.split.replace('_', '-')}"
    names = ("UMAP 1", "UMAP 2") if method == "UMAP" else ("component 1", "component 2")
    sheet = Sheet(
        "patient_map",
        ("patient", "x", "y"),
        tuple(
            (run.judged.patients[row], plain(x), plain(y)) for row, (x, y) in zip(rows, places.tolist(), strict=True)
        ),
    )
    caption = (
        f"Each point is a patient: the vector that the first member of the ensemble makes of the cells, by {method}. "
        "Classes that lie apart are told apart; sites, scanners or stains that lie apart warn of a shortcut. "
        "Distances between groups and their sizes mean little."
    )
    picture = Picture("patient_map", "Map of patients", caption, lambda: draw_map(title, places, panels, names))
    figures = {"method": method, "patients": len(rows), "dimension": int(vectors.shape[1])}
    return Findings("patient_map", "Map of patients", figures, (sheet,), (picture,))


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
