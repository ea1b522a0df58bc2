"""Which cells a field holds, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from hemascope.core.taxonomy import CellType
from hemascope.synth.hard_cases import FieldPlan
from hemascope.synth.layout import Layout, Point, place_row
from hemascope.synth.patch import Canvas
from hemascope.synth.platelets import Platelet, draw_platelet
from hemascope.synth.red_cells import RedCell, draw_red_cell
from hemascope.synth.style import SmearStyle
from hemascope.synth.white_cells import WhiteCell, draw_white_cell

AnyCell = RedCell | WhiteCell | Platelet

_ON_RED = 0.25
"""Share of platelets that may lie anywhere, on a cell too."""

_SMUDGE_RADIUS_UM = 9.0
"""What is kept free for a crushed cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A cell with its place: ``center`` is ``(x, y)`` in um."""

    cell: AnyCell
    center: Point


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """What lies in a field.

    Attributes
    ----------
    cells
        The lowest first: red cells, then white cells, then platelets.
    smudges
        Centers in um of the places kept free for remnants of crushed cells.
    """

    cells: tuple[Placed, ...]
    smudges: tuple[Point, ...]


def populate(canvas: Canvas, plan: FieldPlan, rng: np.random.Generator) -> Population:
    """Return what a field holds, and where."""
    layout = Layout(canvas)
    smudges = tuple(_free_place(layout, _SMUDGE_RADIUS_UM, rng) for _ in range(plan.smudges))
    giants = [_placed_free(layout, draw_platelet(rng, giant=True), rng) for _ in range(plan.giant_platelets)]
    white = list(_white_cells(layout, plan, rng))
    red = list(_red_cells(layout, plan.style, rng))
    if plan.platelets_on_red and not red:
        red.append(_placed_free(layout, draw_red_cell(rng, plan.style), rng))
    return Population((*red, *white, *giants, *_platelets(layout, plan, red, rng)), smudges)


def _free_place(layout: Layout, radius: float, rng: np.random.Generator) -> Point:
    return layout.take(layout.roomiest(rng, radius, -radius), radius)


def _placed_free(layout: Layout, cell: AnyCell, rng: np.random.Generator) -> Placed:
    """Return a cell with a place of its own, wholly inside the field where the field is large enough."""
    return Placed(cell, _free_place(layout, cell.outline.radius, rng))


def _white_cells(layout: Layout, plan: FieldPlan, rng: np.random.Generator) -> Iterator[Placed]:
    types = _types(layout.canvas, plan.style, plan.white_cells, rng)
    last: Point | None = None
    for number, cell_type in enumerate(types):
        cell = draw_white_cell(rng, cell_type)
        radius = cell.outline.radius
        if plan.at_border and number == 0:
            last = _on_edge(layout.canvas, radius, rng)
        elif plan.touching and last is not None:
            last = _beside(layout, last, radius, rng)
        else:
            last = layout.roomiest(rng, radius, -1.2 * radius if plan.touching else 0.0)
        yield Placed(cell, layout.take(last, radius))


def _types(
    canvas: Canvas, style: SmearStyle, asked: Mapping[CellType, int] | None, rng: np.random.Generator
) -> list[CellType]:
    if asked is not None:
        listed = [cell_type for cell_type in CellType for _ in range(asked.get(cell_type, 0))]
        return [listed[i] for i in rng.permutation(len(listed))]
    count = int(rng.poisson(style.white_cells * canvas.width_um * canvas.height_um / 1e4))
    names = [cell_type for cell_type, _ in style.types]
    shares = np.array([share for _, share in style.types], np.float64)
    return [names[i] for i in rng.choice(len(names), count, p=shares / shares.sum())]


def _on_edge(canvas: Canvas, radius: float, rng: np.random.Generator) -> Point:
    """Return a place at which the edge cuts off a fifth to four fifths of the radius."""
    x, y = (float(rng.uniform(0, side)) for side in (canvas.width_um, canvas.height_um))
    inwards = float(rng.uniform(0.2, 0.8) * radius)
    places = ((inwards, y), (canvas.width_um - inwards, y), (x, inwards), (x, canvas.height_um - inwards))
    return places[int(rng.integers(4))]


def _beside(layout: Layout, neighbor: Point, radius: float, rng: np.random.Generator) -> Point:
    """Return the roomiest place that touches ``neighbor``, the cell placed last, with its center in the field."""
    canvas = layout.canvas
    reach = 0.97 * (layout.last_radius + radius)
    turns = rng.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi, 16, endpoint=False)
    spots = [(float(neighbor[0] + reach * np.cos(t)), float(neighbor[1] + reach * np.sin(t))) for t in turns]
    inside = [s for s in spots if 0 < s[0] < canvas.width_um and 0 < s[1] < canvas.height_um]
    return max(inside or spots, key=lambda spot: min(layout.room(spot, radius), 0.97))


def _red_cells(layout: Layout, style: SmearStyle, rng: np.random.Generator) -> Iterator[Placed]:
    radius = style.red_cell_diameter / 2
    width, height = (side + 2 * radius for side in (layout.canvas.width_um, layout.canvas.height_um))
    left = round(style.coverage * width * height / (np.pi * radius**2))
    while left > 0:
        form = rng.random()
        if form < style.rouleaux / 5:
            size, spacing, bend = int(rng.integers(3, 9)), (0.25, 0.55), 0.25
        elif form < (style.rouleaux + style.clumps) / 4:
            size, spacing, bend = int(rng.integers(2, 6)), (0.6, 0.95), 1.6
        else:
            size, spacing, bend = 1, (1.0, 1.0), 0.0
        cells = [draw_red_cell(rng, style) for _ in range(min(size, left))]
        left -= len(cells)
        yield from _together(layout, style, cells, spacing, bend, rng)


def _together(
    layout: Layout,
    style: SmearStyle,
    cells: list[RedCell],
    spacing: tuple[float, float],
    bend: float,
    rng: np.random.Generator,
) -> Iterator[Placed]:
    radii = [cell.outline.radius for cell in cells]
    if len(cells) > 1:
        for cell, center in zip(cells, place_row(layout, rng, radii, spacing, bend), strict=False):
            yield Placed(cell, center)
        return
    lies_over = rng.random() < style.overlap
    gap = rng.uniform(0.5, 0.95) if lies_over else rng.uniform(1.0, 1.06)
    spot = layout.settle(rng, radii[0], gap, radii[0], 14)
    if spot is not None:
        yield Placed(cells[0], layout.take(spot, radii[0]))


def _platelets(layout: Layout, plan: FieldPlan, red: list[Placed], rng: np.random.Generator) -> Iterator[Placed]:
    for under in _whole_ones(red, layout.canvas)[: plan.platelets_on_red]:
        yield Placed(draw_platelet(rng), under.center)
    canvas = layout.canvas
    left = int(rng.poisson(plan.style.platelets * canvas.width_um * canvas.height_um / 1e4))
    while left > 0:
        group = min(left, int(rng.integers(3, 9))) if rng.random() < 0.04 else 1
        cells = [draw_platelet(rng) for _ in range(group)]
        left -= group
        if group > 1:
            places = place_row(layout, rng, [cell.outline.radius for cell in cells], (0.75, 1.1), 1.5)
        elif rng.random() < _ON_RED:
            places = [layout.anywhere(rng, 1.0)]
        else:
            radius = cells[0].outline.radius
            places = [layout.take(layout.roomiest(rng, radius, 1.0), radius)]
        for cell, center in zip(cells, places, strict=False):
            yield Placed(cell, center)


def _whole_ones(red: list[Placed], canvas: Canvas) -> list[Placed]:
    """Return the red cells by how far they lie from the field's edge, the farthest first."""

    def from_edge(placed: Placed) -> float:
        x, y = placed.center
        return min(x, y, canvas.width_um - x, canvas.height_um - y)

    return sorted(red, key=from_edge, reverse=True)
