"""Samples of a denoiser of images as pictures, and as crops for an encoder: real and generated cells alike."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.units import Microns

BACKGROUND = 255
"""Gray level of free background, and of what lies outside the mask."""


def as_pictures(samples: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return N x S x S x 3 pictures of N x 3 x S x S samples in -1..1, free background outside the 3 x S x S mask."""
    shown = np.where(mask > 0, samples, np.float32(1))
    levels = np.clip(np.rint((shown + 1) * np.float32(BACKGROUND / 2)), 0, BACKGROUND)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1).astype(np.uint8))


def encoder_crops(
    pictures: NDArray[np.uint8], width: float, side: int, encoder_width: float, names: Sequence[str] | None = None
) -> list[CellCrop]:
    """Return crops for an encoder: each picture at its scale, in the middle of free background or cut to size.

    Parameters
    ----------
    pictures
        N x S x S x 3 uint8.
    width
        Of a picture in um.
    side, encoder_width
        Of the crops in pixels and um.
    names
        N ids of the cells; None for their numbers.
    """
    placed = max(round(side * width / encoder_width), 1)
    method = cv2.INTER_AREA if placed < pictures.shape[1] else cv2.INTER_CUBIC
    crops = []
    for number, picture in enumerate(pictures):
        scaled = np.asarray(cv2.resize(picture, (placed, placed), interpolation=method), np.uint8)
        name = names[number] if names is not None else str(number)
        crops.append(CellCrop(name, _framed(scaled, side), Microns(encoder_width)))
    return crops


def _framed(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the middle of a square picture, or the picture in the middle of background, as side x side x 3."""
    size = len(picture)
    if size >= side:
        first = (size - side) // 2
        return np.ascontiguousarray(picture[first : first + side, first : first + side])
    frame = np.full((side, side, 3), BACKGROUND, np.uint8)
    first = (side - size) // 2
    frame[first : first + size, first : first + size] = picture
    return frame
