"""A histogram of red cell diameters as SVG geometry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hemascope.core.morphology import BIN_UM, SizeSpread

WIDTH, HEIGHT, BASE = 640, 190, 160
"""Of the drawing, and where its bars stand, in pixels."""

_MERGED = 2
"""Bins of the record that make one bar."""

_USUAL_UM = (4.0, 11.0)
"""Diameters that are always on the axis."""

_TOP = 18


class Mark(NamedTuple):
    """A place on the axis with its label."""

    x: float
    label: str


class Histogram(NamedTuple):
    """What the page draws.

    Attributes
    ----------
    bars
        SVG path data.
    ticks, limits
        Of the axis, and of the sizes that the grading table names; no limits without an absolute scale.
    unit
        Of the ticks, in words.
    """

    bars: str
    ticks: tuple[Mark, ...]
    limits: tuple[Mark, ...]
    unit: str


def draw_histogram(size: SizeSpread, limits_um: Sequence[float]) -> Histogram | None:
    """Return the histogram of diameters, or None where nothing was measured.

    Parameters
    ----------
    size
        The pooled diameters.
    limits_um
        Diameters to mark, where um may be read as um.
    """
    if not size.bins or not size.median_um:
        return None
    counts = np.array(size.bins).reshape(-1, _MERGED).sum(axis=1)
    step = BIN_UM * _MERGED
    used = np.flatnonzero(counts)
    low = min(_USUAL_UM[0], float(used[0]) * step)
    high = max(_USUAL_UM[1], float(used[-1] + 1) * step)
    scale = WIDTH / (high - low)

    def place(diameter: float) -> float:
        return round((diameter - low) * scale, 1)

    tallest = int(counts.max())
    bars = "".join(
        f"M{place(n * step):g} {BASE}v{-(BASE - _TOP) * int(counts[n]) / tallest:.1f}"
        f"h{max(step * scale - 1, 0.5):.1f}V{BASE}z"
        for n in used.tolist()
    )
    if size.absolute:
        ticks = tuple(Mark(place(um), f"{um:g}") for um in np.arange(np.ceil(low), high + 1e-9, 1).tolist())
        limits = tuple(Mark(place(um), f"{um:g}") for um in limits_um if low < um < high)
        return Histogram(bars, ticks, limits, "µm")
    steps = np.arange(np.ceil(10 * low / size.median_um) / 10, high / size.median_um + 1e-9, 0.1).tolist()
    shown = tuple(Mark(place(part * size.median_um), f"{part:.1f}") for part in steps)
    return Histogram(bars, shown, (), "of the median")
