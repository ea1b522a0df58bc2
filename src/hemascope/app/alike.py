"""Which fields were taken alike, so that they share a scale that no file states."""

from __future__ import annotations

from hemascope.core.smear import Field

CROPPED = 1.5
"""Crops cut by hand from one camera's fields differ in size, by less than this factor along either side."""


def sizes_alike(one: Field, other: Field, factor: float = 1.0) -> bool:
    """Return whether two fields have the same size, or sides within a factor of each other."""
    pairs = ((one.width, other.width), (one.height, other.height))
    return all(max(pair) <= factor * min(pair) for pair in pairs)
