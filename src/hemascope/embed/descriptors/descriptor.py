"""What a descriptor is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One number about a cell.

    Attributes
    ----------
    name
        Unique in the list.
    family
        Group it stands in.
    unit
        ``um``, ``um2``, ``od`` (optical density, decadic), ``count`` or ``1``.
    formula
        How it is computed, in words and signs.
    source
        Where the formula is from; "" where it is plain.
    """

    name: str
    family: str
    unit: str
    formula: str
    source: str = ""
