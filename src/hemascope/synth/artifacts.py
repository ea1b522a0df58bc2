"""What lies in a field and is no cell: dust, stain deposits, crushed cells, stained plasma, a burnt-in scale bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.geometry import Polygon
from hemascope.synth.outline import RadialOutline, clipped_to_field, wavy_outline
from hemascope.synth.patch import Canvas, patch_around
from hemascope.synth.red_cells import soft_edge
from hemascope.synth.style import SmearStyle
from hemascope.synth.texture import grains, patch_noise, smooth_noise

_BAR_LENGTHS_UM = (1, 2, 5, 10, 20, 50, 100, 200, 500)

Point = tuple[float, float]


class ArtifactKind(StrEnum):
    """What lies in a field and is no cell."""

    DUST = "dust"
    PRECIPITATE = "precipitate"
    SMUDGE = "smudge"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One thing that is no cell, or no longer one.

    Attributes
    ----------
    kind
        What it is.
    outline
        Where it lies, cut at the field's edge; pixels of the field. The grains of a precipitate lie within it.
    """

    kind: ArtifactKind
    outline: Polygon


def add_film(density: NDArray[np.float32], canvas: Canvas, style: SmearStyle, rng: np.random.Generator) -> None:
    """Add uneven stained plasma to the density of a whole field, in place."""
    if style.film <= 0:
        return
    shape = density.shape[0], density.shape[1]
    cloud = 0.6 * smooth_noise(rng, shape, max(3.0 / canvas.mpp, 0.5)) + 0.5 * smooth_noise(
        rng, shape, max(0.3 / canvas.mpp, 0.5)
    )
    amount = np.maximum(1 + cloud, 0) * np.float32(2.0 * style.film)
    color = np.array(style.stain.azure, np.float32)
    for channel in range(3):
        density[..., channel] += amount * color[channel]


def add_dust(
    density: NDArray[np.float32], canvas: Canvas, style: SmearStyle, rng: np.random.Generator
) -> Artifact | None:
    """Add one speck of dust, gray and mostly out of focus, in place."""
    center = _somewhere(canvas, rng)
    patch = patch_around(canvas, center, 4.0)
    if patch is None:
        return None
    outline = wavy_outline(rng, float(rng.uniform(0.2, 1.2)), waves={2: 0.2, 3: 0.2, 5: 0.1}, elongation=1.4)
    distance, edge = outline.polar(patch)
    blob = soft_edge(edge - distance, float(rng.uniform(0.3, 2.0)))
    gray = np.float32(rng.uniform(0.08, 0.5)) * np.array(rng.uniform(0.8, 1.2, 3), np.float32)
    density[patch.window] += patch.averaged((blob[..., None] * gray).astype(np.float32))
    return _artifact(ArtifactKind.DUST, outline, center, canvas)


def add_precipitate(
    density: NDArray[np.float32], canvas: Canvas, style: SmearStyle, rng: np.random.Generator
) -> Artifact | None:
    """Add one deposit of stain, a swarm of dark violet grains, in place."""
    reach = float(rng.uniform(2.0, 8.0))
    center = _somewhere(canvas, rng)
    patch = patch_around(canvas, center, reach + 1)
    if patch is None:
        return None
    dots = grains(rng, patch, int(rng.integers(10, 90)), (0.1, 0.45), reach * 0.8)
    color = np.array(style.stain.chromatin, np.float32) * np.float32(0.9)
    density[patch.window] += patch.averaged((dots[..., None] * color).astype(np.float32))
    disk = RadialOutline(np.full(1024, 0.8 * reach + 0.45, np.float32))
    return _artifact(ArtifactKind.PRECIPITATE, disk, center, canvas)


def add_smudge(
    density: NDArray[np.float32],
    canvas: Canvas,
    style: SmearStyle,
    rng: np.random.Generator,
    center: Point | None = None,
) -> Artifact | None:
    """Add the smeared remains of one crushed nucleus in place, at ``center`` (um) or anywhere."""
    outline = wavy_outline(rng, float(rng.uniform(5, 9)), waves={2: 0.2, 3: 0.16, 4: 0.12, 6: 0.1}, elongation=1.6)
    center = center or _somewhere(canvas, rng)
    patch = patch_around(canvas, center, outline.reach + 2)
    if patch is None:
        return None
    distance, edge = outline.polar(patch)
    body = soft_edge(edge - distance, 2.5)
    strands = np.clip(0.55 + 0.35 * patch_noise(rng, patch, 0.5) + 0.25 * patch_noise(rng, patch, 1.5), 0, 1.2)
    amount = (body * strands * np.float32(rng.uniform(0.3, 0.6)))[..., None]
    color = 0.6 * np.array(style.stain.chromatin, np.float32) + 0.4 * np.array(style.stain.granule, np.float32)
    density[patch.window] += patch.averaged((amount * color).astype(np.float32))
    return _artifact(ArtifactKind.SMUDGE, outline, center, canvas)


def add_artifacts(
    density: NDArray[np.float32],
    canvas: Canvas,
    style: SmearStyle,
    rng: np.random.Generator,
    *,
    precipitates: int = 0,
    smudges: Sequence[Point] = (),
) -> tuple[Artifact, ...]:
    """Add as many of each as the style has per area, in place, and those that were asked for besides.

    Parameters
    ----------
    density
        H x W x 3 float32.
    canvas, style
        Of the field.
    rng
        Source of randomness.
    precipitates
        Further deposits of stain, anywhere.
    smudges
        Centers of further remnants of crushed cells, um.

    Returns
    -------
    Everything that has a part in the field.
    """
    added: list[Artifact | None] = []
    area = canvas.width_um * canvas.height_um / 1e4
    kinds: tuple[tuple[float, Callable[..., Artifact | None]], ...] = (
        (style.debris, add_dust),
        (style.precipitate, add_precipitate),
        (style.smudges, add_smudge),
    )
    for rate, add in kinds:
        for _ in range(rng.poisson(rate * area)):
            added.append(add(density, canvas, style, rng))
    added += [add_precipitate(density, canvas, style, rng) for _ in range(precipitates)]
    added += [add_smudge(density, canvas, style, rng, center) for center in smudges]
    return tuple(artifact for artifact in added if artifact is not None)


def burn_scale_bar(pixels: NDArray[np.uint8], mpp: float) -> NDArray[np.uint8]:
    """Return a field with a black scale bar and its length in the lower right corner.

    Parameters
    ----------
    pixels
        H x W x 3 uint8.
    mpp
        Micrometers per pixel.
    """
    height, width = pixels.shape[:2]
    fitting = [length for length in _BAR_LENGTHS_UM if length / mpp <= 0.35 * width]
    length = fitting[-1] if fitting else _BAR_LENGTHS_UM[0]
    right, bottom = width - max(width // 40, 2), height - max(height // 30, 2)
    left = max(right - round(length / mpp), 0)
    burnt = pixels.copy()
    thick = max(height // 120, 2)
    burnt[max(bottom - thick, 0) : bottom, left:right] = 0
    size = height / 700
    cv2.putText(burnt, f"{length} um", (left, bottom - 2 * thick), cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1)
    return burnt


def _artifact(kind: ArtifactKind, outline: RadialOutline, center: Point, canvas: Canvas) -> Artifact | None:
    cut = clipped_to_field(outline.polygon(center, canvas.mpp), canvas.width, canvas.height)
    return Artifact(kind, cut) if cut is not None else None


def _somewhere(canvas: Canvas, rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.uniform(0, canvas.width_um)), float(rng.uniform(0, canvas.height_um))
