"""Named hard cases, so that a test can ask for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from hemascope.core.taxonomy import CellType
from hemascope.synth.style import SmearStyle


class HardCase(StrEnum):
    """What is hard about a field."""

    NO_CELLS = "no_cells"
    ONLY_RED_CELLS = "only_red_cells"
    TOUCHING_WHITE_CELLS = "touching_white_cells"
    WHITE_CELL_AT_BORDER = "white_cell_at_border"
    PLATELET_ON_RED_CELL = "platelet_on_red_cell"
    CROWDED = "crowded"
    SCALE_BAR = "scale_bar"
    BLACK = "black"
    DEFOCUSED = "defocused"
    OVEREXPOSED = "overexposed"


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """What a field is to hold.

    Attributes
    ----------
    style
        How it looks.
    white_cells
        Exact number of each type, or None for a random number at the style's density.
    touching
        Whether the white cells lie against each other.
    at_border
        Whether the first white cell is cut by the edge.
    platelets_on_red
        Platelets put on a red cell.
    scale_bar
        Whether one is burnt in.
    """

    style: SmearStyle
    white_cells: Mapping[CellType, int] | None = None
    touching: bool = False
    at_border: bool = False
    platelets_on_red: int = 0
    scale_bar: bool = False


def plan_for(case: HardCase | None, style: SmearStyle, white_cells: Mapping[CellType, int] | None) -> FieldPlan:
    """Return the plan of a field: as asked, with what makes it the named case."""
    plan = FieldPlan(_style_for(case, style), white_cells)
    if case in _WITHOUT_WHITE_CELLS:
        plan = replace(plan, white_cells={})
    if case is HardCase.TOUCHING_WHITE_CELLS:
        pair = {CellType.NEUTROPHIL: 1, CellType.LYMPHOCYTE: 1}
        plan = replace(plan, white_cells=white_cells or pair, touching=True)
    if case is HardCase.WHITE_CELL_AT_BORDER:
        plan = replace(plan, white_cells=white_cells or {CellType.NEUTROPHIL: 1}, at_border=True)
    return replace(
        plan,
        platelets_on_red=int(case is HardCase.PLATELET_ON_RED_CELL),
        scale_bar=case is HardCase.SCALE_BAR,
    )


_WITHOUT_WHITE_CELLS = (HardCase.NO_CELLS, HardCase.ONLY_RED_CELLS, HardCase.BLACK)


def _style_for(case: HardCase | None, style: SmearStyle) -> SmearStyle:
    match case:
        case HardCase.NO_CELLS:
            return replace(style, coverage=0.0, platelets=0.0, smudges=0.0)
        case HardCase.BLACK:
            return replace(style, coverage=0.0, platelets=0.0, exposure=0.0, noise=min(style.noise, 1.0))
        case HardCase.ONLY_RED_CELLS:
            return replace(style, platelets=0.0)
        case HardCase.CROWDED:
            return replace(style, coverage=0.75, overlap=0.8, rouleaux=0.4, clumps=0.3)
        case HardCase.DEFOCUSED:
            return replace(style, defocus=1.2)
        case HardCase.OVEREXPOSED:
            return replace(style, exposure=2.2)
        case _:
            return style
