"""A field at the scale a network works at, tile by tile, so that memory does not grow with the enlargement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.star_decode import Candidates
from hemascope.core.optics import absorption, background_color


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of the working view that goes through the network at once.

    Attributes
    ----------
    x0, y0, x1, y1
        In pixels of the view; what neighbors share lies inside.
    left, top, right, bottom
        The part that no neighbor owns.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    left: float
    top: float
    right: float
    bottom: float

    def owned(self, found: Candidates) -> Candidates:
        """Return the candidates whose center lies in the part that no neighbor owns."""
        boxes = found.boxes
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = (centers >= (self.left, self.top)) & (centers < (self.right, self.bottom))
        return found.take(np.nonzero(inside.all(axis=1))[0])

    def paste(self, maps: NDArray[np.float32], whole: NDArray[np.uint8], stride: int) -> None:
        """Write this tile's own part of maps in 0..1 into those of the whole view, as 0..255."""
        height, width = whole.shape[1:]
        x0, y0 = self.x0 // stride, self.y0 // stride
        left, top = (0 if np.isneginf(side) else int(side) // stride for side in (self.left, self.top))
        right = min(width if np.isposinf(self.right) else int(self.right) // stride, x0 + maps.shape[2])
        bottom = min(height if np.isposinf(self.bottom) else int(self.bottom) // stride, y0 + maps.shape[1])
        part = maps[:, top - y0 : bottom - y0, left - x0 : right - x0]
        whole[:, top:bottom, left:right] = np.round(part * 255).astype(np.uint8)


class WorkingView:
    """A field resized by a factor.

    Parameters
    ----------
    pixels
        H x W x 3 uint8.
    factor
        Pixels of the view for each pixel of the field. Reduced fields are held whole: they are smaller than the field.
        Enlarged ones are made tile by tile.
    """

    def __init__(self, pixels: NDArray[np.uint8], factor: float) -> None:
        height, width = pixels.shape[:2]
        self.width, self.height = max(round(width * factor), 1), max(round(height * factor), 1)
        reduced = factor <= 1
        size = (self.width, self.height)
        self._pixels = np.asarray(
            cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if reduced else pixels, np.uint8
        )
        self._step = (1.0, 1.0) if reduced else (width / self.width, height / self.height)
        self._light = background_color(self._pixels)

    def tiles(self, side: int, overlap: int) -> Iterator[Tile]:
        """Yield the tiles, row by row.

        Parameters
        ----------
        side, overlap
            Of a tile, and what neighbors share, in pixels; even, the overlap at least as large as the largest cell.
        """
        margin = overlap // 2
        for y0, y1 in _spans(self.height, side, overlap):
            for x0, x1 in _spans(self.width, side, overlap):
                yield Tile(
                    x0, y0, x1, y1,
                    left=x0 + margin if x0 else -np.inf,
                    top=y0 + margin if y0 else -np.inf,
                    right=x1 - margin if x1 < self.width else np.inf,
                    bottom=y1 - margin if y1 < self.height else np.inf,
                )  # fmt: skip

    def network_input(self, tile: Tile, granule: int) -> NDArray[np.float32]:
        """Return a tile as 1 x 3 x h x w network input, sides padded with background to multiples of ``granule``."""
        pixels = self._cut(tile)
        height, width = pixels.shape[:2]
        batch = np.zeros((1, 3, _padded(height, granule), _padded(width, granule)), np.float32)
        passed = np.minimum(pixels / self._light, np.float32(1.0))
        batch[0, :, :height, :width] = absorption(passed).transpose(2, 0, 1)
        return batch

    def _cut(self, tile: Tile) -> NDArray[np.uint8]:
        if self._step == (1.0, 1.0):
            return self._pixels[tile.y0 : tile.y1, tile.x0 : tile.x1]
        step_x, step_y = self._step
        # Pixel centers lie at +0.5 in both grids.
        matrix = np.array(
            [
                [step_x, 0, (tile.x0 + 0.5) * step_x - 0.5],
                [0, step_y, (tile.y0 + 0.5) * step_y - 0.5],
            ]
        )
        size = (tile.x1 - tile.x0, tile.y1 - tile.y0)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = cv2.warpAffine(self._pixels, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cut, np.uint8)


def _spans(length: int, side: int, overlap: int) -> Iterator[tuple[int, int]]:
    for start in range(0, max(length - overlap, 1), side - overlap):
        yield start, min(start + side, length)


def _padded(side: int, granule: int) -> int:
    return -(-side // granule) * granule
