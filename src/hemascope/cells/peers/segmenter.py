"""Any model that outlines objects in an image, as a `Segmenter`: scaled, padded, given kinds and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.cells.outlines import cells_from_outlines, region_outlines
from hemascope.cells.peers.kinds import kinds_of
from hemascope.core.cell import Cell
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field

LEAST_SIDE = 64
"""Pixels: smaller images are padded with their own edge, since none of the peers takes one of a few pixels."""

FIXED_SCORE = 0.5
"""Of a model that has no confidence."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundObject:
    """One object in an image.

    Attributes
    ----------
    outline
        N x 2, in pixels of the image, the origin at the corner of the first pixel.
    score
        The model's confidence, 0 to 1.
    """

    outline: NDArray[np.floating]
    score: float


class ObjectModel(Protocol):
    """What a peer must do."""

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        ...

    @property
    def mpp(self) -> float:
        """Um per pixel of the images it takes."""
        ...

    def outline(self, image: NDArray[np.uint8]) -> Sequence[FoundObject]:
        """Return the objects in an image H x W x 3 uint8 RGB, each side at least ``LEAST_SIDE``."""
        ...


class PeerSegmenter:
    """Finds cells with a model that knows outlines but no kinds; a ``Segmenter``.

    Parameters
    ----------
    model
        The peer's, loaded.
    """

    def __init__(self, model: ObjectModel) -> None:
        self._model = model

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._model.identity

    def find(self, field: Field) -> list[Cell]:
        """Return every cell of a field whose scale is known.

        Raises
        ------
        ValueError
            If the scale of the field is not known.
        """
        if field.scale is None:
            raise ValueError(f"{field.id}: finding cells needs the scale of the field")
        image, factor = _at_scale(field.pixels, field.scale.mpp / self._model.mpp)
        found = self._model.outline(_padded(image))
        outlines = [item.outline / factor for item in found]
        inside = [i for i, outline in enumerate(outlines) if _reaches_in(outline, field)]
        kept = [outlines[i] for i in inside]
        return cells_from_outlines(field, kept, kinds_of(field, kept), [found[i].score for i in inside])


def objects_of_labels(labels: NDArray[np.integer], scores: dict[int, float] | None = None) -> list[FoundObject]:
    """Return the objects of a label image H x W: 0 is none; of one in several pieces the largest counts."""
    numbers, rows, columns = _extents(labels)
    found = []
    for number, ys, xs in zip(numbers, rows, columns, strict=True):
        window = (labels[ys, xs] == number).astype(np.uint8)
        parts = region_outlines(np.pad(window, 1))
        if parts:
            largest = max(parts, key=cv2.contourArea)
            origin = np.array((xs.start - 1, ys.start - 1), np.float32)
            found.append(FoundObject(largest + origin, (scores or {}).get(int(number), FIXED_SCORE)))
    return found


def _extents(labels: NDArray[np.integer]) -> tuple[NDArray[np.integer], list[slice], list[slice]]:
    """Return every number but 0 in ascending order, with the rows and the columns it spans."""
    ys, xs = np.nonzero(labels)
    numbers, index = np.unique(labels[ys, xs], return_inverse=True)
    spans = []
    for places in (ys, xs):
        low, high = np.full(len(numbers), labels.size), np.zeros(len(numbers), np.int64)
        np.minimum.at(low, index, places)
        np.maximum.at(high, index, places)
        spans.append([slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True)])
    return numbers, spans[0], spans[1]


def _at_scale(pixels: NDArray[np.uint8], factor: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return an image resized by ``factor`` to whole pixels, and the exact factors along x and y."""
    height, width = pixels.shape[:2]
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)
    return resized, np.array((size[0] / width, size[1] / height))


def _padded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    below, right = (max(LEAST_SIDE - side, 0) for side in image.shape[:2])
    return np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge") if below or right else image


def _reaches_in(outline: NDArray[np.floating], field: Field) -> bool:
    x0, y0 = outline.min(axis=0)
    return bool(len(outline) >= 3 and x0 < field.width and y0 < field.height)
