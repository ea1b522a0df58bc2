"""The scale of a smear that carries none: the one at which its red cells measure what red cells measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hemascope.core.cell import Cell
from hemascope.core.ports import Segmenter
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import RED_CELL_DIAMETER, Scale, ScaleSource

TRIAL_MPPS = (0.045, 0.065, 0.095, 0.14, 0.2, 0.3)
"""Trial scales, a factor of about 1.45 apart: 40x to oversampled 100x objectives."""

TRIAL_UM, REFINED_UM = 64.0, 110.0
"""Side of the view looked at, in um at the scale on trial: dozens of red cells, and quick."""

LEAST_RED_CELLS = 5
"""Fewer whole red cells than this over all fields looked at give no scale."""

FALLBACK = Scale(0.1, ScaleSource.ASSUMED)
"""What is assumed where no red cells can be measured: usual at a 100x objective."""


def estimate_scale(fields: Sequence[Field], segmenter: Segmenter) -> Scale:
    """Return the scale of fields taken alike, from their median red cell.

    Each trial scale is given to the finder; it is right when the red cells found measure ``RED_CELL_DIAMETER``
    there. The trial with the most red cells of plausible size wins and is refined twice.

    Parameters
    ----------
    fields
        Some fields of one smear, same camera and objective; their own scale is not looked at.
    segmenter
        Finds the red cells.

    Returns
    -------
    An estimated scale, or ``FALLBACK`` where there are too few red cells to tell.
    """
    best_mpp, best_support = 0.0, 0.0
    for mpp in TRIAL_MPPS:
        diameters, support = _red_cells(fields, segmenter, mpp, TRIAL_UM)
        if len(diameters) >= LEAST_RED_CELLS and support > best_support:
            best_mpp, best_support = _implied(diameters, mpp), support
    if not best_mpp:
        return FALLBACK
    for _ in range(2):
        diameters, _ = _red_cells(fields, segmenter, best_mpp, REFINED_UM)
        if len(diameters) >= LEAST_RED_CELLS:
            best_mpp = _implied(diameters, best_mpp)
    return Scale(best_mpp, ScaleSource.ESTIMATED)


def measure_scale(fields: Sequence[Field], segmenter: Segmenter) -> Scale:
    """Return the scale at which the median whole red cell measures what red cells measure.

    For outlines that do not depend on the scale, such as imported ones: whole fields are looked at, once.

    Parameters
    ----------
    fields
        Some fields of one smear, same camera and objective; their own scale is not looked at.
    segmenter
        Gives the red cells.

    Returns
    -------
    An estimated scale, or ``FALLBACK`` where there are fewer than ``LEAST_RED_CELLS``.
    """
    found = [cell for field in fields for cell in segmenter.find(field)]
    diameters = [_diameter(cell, 1.0) for cell in found if cell.kind is CellKind.RED_CELL and not cell.touches_border]
    return Scale(_implied(diameters, 1.0), ScaleSource.ESTIMATED) if len(diameters) >= LEAST_RED_CELLS else FALLBACK


def _center(field: Field, side: int) -> Field:
    x0, y0 = max((field.width - side) // 2, 0), max((field.height - side) // 2, 0)
    return Field(field.id, np.ascontiguousarray(field.pixels[y0 : y0 + side, x0 : x0 + side]), None)


def _red_cells(fields: Sequence[Field], segmenter: Segmenter, mpp: float, view_um: float) -> tuple[list[float], float]:
    """Return diameters of whole red cells in um at ``mpp``, and how much they speak for it."""
    scale = Scale(mpp, ScaleSource.ESTIMATED)
    diameters: list[float] = []
    support = 0.0
    for field in fields:
        for cell in segmenter.find(_center(field, round(view_um / mpp)).with_scale(scale)):
            if cell.kind is not CellKind.RED_CELL or cell.touches_border:
                continue
            diameter = _diameter(cell, mpp)
            diameters.append(diameter)
            # A wrong trial finds things, but of the wrong size: a bell over the log of the diameter.
            support += cell.score * float(np.exp(-0.5 * (np.log(diameter / RED_CELL_DIAMETER) / 0.2) ** 2))
    return diameters, support


def _diameter(cell: Cell, mpp: float) -> float:
    """Return the diameter in um of the disk with the area of ``cell``."""
    return float(2 * np.sqrt(cell.outline.area / np.pi) * mpp)


def _implied(diameters: Sequence[float], mpp: float) -> float:
    """Return the scale at which the median diameter would be that of a red cell, within what a scale may be."""
    return float(np.clip(mpp * RED_CELL_DIAMETER / np.median(diameters), 0.02, 1.0))
