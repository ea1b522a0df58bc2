"""Where cells lie: white cells first, red cells around them, platelets in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hemascope.synth.patch import Canvas

Point = tuple[float, float]


@dataclass(slots=True)
class Layout:
    """Places taken so far; it grows while a field is laid out.

    Attributes
    ----------
    canvas
        The field.
    places
        Capacity x 3 float64: x, y and radius of every placed cell in um, unused rows at the end.
    count
        Rows in use.
    """

    canvas: Canvas
    places: NDArray[np.float64] = field(default_factory=lambda: np.zeros((64, 3)))
    count: int = 0

    def copy(self) -> Layout:
        """Return a layout with the same places, which grows apart."""
        return Layout(self.canvas, self.places.copy(), self.count)

    @property
    def last_radius(self) -> float:
        """Radius in um of the cell placed last."""
        return float(self.places[self.count - 1, 2])

    def take(self, center: Point, radius: float) -> Point:
        """Mark a place as taken."""
        if self.count == len(self.places):
            self.places = np.concatenate([self.places, np.zeros_like(self.places)])
        self.places[self.count] = (*center, radius)
        self.count += 1
        return center

    def room(self, center: Point, radius: float) -> float:
        """Return the smallest distance to a placed cell / sum of the radii: 1 when they just touch."""
        if not self.count:
            return np.inf
        x, y, radii = self.places[: self.count].T
        return float(np.min(np.hypot(x - center[0], y - center[1]) / (radii + radius)))

    def anywhere(self, rng: np.random.Generator, margin: float) -> Point:
        """Return a random point of the field grown by ``margin`` um on every side; its middle where nothing is left."""
        # Half a side is as far as a field can shrink.
        across, down = (max(margin, -side / 2) for side in (self.canvas.width_um, self.canvas.height_um))
        return (
            float(rng.uniform(-across, self.canvas.width_um + across)),
            float(rng.uniform(-down, self.canvas.height_um + down)),
        )

    def settle(self, rng: np.random.Generator, radius: float, gap: float, margin: float, tries: int) -> Point | None:
        """Return a free random place, or None after ``tries``.

        ``gap`` is the least distance to any other cell, as a share of the sum of the radii.
        """
        for _ in range(tries):
            center = self.anywhere(rng, margin)
            if self.room(center, radius) >= gap:
                return center
        return None

    def roomiest(self, rng: np.random.Generator, radius: float, margin: float, tries: int = 24) -> Point:
        """Return the first random place with room, else the one with the most."""
        best, most = self.anywhere(rng, margin), -1.0
        for _ in range(tries):
            center = self.anywhere(rng, margin)
            room = self.room(center, radius)
            if room >= 1:
                return center
            if room > most:
                best, most = center, room
        return best


def place_row(
    layout: Layout, rng: np.random.Generator, radii: Sequence[float], spacing: tuple[float, float], bend: float
) -> list[Point]:
    """Return places for cells one after the other along a bending line, each over the last; fewer where it meets cells.

    ``spacing`` is the range of the distance between neighbors, as a share of the sum of their radii.
    """
    outside = layout.settle(rng, radii[0], 0.95, max(radii), 12)
    if outside is None:
        return []
    places, direction, spot = [], rng.uniform(0, 2 * np.pi), outside
    others = layout.copy()
    for k, radius in enumerate(radii):
        if k:
            direction += bend * rng.standard_normal()
            step = rng.uniform(*spacing) * (radius + radii[k - 1])
            spot = (float(spot[0] + step * np.cos(direction)), float(spot[1] + step * np.sin(direction)))
            if others.room(spot, radius) < 0.9:
                break
        places.append(layout.take(spot, radius))
    return places
