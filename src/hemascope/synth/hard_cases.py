"""Named hard cases, so that a test can ask for one and a training can draw one."""

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
    TOUCHING_LYMPHOCYTES = "touching_lymphocytes"
    WHITE_CELL_AT_BORDER = "white_cell_at_border"
    SMUDGE_CELL = "smudge_cell"
    PLATELET_ON_RED_CELL = "platelet_on_red_cell"
    GIANT_PLATELET = "giant_platelet"
    PRECIPITATE = "precipitate"
    CROWDED = "crowded"
    ROULEAUX = "rouleaux"
    SCALE_BAR = "scale_bar"
    BLACK = "black"
    DEFOCUSED = "defocused"
    OVEREXPOSED = "overexposed"
    GREEN_TINT = "green_tint"
    MAGENTA_TINT = "magenta_tint"
    YELLOW_TINT = "yellow_tint"
    UPSIDE_DOWN_LIGHT = "upside_down_light"
    INVERTED = "inverted"


LEARNABLE_CASES: tuple[HardCase, ...] = tuple(
    case for case in HardCase if case not in (HardCase.DEFOCUSED, HardCase.OVEREXPOSED, HardCase.INVERTED)
)
"""Cases whose truth can be seen in the picture, so that a finder may be trained on them. Left out are the two in which
platelets and pale cells vanish though the truth keeps them, and the negative, which no microscope makes."""


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
    giant_platelets
        Platelets of a red cell's size, lying free.
    smudges
        Remnants of crushed cells, lying free.
    precipitates
        Deposits of stain, lying anywhere.
    scale_bar
        Whether one is burnt in.
    inverted
        Whether bright and dark change places at the end.
    """

    style: SmearStyle
    white_cells: Mapping[CellType, int] | None = None
    touching: bool = False
    at_border: bool = False
    platelets_on_red: int = 0
    giant_platelets: int = 0
    smudges: int = 0
    precipitates: int = 0
    scale_bar: bool = False
    inverted: bool = False


def plan_for(case: HardCase | None, style: SmearStyle, white_cells: Mapping[CellType, int] | None) -> FieldPlan:
    """Return the plan of a field: as asked, with what makes it the named case."""
    if case in _WITHOUT_WHITE_CELLS:
        white_cells = {}
    elif case in _WHITE_CELLS:
        white_cells = white_cells or _WHITE_CELLS[case]
    return FieldPlan(
        _style_for(case, style),
        white_cells,
        touching=case in (HardCase.TOUCHING_WHITE_CELLS, HardCase.TOUCHING_LYMPHOCYTES),
        at_border=case is HardCase.WHITE_CELL_AT_BORDER,
        platelets_on_red=int(case is HardCase.PLATELET_ON_RED_CELL),
        giant_platelets=int(case is HardCase.GIANT_PLATELET),
        smudges=int(case is HardCase.SMUDGE_CELL),
        precipitates=5 if case is HardCase.PRECIPITATE else 0,
        scale_bar=case is HardCase.SCALE_BAR,
        inverted=case is HardCase.INVERTED,
    )


_WITHOUT_WHITE_CELLS = (HardCase.NO_CELLS, HardCase.ONLY_RED_CELLS, HardCase.BLACK)

_WHITE_CELLS: dict[HardCase | None, Mapping[CellType, int]] = {
    HardCase.TOUCHING_WHITE_CELLS: {CellType.NEUTROPHIL: 1, CellType.LYMPHOCYTE: 1},
    HardCase.TOUCHING_LYMPHOCYTES: {CellType.LYMPHOCYTE: 2},
    HardCase.WHITE_CELL_AT_BORDER: {CellType.NEUTROPHIL: 1},
    HardCase.SMUDGE_CELL: {CellType.LYMPHOCYTE: 1},
}
"""What a case holds where the caller names no white cells."""

_TINTS: dict[HardCase | None, tuple[float, float, float]] = {
    HardCase.GREEN_TINT: (0.52, 0.95, 0.56),
    HardCase.MAGENTA_TINT: (0.95, 0.50, 0.90),
    HardCase.YELLOW_TINT: (1.0, 0.97, 0.54),
}
"""Empty glass relative to white. Yellow is what the subset ``tecom`` of wbc_seg shows: its brightest one in twenty-five
pixels outside of cells has a median near (255, 255, 140) where the glass is yellow; the others are as far from gray."""

_PALE = 0.45
"""Factor on hemoglobin in the yellow case: the rapid reagent of ``tecom`` leaves red cells as faint rings."""


def _style_for(case: HardCase | None, style: SmearStyle) -> SmearStyle:
    if case in _TINTS:
        return _tinted(case, style)
    changes: dict[HardCase | None, dict[str, float]] = {
        HardCase.NO_CELLS: {"coverage": 0.0, "platelets": 0.0, "smudges": 0.0},
        HardCase.BLACK: {"coverage": 0.0, "platelets": 0.0, "exposure": 0.0, "noise": min(style.noise, 1.0)},
        HardCase.ONLY_RED_CELLS: {"platelets": 0.0},
        HardCase.CROWDED: {"coverage": 0.75, "overlap": 0.8, "rouleaux": 0.4, "clumps": 0.3},
        HardCase.ROULEAUX: {"coverage": 0.4, "overlap": 0.0, "rouleaux": 2.5, "clumps": 0.0},
        HardCase.DEFOCUSED: {"defocus": 1.2},
        HardCase.OVEREXPOSED: {"exposure": 2.2},
        # A negative fall: the middle is the darkest place, and one side is darker than the other.
        HardCase.UPSIDE_DOWN_LIGHT: {"vignetting": -0.7, "slope": 0.2, "exposure": 0.55 * style.exposure},
    }
    return replace(style, **changes.get(case, {}))  # type: ignore[arg-type]  # every change is to a number


def _tinted(case: HardCase | None, style: SmearStyle) -> SmearStyle:
    """Return a style whose glass has the tint of ``case`` at the brightness it had."""
    brightest = max(style.stain.background)
    red, green, blue = (brightest * part for part in _TINTS[case])
    stain = replace(style.stain, background=(red, green, blue))
    if case is HardCase.YELLOW_TINT:
        red, green, blue = (_PALE * part for part in stain.hemoglobin)
        stain = replace(stain, hemoglobin=(red, green, blue))
    return replace(style, stain=stain)
