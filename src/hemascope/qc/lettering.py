"""Letters and digits painted over the picture."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.qc.artifacts import darkest_channel

_BLACK, _WHITE, _VIVID = 207, 235, 170
"""Least strength of black, white and colored ink; JPEG moves ink this far, and no stain reaches it but in blots."""

_LOWEST, _HIGHEST = 7, 0.12  # a glyph: pixels at least; of the field at most
_WIDEST = 1.3  # of a glyph's height
_THICKEST = 0.34  # of the height, a stroke; a cell, a nucleus or a platelet is one thick stroke
_STEP = 40  # levels of strength between a stroke and what lies two pixels beside it
_SHARP = 0.7  # of the outline has that step
_MOST_PARTS = 2000  # a strip; with more it is texture
_SMALLEST = 32  # pixels, a field with room for a label
_STRIP = 1024  # rows at a time
_OVERLAP = 256


def painted_glyphs(pixels: NDArray[np.uint8]) -> int:
    """Return the number of letters and digits in labels burnt into ``pixels``.

    A glyph is a thin stroke of black, white or vividly colored ink that steps sharply from what lies beside it;
    three in a row on one line, equally high, make a label. Labels written along the rows only.

    Parameters
    ----------
    pixels
        H x W x 3 uint8 RGB at full resolution, without a frame.
    """
    height = pixels.shape[0]
    if min(pixels.shape[:2]) < _SMALLEST:
        return 0
    highest = min(_HIGHEST * height, _OVERLAP)
    count = 0
    for top in range(0, height, _STRIP):
        start = max(0, top - _OVERLAP)
        for strength, least in _inks(pixels[start : top + _STRIP]):
            boxes = _glyphs(strength, least, highest)
            # What ends above this strip was counted with the last one.
            count += int((boxes[:, 1] + boxes[:, 3] + start > top).sum())
    return count


def _inks(pixels: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Yield the strength of black, white and colored ink in each pixel, 0 to 255, and the least that counts."""
    darkest = darkest_channel(pixels)
    brightest = np.asarray(cv2.max(cv2.max(pixels[..., 0], pixels[..., 1]), pixels[..., 2]), np.uint8)
    yield np.asarray(cv2.bitwise_not(brightest), np.uint8), _BLACK
    yield darkest, _WHITE
    yield np.asarray(cv2.subtract(brightest, darkest), np.uint8), _VIVID


def _glyphs(strength: NDArray[np.uint8], least: int, highest: float) -> NDArray[np.int32]:
    """Return N x 4 ``left, top, width, height`` of the glyphs of labels in one ink."""
    ink = cv2.threshold(strength, least - 1, 255, cv2.THRESH_BINARY)[1]
    if not cv2.countNonZero(ink):
        return np.zeros((0, 4), np.int32)
    _, parted, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    labels, stats = np.asarray(parted, np.int32), np.asarray(boxes, np.int32)
    width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    parts = np.flatnonzero((height >= _LOWEST) & (height <= highest) & (width <= _WIDEST * height))
    parts = parts[parts > 0]  # 0 is what is not ink
    if len(parts) > _MOST_PARTS:
        return np.zeros((0, 4), np.int32)
    parts = parts[_in_row(stats[parts])]
    drawn = [_is_stroke(labels, int(part), stats[part], strength, least) for part in parts]
    parts = parts[np.array(drawn, bool)]
    return np.asarray(stats[parts[_in_row(stats[parts])], :4], np.int32)


def _in_row(boxes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which of ``left, top, width, height, ...`` stand with two others in a row of equal height, closely."""
    left, top, width, height = boxes[:, :4].T.astype(np.float64)
    slack = np.maximum(1.0, 0.12 * height)[:, None]
    bottom, gap = top + height, left[None, :] - (left + width)[:, None]
    follows = (gap >= -1) & (gap <= height[:, None])
    follows &= (np.abs(height - height[:, None]) <= slack) & (np.abs(bottom - bottom[:, None]) <= slack)
    middle = follows.any(axis=0) & follows.any(axis=1)
    inside: NDArray[np.bool_] = middle | follows[:, middle].any(axis=1) | follows[middle].any(axis=0)
    return inside


def _is_stroke(
    labels: NDArray[np.int32], part: int, box: NDArray[np.int32], strength: NDArray[np.uint8], least: int
) -> bool:
    """Return whether a part is thin and stands out sharply from what lies two pixels beside it."""
    left, top, width, height = (int(v) for v in box[:4])
    rows, columns = slice(max(0, top - 2), top + height + 2), slice(max(0, left - 2), left + width + 2)
    shape = (labels[rows, columns] == part).astype(np.uint8)
    thickness = (
        2
        * float(cv2.distanceTransform(cv2.copyMakeBorder(shape, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3).max())
        - 1
    )
    if thickness > _THICKEST * height:
        return False
    near = cv2.dilate(shape, np.ones((3, 3), np.uint8))
    beside = (cv2.dilate(shape, np.ones((5, 5), np.uint8)) - near).astype(bool)
    return bool(beside.any() and (strength[rows, columns][beside] <= least - _STEP).mean() >= _SHARP)
