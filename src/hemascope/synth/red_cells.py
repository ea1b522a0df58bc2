"""Red cells: biconcave disks, ovals, pressed and crenated ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.synth.outline import RadialOutline, wavy_outline
from hemascope.synth.patch import Patch
from hemascope.synth.style import SmearStyle

RIM_UM = 0.28
"""Width over which a red cell's edge thins out."""


@dataclass(frozen=True, slots=True, eq=False)
class RedCell:
    """One red cell, before it has a place.

    Attributes
    ----------
    outline
        Around its center.
    pallor
        Depth of the pale center, 0 to 1.
    pallor_width
        Radius of the pale center / radius of the cell.
    pallor_offset
        ``(x, y)`` of the pale center / radius of the cell.
    thickness
        Factor on the density.
    tint
        Factor on the density per channel: young cells are bluer.
    """

    outline: RadialOutline
    pallor: float
    pallor_width: float
    pallor_offset: tuple[float, float]
    thickness: float
    tint: tuple[float, float, float]


def draw_red_cell(rng: np.random.Generator, style: SmearStyle) -> RedCell:
    """Return a red cell of the style's size, shape and pallor."""
    radius = style.red_cell_diameter / 2 * max(1 + style.red_cell_spread * rng.standard_normal(), 0.6)
    wildness = style.irregularity
    waves = {2: 0.02 * wildness, 3: 0.018 * wildness, 4: 0.010 * wildness, 5: 0.006 * wildness}
    elongation = 1 + abs(rng.normal(0, 0.09 * wildness))
    if rng.random() < 0.05 * wildness:
        elongation += rng.uniform(0.2, 0.6)
    if rng.random() < style.crenated:
        waves[int(rng.integers(9, 15))] = 0.055
    outline = wavy_outline(rng, radius, waves=waves, elongation=min(elongation, 2.0))
    round_one = rng.random() < 0.05
    red, green, blue = np.exp(np.array((0.06, 0.025, 0.04)) * rng.standard_normal(3)).tolist()
    return RedCell(
        outline=outline,
        pallor=0.0 if round_one else float(np.clip(style.pallor + 0.15 * rng.standard_normal(), 0, 0.95)),
        pallor_width=float(np.clip(rng.normal(0.54, 0.08), 0.3, 0.72)),
        pallor_offset=(float(0.08 * rng.standard_normal()), float(0.08 * rng.standard_normal())),
        thickness=float(np.exp(0.08 * rng.standard_normal()) * (1.15 if round_one else 1.0)),
        tint=(red, green, blue),
    )


def paint_red_cell(cell: RedCell, patch: Patch, style: SmearStyle) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what a red cell absorbs, and where it lies.

    Parameters
    ----------
    cell
        Its center is that of ``patch``.
    patch
        Where to paint.
    style
        Gives hemoglobin's color and the fringes.

    Returns
    -------
    Density of every sample as H x W x 3 float32, and H x W bool of the samples inside the outline.
    """
    distance, edge = cell.outline.polar(patch)
    depth = edge - distance
    relative = distance / edge
    x, y = patch.coordinates()
    radius = cell.outline.radius
    dx, dy = (np.float32(offset * radius) for offset in cell.pallor_offset)
    pale = np.hypot(x - dx, y - dy) / np.maximum(edge * np.float32(cell.pallor_width), 0.1)
    # A flattened disk: highest near three quarters of its radius, with a dip in the middle.
    profile = 0.80 + 0.20 * np.exp(-(((relative - 0.74) / 0.22) ** 2))
    profile = profile * (1 - np.float32(cell.pallor) * np.exp(-(pale**3)))
    density = profile * np.float32(cell.thickness) * soft_edge(depth, max(RIM_UM, patch.pitch))
    if style.refraction:
        density = density * np.float32(max(1 - style.refraction, 0.4)) + fringes(depth) * np.float32(style.refraction)
    color = np.array(style.stain.hemoglobin, np.float32) * np.array(cell.tint, np.float32)
    return (density[..., None] * color).astype(np.float32), depth >= 0


def soft_edge(depth: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Return 0 outside to 1 inside, rising smoothly over ``width`` um around ``depth`` 0."""
    ramp = np.clip(depth / np.float32(width) + np.float32(0.5), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def fringes(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the dark line just inside an edge and the bright one outside it, as refraction makes them."""
    dark: NDArray[np.float32] = 1.6 * np.exp(-(((depth - 0.3) / 0.28) ** 2))
    bright = np.float32(0.55) * np.exp(-(((depth + 0.35) / 0.3) ** 2))
    return np.asarray(dark - bright, np.float32)
