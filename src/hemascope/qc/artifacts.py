"""What was painted over the picture: frames, scale bars, text."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_FLAT = 10  # levels within which a line counts as one color; JPEG rings this much beside a sharp edge
_FRAME_STEP = 30.0  # levels between a frame and the picture in it
_EDGE_STEP = 35  # levels from one row to the next; optics spread a cell's edge over more rows than one
_BAR_LENGTH = 0.04  # of the side it lies along
_BAR_THICKNESS = 0.06  # at most, of the other side
_SAMPLES = 1000  # pixels of a line looked at for a frame
_STRIP = 1024  # rows at a time
_MAX_THICKNESS = 256


@dataclass(frozen=True, slots=True)
class Margins:
    """Rows and columns of a frame in one color around the picture, in pixels of the field."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def inside(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the part of ``pixels`` inside the frame, not copied."""
        height, width = pixels.shape[:2]
        return pixels[self.top : height - self.bottom, self.left : width - self.right]

    def fraction(self, height: int, width: int) -> float:
        """Return the share of a ``height`` x ``width`` field that is frame."""
        return 1 - (height - self.top - self.bottom) * (width - self.left - self.right) / (height * width)


def frame_margins(pixels: NDArray[np.uint8]) -> Margins:
    """Return the frame of ``pixels``: rows and columns at the edge that are one color, unlike what lies inside.

    A field all of one color has no frame.
    """
    top, bottom = _run(pixels), _run(pixels[::-1])
    if top + bottom >= pixels.shape[0]:
        return Margins()
    middle = pixels[top : pixels.shape[0] - bottom].swapaxes(0, 1)
    left, right = _run(middle), _run(middle[::-1])
    if left + right >= middle.shape[0]:
        return Margins()
    return Margins(top, bottom, left, right)


def _run(lines: NDArray[np.uint8]) -> int:
    """Return how many of the first lines are of the first one's color, if the next line differs clearly."""
    lines = lines[:, :: max(1, lines.shape[1] // _SAMPLES)]
    first = lines[0].astype(np.int16)
    color = np.median(first, axis=0)
    count = 0
    while count < len(lines) and np.percentile(np.abs(lines[count] - color), 99) <= _FLAT:
        count += 1
    if count == 0 or count == len(lines):
        return 0
    after = lines[min(count + 2, len(lines) - 1)]
    return count if float(np.percentile(np.abs(after - color).max(axis=1), 75)) >= _FRAME_STEP else 0


def painted_bars(pixels: NDArray[np.uint8]) -> int:
    """Return the number of scale bars and other straight lines painted along an axis.

    A painted line has one color, two long parallel edges that step within one row, and lies along an axis; no
    cell does. Searched on the darkest channel, in which every strong color but white is dark.
    """
    darkest = np.asarray(cv2.min(cv2.min(pixels[..., 0], pixels[..., 1]), pixels[..., 2]), np.uint8)
    return _horizontal_bars(darkest) + _horizontal_bars(np.ascontiguousarray(darkest.T))


def _horizontal_bars(level: NDArray[np.uint8]) -> int:
    height, width = level.shape
    length = max(12, round(_BAR_LENGTH * width))
    thickness = min(_MAX_THICKNESS, max(2, round(_BAR_THICKNESS * height)))
    if height < 8 or width < length:
        return 0
    bars = 0
    for top in range(0, height, _STRIP):
        strip = level[max(0, top - thickness - 2) : top + _STRIP]
        bars += sum(y + max(0, top - thickness - 2) >= top or top == 0 for y in _bars_in(strip, length, thickness))
    return bars


def _bars_in(level: NDArray[np.uint8], length: int, thickness: int) -> list[int]:
    """Return the lower edge (row) of every bar in ``level``."""
    flat = cv2.absdiff(level[:, 1:], level[:, :-1]) <= _FLAT
    step = level[1:].astype(np.int16) - level[:-1]
    kernel = np.ones((1, length), np.uint8)
    down = _opened((step[:, 1:] <= -_EDGE_STEP) & flat[1:], kernel)
    up = _opened((step[:, 1:] >= _EDGE_STEP) & flat[:-1], kernel)
    if not (down.any() or up.any()):
        return []
    return _pairs(down, up, level, thickness) + _pairs(up, down, level, thickness)


def _opened(mask: NDArray[np.bool_], kernel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel), np.uint8)


def _pairs(begin: NDArray[np.uint8], end: NDArray[np.uint8], level: NDArray[np.uint8], thickness: int) -> list[int]:
    """Return the rows at which a run in ``end`` closes a flat bar that a run in ``begin`` opened."""
    found = []
    for top, left, right in _runs(begin):
        for bottom in range(top + 1, min(top + thickness + 1, len(end))):
            if end[bottom, left:right].mean() >= 0.8:
                inner = level[top + 1 : bottom + 1, left + 2 : right]
                if inner.size and float(np.percentile(inner, 98) - np.percentile(inner, 2)) <= 2 * _FLAT:
                    found.append(bottom)
                break
    return found


def _runs(mask: NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """Return row, first and last column + 1 of every horizontal run."""
    runs = []
    for row in np.flatnonzero(mask.any(axis=1)):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], mask[row], [0]))))
        runs += [(int(row), int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    return runs
