"""The shipped finder: one network pass over tiles of a field, at the scale it was trained at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.outlines import cells_from_outlines
from hemascope.cells.star_decode import KINDS, Candidates, decode, suppress
from hemascope.core.cell import Cell
from hemascope.core.optics import absorption, background_color
from hemascope.core.ports import TensorGraph
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind

GRANULE = 32
"""The network halves its input five times: sides are padded to multiples of this."""


@dataclass(frozen=True, slots=True)
class FinderSpec:
    """What the network was trained for.

    Attributes
    ----------
    mpp
        Um per pixel of its input.
    rays
        Directions of an outline.
    stride
        Pixels of its input for each place of its maps.
    thresholds
        The least score of each kind, chosen on validation splits.
    tile, overlap
        Side of a tile and what neighbors share, in pixels of its input; the overlap holds the largest cell.
    """

    mpp: float
    rays: int
    stride: int
    thresholds: dict[CellKind, float] = field(default_factory=lambda: dict.fromkeys(CellKind, 0.3))
    tile: int = 768
    overlap: int = 128


class NetworkSegmenter:
    """Finds cells with a trained network; a ``Segmenter``.

    Parameters
    ----------
    graph
        Gives heat N x kinds x h x w in 0..1 and radii N x rays x h x w in pixels of its input.
    spec
        What it was trained for.
    """

    def __init__(self, graph: TensorGraph, spec: FinderSpec) -> None:
        self._graph = graph
        self._spec = spec
        self._thresholds = np.array([spec.thresholds[kind] for kind in KINDS], np.float32)

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._graph.identity

    def find(self, field: Field) -> list[Cell]:
        """Return every cell of a field whose scale is known.

        Raises
        ------
        ValueError
            If the scale of the field is not known.
        """
        if field.scale is None:
            raise ValueError(f"{field.id}: finding cells needs the scale of the field")
        factor = field.scale.mpp / self._spec.mpp
        image = _resized(field.pixels, factor)
        light = background_color(image)
        parts = [self._find_in_tile(image[ys, xs], light, xs, ys, image.shape) for xs, ys in self._tiles(image.shape)]
        found = suppress(Candidates.join(parts, self._spec.rays))
        return cells_from_outlines(field, found.points / factor, [KINDS[k] for k in found.kinds], found.scores)

    def _tiles(self, shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
        step = self._spec.tile - self._spec.overlap
        for y in range(0, max(shape[0] - self._spec.overlap, 1), step):
            for x in range(0, max(shape[1] - self._spec.overlap, 1), step):
                yield slice(x, min(x + self._spec.tile, shape[1])), slice(y, min(y + self._spec.tile, shape[0]))

    def _find_in_tile(
        self,
        pixels: NDArray[np.uint8],
        light: NDArray[np.float32],
        xs: slice,
        ys: slice,
        shape: tuple[int, ...],
    ) -> Candidates:
        """Return the candidates centered in the part of a tile that no neighbor owns, in pixels of the image."""
        height, width = pixels.shape[:2]
        batch = np.zeros((1, 3, _padded(height), _padded(width)), np.float32)
        passed = np.minimum(pixels / light, np.float32(1.0))
        batch[0, :, :height, :width] = absorption(passed).transpose(2, 0, 1)
        heat, radii = self._graph.run(batch)
        found = decode(heat[0], radii[0], self._spec.stride, self._thresholds).moved(xs.start, ys.start)
        boxes = found.boxes
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        margin = self._spec.overlap / 2
        low = np.array([xs.start + margin if xs.start else -np.inf, ys.start + margin if ys.start else -np.inf])
        high = np.array(
            [
                xs.stop - margin if xs.stop < shape[1] else np.inf,
                ys.stop - margin if ys.stop < shape[0] else np.inf,
            ]
        )
        return found.take(np.nonzero(((centers >= low) & (centers < high)).all(axis=1))[0])


def _padded(side: int) -> int:
    return -(-side // GRANULE) * GRANULE


def _resized(pixels: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)
