"""The scale of a smear that carries none: the one at which its red cells measure what red cells measure.

Images of single white cells may show no whole red cell, or only lysed ones: then the white cells tell, less exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hemascope.core.cell import Cell
from hemascope.core.ports import Segmenter
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import RED_CELL_DIAMETER, WHITE_CELL_DIAMETER, Scale, ScaleSource

TRIAL_MPPS = (0.045, 0.065, 0.095, 0.14, 0.2, 0.3)
"""Trial scales, a factor of about 1.45 apart: 40x to oversampled 100x objectives."""

TRIAL_UM, REFINED_UM = 64.0, 110.0
"""Side of the view looked at, in um at the scale on trial: dozens of red cells, and quick."""

LEAST_RED_CELLS = 5
"""Fewer whole red cells than this over all fields looked at give no scale."""

LEAST_WHITE_CELLS = 3
"""The same for white cells, which are asked where whole red cells are fewer than they: a median of three."""

YARDSTICKS = {CellKind.RED_CELL: RED_CELL_DIAMETER, CellKind.WHITE_CELL: WHITE_CELL_DIAMETER}
"""What cells measure, in um."""

FALLBACK = Scale(0.1, ScaleSource.ASSUMED)
"""What is assumed where no red cells can be measured: usual at a 100x objective."""


def estimate_scale(fields: Sequence[Field], segmenter: Segmenter) -> Scale:
    """Return the scale of fields taken alike, from their median red cell, or else from their median white cell.

    Each trial scale is given to the finder; it is right when the cells found measure ``YARDSTICKS`` there. The trial
    with the most red cells of plausible size wins and is refined twice. Where no trial finds ``LEAST_RED_CELLS``, or
    the winner finds fewer red than white cells (fields of blood hold a hundred times more), the same is done with
    white cells: sizes of white cells differ with their type, so such a scale may be off by a fifth.

    Parameters
    ----------
    fields
        Some fields of one smear, same camera and objective; their own scale is not looked at.
    segmenter
        Finds the cells.

    Returns
    -------
    An estimated scale, or ``FALLBACK`` where there are too few cells to tell.
    """
    trials = {mpp: _sizes(fields, segmenter, mpp, TRIAL_UM) for mpp in TRIAL_MPPS}
    red = _best_trial(trials, CellKind.RED_CELL, LEAST_RED_CELLS)
    if red is not None and len(trials[red][CellKind.RED_CELL]) >= len(trials[red][CellKind.WHITE_CELL]):
        return _refined(fields, segmenter, CellKind.RED_CELL, trials[red], red)
    white = _best_trial(trials, CellKind.WHITE_CELL, LEAST_WHITE_CELLS)
    return FALLBACK if white is None else _refined(fields, segmenter, CellKind.WHITE_CELL, trials[white], white)


def measure_scale(fields: Sequence[Field], segmenter: Segmenter) -> Scale:
    """Return the scale at which the median whole red cell, or else white cell, measures what such cells measure.

    For outlines that do not depend on the scale, such as imported ones: whole fields are looked at, once.

    Parameters
    ----------
    fields
        Some fields of one smear, same camera and objective; their own scale is not looked at.
    segmenter
        Gives the cells.

    Returns
    -------
    An estimated scale, or ``FALLBACK`` where there are fewer than ``LEAST_RED_CELLS`` and ``LEAST_WHITE_CELLS``.
    """
    whole = [cell for field in fields for cell in segmenter.find(field) if not cell.touches_border]
    for kind, least in ((CellKind.RED_CELL, LEAST_RED_CELLS), (CellKind.WHITE_CELL, LEAST_WHITE_CELLS)):
        diameters = [_diameter(cell, 1.0) for cell in whole if cell.kind is kind]
        if len(diameters) >= least:
            return Scale(_implied(diameters, 1.0, kind), ScaleSource.ESTIMATED)
    return FALLBACK


def _center(field: Field, side: int) -> Field:
    x0, y0 = max((field.width - side) // 2, 0), max((field.height - side) // 2, 0)
    return Field(field.id, np.ascontiguousarray(field.pixels[y0 : y0 + side, x0 : x0 + side]), None)


Sizes = dict[CellKind, list[tuple[float, float]]]
"""Diameter in um and score of every whole cell, by kind."""


def _sizes(fields: Sequence[Field], segmenter: Segmenter, mpp: float, view_um: float) -> Sizes:
    """Return what a finder finds in the middle of fields at a trial scale."""
    scale = Scale(mpp, ScaleSource.ESTIMATED)
    sizes: Sizes = {kind: [] for kind in CellKind}
    for field in fields:
        for cell in segmenter.find(_center(field, round(view_um / mpp)).with_scale(scale)):
            if not cell.touches_border:
                sizes[cell.kind].append((_diameter(cell, mpp), cell.score))
    return sizes


def _best_trial(trials: Mapping[float, Sizes], kind: CellKind, least: int) -> float | None:
    """Return the trial with the most cells of plausible size, or None where none has enough of the kind."""
    usable = [mpp for mpp, sizes in trials.items() if len(sizes[kind]) >= least]
    return max(usable, key=lambda mpp: _support(trials[mpp][kind], kind)) if usable else None


def _support(cells: Sequence[tuple[float, float]], kind: CellKind) -> float:
    """Return how much cells speak for a trial: a wrong one finds things, but of the wrong size.

    A bell over the log of the diameter, of a width of 0.2.
    """
    return sum(score * float(np.exp(-0.5 * (np.log(size / YARDSTICKS[kind]) / 0.2) ** 2)) for size, score in cells)


def _refined(fields: Sequence[Field], segmenter: Segmenter, kind: CellKind, sizes: Sizes, mpp: float) -> Scale:
    """Return the scale that a trial implies, after two more looks at wider views."""
    least = LEAST_RED_CELLS if kind is CellKind.RED_CELL else LEAST_WHITE_CELLS
    best = _implied([size for size, _ in sizes[kind]], mpp, kind)
    for _ in range(2):
        found = [size for size, _ in _sizes(fields, segmenter, best, REFINED_UM)[kind]]
        if len(found) >= least:
            best = _implied(found, best, kind)
    return Scale(best, ScaleSource.ESTIMATED)


def _diameter(cell: Cell, mpp: float) -> float:
    """Return the diameter in um of the disk with the area of ``cell``."""
    return float(2 * np.sqrt(cell.outline.area / np.pi) * mpp)


def _implied(diameters: Sequence[float], mpp: float, kind: CellKind) -> float:
    """Return the scale at which the median diameter would be that of its kind, within what a scale may be."""
    return float(np.clip(mpp * YARDSTICKS[kind] / np.median(diameters), 0.02, 1.0))
