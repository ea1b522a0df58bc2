"""A painted field with its truth: every cell's kind, type, outline and nucleus, exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import InputError
from hemascope.core.geometry import Polygon
from hemascope.core.smear import Field
from hemascope.core.taxonomy import NUCLEATED_TYPES, CellKind, CellType
from hemascope.core.units import Scale, ScaleSource
from hemascope.synth.artifacts import Artifact, add_artifacts, add_film, burn_scale_bar
from hemascope.synth.hard_cases import LEARNABLE_CASES, FieldPlan, HardCase, plan_for
from hemascope.synth.optics import photograph
from hemascope.synth.outline import clipped_to_field, region_outlines
from hemascope.synth.patch import Canvas, patch_around
from hemascope.synth.platelets import Platelet, paint_platelet
from hemascope.synth.population import AnyCell, Placed, populate
from hemascope.synth.red_cells import RedCell, paint_red_cell
from hemascope.synth.style import SmearStyle
from hemascope.synth.white_cells import WhiteCell, paint_white_cell

__all__ = ["LEARNABLE_CASES", "HardCase", "SmearStyle", "SyntheticCell", "SyntheticField", "paint_field"]

MAX_PIXELS = 120_000_000
"""Larger fields are refused: painting needs about 70 bytes a pixel."""

_MIN_NUCLEUS_UM2 = 0.3
_SPILL_UM = 0.9
"""Edges are soft and have fringes: a cell absorbs a little beyond its outline."""


@dataclass(frozen=True, slots=True)
class SyntheticCell:
    """One painted cell.

    Attributes
    ----------
    kind
        White cell (any nucleated cell), red cell or platelet.
    cell_type
        Type of a nucleated cell; None for the others.
    outline
        Its full extent, under other cells too, cut at the field's edge; pixels of the field.
    nuclei
        Outlines of the parts of its nucleus, the largest first, cut at the field's edge.
    visible
        Share of the cell's area that lies in the field and under no other cell, 0 to 1.
    """

    kind: CellKind
    cell_type: CellType | None
    outline: Polygon
    nuclei: tuple[Polygon, ...]
    visible: float


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticField:
    """One painted field and its truth.

    Attributes
    ----------
    field
        The image, with its scale as stated.
    cells
        Every cell with at least one pixel center in the field, the lowest first.
    instances
        H x W int32: 0 where there is none, else 1 + the index in ``cells`` of the topmost cell; read-only.
    nucleus
        H x W bool: whether a nucleus lies there; read-only.
    style
        How it was painted.
    artifacts
        Dust, stain deposits and remnants of crushed cells with a part in the field; they are no cells, and a burnt-in
        scale bar is not among them.
    """

    field: Field
    cells: tuple[SyntheticCell, ...]
    instances: NDArray[np.int32]
    nucleus: NDArray[np.bool_]
    style: SmearStyle
    artifacts: tuple[Artifact, ...] = ()

    def of_kind(self, kind: CellKind) -> tuple[SyntheticCell, ...]:
        """Return the cells of ``kind``."""
        return tuple(cell for cell in self.cells if cell.kind is kind)


def paint_field(
    seed: int,
    *,
    width: int = 640,
    height: int = 480,
    mpp: float = 0.1,
    style: SmearStyle | None = None,
    white_cells: Mapping[CellType, int] | None = None,
    case: HardCase | None = None,
) -> SyntheticField:
    """Return a painted field; the same arguments give the same bytes.

    Parameters
    ----------
    seed
        At least 0.
    width, height
        In pixels, at least 1.
    mpp
        Micrometers per pixel, within the limits of ``Scale``.
    style
        How it looks; clean where None. ``SmearStyle.sample`` draws one at random.
    white_cells
        Exact number of each nucleated type, types not named being absent; random where None.
    case
        A named difficulty.

    Raises
    ------
    InputError
        If a size, a seed or a count cannot be used.
    ScaleError
        If ``mpp`` is no plausible scale.
    """
    scale = Scale(mpp, ScaleSource.STATED)
    _check(seed, width, height, white_cells)
    plan = plan_for(case, style or SmearStyle(), white_cells)
    canvas = Canvas(width, height, mpp)
    # Separate streams: what one step draws does not change the others.
    cells_rng, artifacts_rng, camera_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    painting = _Painting(canvas, plan.style)
    population = populate(canvas, plan, cells_rng)
    for placed in population.cells:
        painting.add(placed)
    artifacts: tuple[Artifact, ...] = ()
    if case is not HardCase.BLACK:
        add_film(painting.density, canvas, plan.style, artifacts_rng)
        artifacts = add_artifacts(
            painting.density,
            canvas,
            plan.style,
            artifacts_rng,
            precipitates=plan.precipitates,
            smudges=population.smudges,
        )
    pixels = photograph(painting.density, mpp, plan.style, camera_rng)
    if plan.scale_bar:
        pixels = burn_scale_bar(pixels, mpp)
    if plan.inverted:
        pixels = np.asarray(255 - pixels, np.uint8)
    return painting.finished(_as_field(pixels, scale, seed), plan, artifacts)


class _Painting:
    """A field in the making."""

    def __init__(self, canvas: Canvas, style: SmearStyle) -> None:
        shape = canvas.height, canvas.width
        self.canvas = canvas
        self.style = style
        self.density = np.zeros((*shape, 3), np.float32)
        self.instances = np.zeros(shape, np.int32)
        self.nucleus = np.zeros(shape, np.bool_)
        self.cells: list[tuple[CellKind, CellType | None, Polygon, tuple[Polygon, ...], float]] = []

    def add(self, placed: Placed) -> None:
        """Paint one cell over what is there; nothing happens where it has no pixel in the field."""
        cell, canvas = placed.cell, self.canvas
        patch = patch_around(canvas, placed.center, cell.outline.reach + _SPILL_UM)
        whole = cell.outline.polygon(placed.center, canvas.mpp)
        outline = clipped_to_field(whole, canvas.width, canvas.height)
        if patch is None:
            return
        nuclei: tuple[Polygon, ...] = ()
        depth = None
        if isinstance(cell, WhiteCell):
            density, inside, depth = paint_white_cell(cell, patch, self.style)
        elif isinstance(cell, RedCell):
            density, inside = paint_red_cell(cell, patch, self.style)
        else:
            density, inside = paint_platelet(cell, patch, self.style)
        self.density[patch.window] += patch.averaged(density)
        body = patch.at_pixel_centers(inside)
        if outline is None or not body.any():
            return
        if depth is not None:
            parts = region_outlines(depth, patch, _MIN_NUCLEUS_UM2)
            cut = (clipped_to_field(part, canvas.width, canvas.height) for part in parts)
            nuclei = tuple(part for part in cut if part is not None)
            self.nucleus[patch.window] |= patch.at_pixel_centers(depth < 0)
        kind, cell_type = _names(cell)
        self.cells.append((kind, cell_type, outline, nuclei, whole.area))
        self.instances[patch.window][body] = len(self.cells)

    def finished(self, field: Field, plan: FieldPlan, artifacts: tuple[Artifact, ...]) -> SyntheticField:
        """Return the painted field with its truth."""
        counts = np.bincount(self.instances.ravel(), minlength=len(self.cells) + 1)[1:]
        cells = tuple(
            SyntheticCell(kind, cell_type, outline, nuclei, float(min(count / area, 1.0)))
            for (kind, cell_type, outline, nuclei, area), count in zip(self.cells, counts, strict=True)
        )
        self.instances.setflags(write=False)
        self.nucleus.setflags(write=False)
        return SyntheticField(field, cells, self.instances, self.nucleus, plan.style, artifacts)


def _names(cell: AnyCell) -> tuple[CellKind, CellType | None]:
    if isinstance(cell, WhiteCell):
        return CellKind.WHITE_CELL, cell.cell_type
    return (CellKind.PLATELET if isinstance(cell, Platelet) else CellKind.RED_CELL), None


def _as_field(pixels: NDArray[np.uint8], scale: Scale, seed: int) -> Field:
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Field(f"synthetic-{seed}", pixels, scale, sha256=digest, notes=("generated, not a photograph",))


def _check(seed: int, width: int, height: int, white_cells: Mapping[CellType, int] | None) -> None:
    if seed < 0:
        raise InputError(f"a seed of {seed} cannot be used; give a whole number of 0 or more")
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise InputError(f"a field of {width} x {height} cannot be painted; give 1 to {MAX_PIXELS:,} pixels in all")
    for cell_type, count in (white_cells or {}).items():
        if cell_type not in NUCLEATED_TYPES or count < 0:
            known = ", ".join(NUCLEATED_TYPES)
            raise InputError(f"{count} of '{cell_type}' cannot be painted; give 0 or more of: {known}")
