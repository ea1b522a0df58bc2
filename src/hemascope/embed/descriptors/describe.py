"""A crop to its descriptors, in the order of the list."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from hemascope.embed.descriptors import color, granules, nucleus, profile, size_and_shape, texture
from hemascope.embed.descriptors.descriptor import Descriptor
from hemascope.embed.descriptors.regions import CellView, view_cell

VERSION = "1"
"""Changes with every change of the list, of a formula or of the regions."""

FAMILIES = (size_and_shape, nucleus, color, texture, granules, profile)

DESCRIPTORS: tuple[Descriptor, ...] = tuple(row for family in FAMILIES for row in family.DESCRIPTORS)
"""The list, in the order of a vector's entries."""


def list_digest() -> str:
    """Return the sha256 of the list's version and rows."""
    rows = {"version": VERSION, "descriptors": [asdict(row) for row in DESCRIPTORS]}
    return hashlib.sha256(json.dumps(rows, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def describe(pixels: NDArray[np.uint8], mpp: float) -> NDArray[np.float32]:
    """Return the descriptors of the cell in the center of a crop, finite, in the order of ``DESCRIPTORS``.

    Parameters
    ----------
    pixels
        H x W x 3 uint8 RGB.
    mpp
        Um per pixel, positive.
    """
    return measure_view(view_cell(pixels, mpp))


def measure_view(view: CellView) -> NDArray[np.float32]:
    """Return the descriptors of a cell whose regions are known."""
    values: dict[str, float] = {}
    for family in FAMILIES:
        values |= family.measure(view)
    return np.nan_to_num(np.array([values[row.name] for row in DESCRIPTORS], np.float64)).astype(np.float32)
