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
_MOST_RUNS = 200  # a strip; a picture with more is a drawing, and has its lines counted by then


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
    return _horizontal_bars(pixels, turned=False) + _horizontal_bars(pixels, turned=True)


def _horizontal_bars(pixels: NDArray[np.uint8], *, turned: bool) -> int:
    """Return the number of bars along the rows, or along the columns where ``turned``; a strip at a time."""
    height, width = pixels.shape[1::-1] if turned else pixels.shape[:2]
    length = max(12, round(_BAR_LENGTH * width))
    thickness = min(_MAX_THICKNESS, max(2, round(_BAR_THICKNESS * height)))
    if height < 8 or width < length:
        return 0
    bars = 0
    for top in range(0, height, _STRIP):
        start = max(0, top - thickness - 2)
        strip = darkest_channel(pixels[:, start : top + _STRIP] if turned else pixels[start : top + _STRIP])
        found = _bars_in(np.asarray(cv2.transpose(strip), np.uint8) if turned else strip, length, thickness)
        bars += sum(y + start >= top or top == 0 for y in found)
    return bars


def darkest_channel(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the least of the three channels of each pixel."""
    return np.asarray(cv2.min(cv2.min(pixels[..., 0], pixels[..., 1]), pixels[..., 2]), np.uint8)


def _bars_in(level: NDArray[np.uint8], length: int, thickness: int) -> list[int]:
    """Return the lower edge (row) of every bar in ``level``."""
    beside = cv2.absdiff(level[:, 1:], level[:, :-1])
    flat = np.asarray(cv2.threshold(beside, _FLAT, 255, cv2.THRESH_BINARY_INV)[1], np.uint8)
    down = _edges(level[:-1, 1:], level[1:, 1:], flat[1:])
    up = _edges(level[1:, 1:], level[:-1, 1:], flat[:-1])
    falls, rises = _runs(down, length), _runs(up, length)
    # A line has both edges, and each must be long: where one kind is missing, there is no line.
    if not falls or not rises:
        return []
    return _pairs(falls, up, level, thickness) + _pairs(rises, down, level, thickness)


def _edges(bright: NDArray[np.uint8], dark: NDArray[np.uint8], flat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 255 where ``bright`` is above ``dark`` by a painted step and the line is ``flat``, else 0."""
    step = cv2.threshold(cv2.subtract(bright, dark), _EDGE_STEP - 1, 255, cv2.THRESH_BINARY)[1]
    return np.asarray(cv2.bitwise_and(step, flat), np.uint8)


def _runs(mask: NDArray[np.uint8], length: int) -> list[tuple[int, int, int]]:
    """Return row, first and last column + 1 of every horizontal run of at least ``length``."""
    runs: list[tuple[int, int, int]] = []
    # Few rows hold as many edge pixels at all; only those are looked at one by one.
    filled = np.asarray(cv2.reduce(mask, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S))[:, 0] // 255
    for row in np.flatnonzero(filled >= length):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], mask[row] != 0, [0])))).reshape(-1, 2)
        long = edges[edges[:, 1] - edges[:, 0] >= length]
        runs += [(int(row), int(a), int(b)) for a, b in long]
        if len(runs) > _MOST_RUNS:
            break
    return runs


def _pairs(
    begin: list[tuple[int, int, int]], end: NDArray[np.uint8], level: NDArray[np.uint8], thickness: int
) -> list[int]:
    """Return the rows at which ``end`` closes a flat bar that a run in ``begin`` opened."""
    found = []
    for top, left, right in begin:
        closed = np.flatnonzero((end[top + 1 : top + thickness + 1, left:right] != 0).mean(axis=1) >= 0.8)
        if closed.size:
            bottom = top + 1 + int(closed[0])
            inner = level[top + 1 : bottom + 1, left + 2 : right]
            if inner.size and float(np.percentile(inner, 98) - np.percentile(inner, 2)) <= 2 * _FLAT:
                found.append(bottom)
    return found
