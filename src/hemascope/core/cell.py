"""A found cell, its crop, and its measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.geometry import Polygon
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import Microns


@dataclass(frozen=True, slots=True)
class Nucleus:
    """The nucleus of a nucleated cell.

    Attributes
    ----------
    parts
        Outlines of its lobes in full-resolution pixels of the field, the largest first; at least one.

    Raises
    ------
    ValueError
        If there is no part.
    """

    parts: tuple[Polygon, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("a nucleus needs at least one part")

    @property
    def outline(self) -> Polygon:
        """The largest part."""
        return self.parts[0]

    @property
    def area(self) -> float:
        """Area of all parts in square pixels of the field."""
        return sum(part.area for part in self.parts)

    @property
    def lobes(self) -> int:
        """Number of parts."""
        return len(self.parts)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell found in a field.

    Attributes
    ----------
    id
        Unique within a run: ``<field id>#<number>``.
    field_id
        The field it was found in.
    kind
        White cell, red cell or platelet.
    outline
        The whole cell, in full-resolution pixels of the field.
    score
        The finder's confidence, 0 to 1; not a calibrated probability.
    nucleus
        Of a nucleated cell, as the finder outlined it; None where it did not, and for other kinds.
    touches_border
        Whether the field's edge cuts the cell: it counts, but its size does not.
    """

    id: str
    field_id: str
    kind: CellKind
    outline: Polygon
    score: float
    nucleus: Nucleus | None = None
    touches_border: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CellCrop:
    """A square view centered on a cell, at a fixed physical width.

    Attributes
    ----------
    cell_id
        The cell in its center.
    pixels
        S x S x 3 uint8 RGB; beyond the field's edge the border is mirrored.
    width
        Physical width of the view in um.
    """

    cell_id: str
    pixels: NDArray[np.uint8]
    width: Microns


@dataclass(frozen=True, slots=True)
class Morphometry:
    """Measures of one cell.

    Lengths are um and areas um^2 at the field's scale; whether that scale is absolute or estimated stands
    with the field. Shape measures have no unit.

    Attributes
    ----------
    area_um2, perimeter_um
        Of the whole cell's outline.
    circularity
        4 pi A / P^2, clipped to 1: 1 for a disk.
    eccentricity
        sqrt(1 - b^2 / a^2) of the ellipse with the same second moments: 0 for a disk, below 1.
    nucleus_area_um2, cytoplasm_area_um2
        None where no nucleus was found; the two add up to ``area_um2``.
    nucleus_to_cell_ratio
        Nucleus area / whole-cell area, 0 to 1.
    nucleus_to_cytoplasm_ratio
        Nucleus area / cytoplasm area; None where the cytoplasm's area is zero.
    nucleus_lobes
        Number of separate parts of the nucleus.
    """

    area_um2: float
    perimeter_um: float
    circularity: float
    eccentricity: float
    nucleus_area_um2: float | None = None
    cytoplasm_area_um2: float | None = None
    nucleus_to_cell_ratio: float | None = None
    nucleus_to_cytoplasm_ratio: float | None = None
    nucleus_lobes: int | None = None
