"""Outlines of a field as compact SVG to lie over its preview."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hemascope.core.geometry import Polygon
from hemascope.core.report import CellResult, FieldResult
from hemascope.core.taxonomy import DISPLAY_NAMES, UNIDENTIFIED, CellKind, RedCellType
from hemascope.reporting.reading import SHORT_NAMES

UNITS_PER_PIXEL = 2
"""Steps of an outline per pixel of the preview: half a pixel is finer than an eye sees."""


class Overlay(NamedTuple):
    """SVG content in the coordinates of ``view_box``.

    Attributes
    ----------
    view_box
        Width and height in units.
    full
        Every outline.
    light
        Outlines of nucleated cells; red cells and platelets as dots.
    """

    view_box: tuple[int, int]
    full: str
    light: str


def draw_overlay(result: FieldResult, number: int, preview_size: tuple[int, int]) -> Overlay:
    """Return the outlines of ``result``.

    Parameters
    ----------
    result
        One field.
    number
        Its number in the report; its cell ``i`` gets the anchor ``c<number>-<i>``.
    preview_size
        Width and height of the preview in pixels.
    """
    box = (preview_size[0] * UNITS_PER_PIXEL, preview_size[1] * UNITS_PER_PIXEL)
    factor = box[0] / result.field.width
    white = [(i, cell) for i, cell in enumerate(result.cells) if cell.cell.kind is CellKind.WHITE_CELL]
    red = [cell.cell.outline for cell in result.cells if cell.cell.kind is CellKind.RED_CELL]
    plain = [cell.cell.outline for cell in result.cells if cell.cell.kind is CellKind.RED_CELL and not _shape(cell)]
    platelets = [cell.cell.outline for cell in result.cells if cell.cell.kind is CellKind.PLATELET]
    nucleated = _nuclei(white, factor) + "".join(_white_cell(cell, f"c{number}-{i}", factor, box) for i, cell in white)
    clumps = _paths("K", [clump.outline for clump in result.clumps], factor)
    full = _paths("R", plain, factor) + _abnormal(result, factor) + _paths("P", platelets, factor) + clumps + nucleated
    light = _dots("R", red, factor) + _dots("P", platelets, factor) + clumps + nucleated
    return Overlay(box, full, light)


def _white_cell(cell: CellResult, anchor: str, factor: float, box: tuple[int, int]) -> str:
    """Return one nucleated cell with its name."""
    label = cell.label or UNIDENTIFIED
    confidence = f" {cell.prediction.confidence:.0%}" if cell.prediction else ""
    bounds = cell.cell.outline.scaled(factor).bounds
    size = box[0] // 40
    y = bounds.y0 - size * 0.35 if bounds.y0 > size * 1.5 else bounds.y1 + size
    if y > box[1]:
        y = bounds.center[1]
    x = min(max(bounds.center[0], size * 1.2), box[0] - size * 1.2)
    title = f"<title>{DISPLAY_NAMES[label]}{confidence}</title>"
    name = f'<text class="t-{label}" x="{x:.0f}" y="{y:.0f}" font-size="{size}">{SHORT_NAMES[label]}</text>'
    return f'<path id="{anchor}" class="W t-{label}" d="{_path(cell.cell.outline, factor)}">{title}</path>{name}'


def _shape(cell: CellResult) -> str:
    """Return the type of a red cell for a reader; "" where it is normal or was not typed."""
    if cell.red_cell is None or cell.red_cell.label is RedCellType.NORMAL:
        return ""
    return DISPLAY_NAMES[cell.red_cell.label]


def _abnormal(result: FieldResult, factor: float) -> str:
    """Return the red cells that are not normal, one path a type, each with its name."""
    outlines: dict[str, list[Polygon]] = {}
    for cell in result.cells:
        if name := _shape(cell):
            outlines.setdefault(name, []).append(cell.cell.outline)
    return "".join(
        f'<path class="R m" d="{"".join(_path(outline, factor) for outline in outlines[name])}">'
        f"<title>{name}</title></path>"
        for name in sorted(outlines)
    )


def _nuclei(white: list[tuple[int, CellResult]], factor: float) -> str:
    """Return the nuclei as one path."""
    nuclei = [cell.cell.nucleus for _, cell in white if cell.cell.nucleus is not None]
    return _paths("N", [part for nucleus in nuclei for part in nucleus.parts], factor)


def _paths(name: str, outlines: list[Polygon], factor: float) -> str:
    """Return many outlines as one path of class ``name``; nothing for none."""
    return f'<path class="{name}" d="{"".join(_path(o, factor) for o in outlines)}"/>' if outlines else ""


def _dots(name: str, outlines: list[Polygon], factor: float) -> str:
    """Return many centers as one path of class ``name`` whose round line ends are dots; nothing for none."""
    centers = ((x * factor, y * factor) for x, y in (outline.centroid for outline in outlines))
    d = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in centers)
    return f'<path class="{name} dot" d="{d}"/>' if d else ""


def _path(outline: Polygon, factor: float) -> str:
    """Return one outline as SVG path data: whole units, relative steps, at most one unit off the outline."""
    import cv2

    kept = cv2.approxPolyDP((outline.points * np.float32(factor)).reshape(-1, 1, 2), 0.9, True).reshape(-1, 2)
    points = np.rint(kept).astype(int)
    steps = "".join(f"{_signed(dx)}{_signed(dy)}" for dx, dy in np.diff(points, axis=0).tolist() if dx or dy)
    return f"M{points[0, 0]} {points[0, 1]}l{steps.strip() or '0 0'}z"


def _signed(step: int) -> str:
    """Return a number as it follows another one: a minus sign separates by itself."""
    return str(step) if step < 0 else f" {step}"
