"""Patients with several markers at once, as figures and a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hemascope.app.evaluation.estimates import cells, told
from hemascope.app.evaluation.findings import Sheet, estimate_columns
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.app.evaluation.working_points import WorkingPoint
from hemascope.core.bag_task import BagTask
from hemascope.evaluate.patients.several_markers import FoundMarkers, count_found

_SHARES = ("one_found", "all_found", "none_added", "exact")

Points = Mapping[str, tuple[WorkingPoint, ...]]


def found_markers(run: Evaluated, task: BagTask, points: Points) -> dict[str, tuple[FoundMarkers, ...]]:
    """Return what each rule finds in patients with no, one, and more markers; empty for a single marker.

    Parameters
    ----------
    run, task
        Whose answers.
    points
        Marker to its working points; a marker without one of a rule counts as not told by it.
    """
    if len(task.outputs) < 2:
        return {}
    rules = list(dict.fromkeys(point.rule for own in points.values() for point in own))
    return {rule: _found(run, task, points, rule) for rule in rules}


def _found(run: Evaluated, task: BagTask, points: Points, rule: str) -> tuple[FoundMarkers, ...]:
    judged = run.judged
    levels = np.full((len(judged), len(task.outputs)), np.nan)
    for place, marker in enumerate(task.outputs):
        for point in points.get(marker, ()):
            if point.rule == rule:
                levels[:, place] = point.of_folds(judged.folds)
    truth = np.stack([judged.truth_of(marker) for marker in task.outputs], axis=1)
    stated = judged.probabilities[task.name]
    known = np.isfinite(truth) & np.isfinite(stated) & np.isfinite(levels)
    return count_found((truth == 1) & known, (stated >= levels) & known, known.any(axis=1))


def found_figures(found: Mapping[str, tuple[FoundMarkers, ...]]) -> dict[str, Any]:
    """Return the shares for ``evaluation.json``: rule, then number of markers."""
    return {
        rule: {
            one.markers: {"patients": one.patients, **{name: told(getattr(one, name)) for name in _SHARES}}
            for one in rows
        }
        for rule, rows in found.items()
    }


def found_sheet(name: str, found: Mapping[str, tuple[FoundMarkers, ...]]) -> Sheet:
    """Return the shares as a table."""
    columns = ("rule", "markers", "patients", *(column for share in _SHARES for column in estimate_columns(share)))
    rows = tuple(
        (rule, one.markers, one.patients, *(cell for share in _SHARES for cell in cells(getattr(one, share))))
        for rule, own in found.items()
        for one in own
    )
    return Sheet(name, columns, rows)
