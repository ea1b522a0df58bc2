"""Lengths and the scale that joins them: micrometers and pixels are different types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from hemascope.core.errors import ScaleError

Microns = NewType("Microns", float)
"""A length in micrometers."""

Pixels = NewType("Pixels", float)
"""A length in pixels of a field at full resolution."""

MIN_MPP = 0.01
MAX_MPP = 2.0
"""Scales outside this range are no light micrograph of single blood cells: screen densities
(96 dpi is 265 um a pixel) and unset tags fall outside it."""

RED_CELL_DIAMETER = Microns(7.5)
"""Mean diameter of a normal red cell on a dried smear (about 7 to 8 um)."""

WHITE_CELL_DIAMETER = Microns(13.5)
"""Median diameter of white cells on dried smears, all types together: 13.3 to 16.2 um over the boxes of bccd, PBC, aybu
and chula_wbc at the scales their red cells give. Neutrophils and monocytes are larger, lymphocytes smaller."""


class ScaleSource(StrEnum):
    """Where a scale came from; only an estimated one forbids statements on absolute size."""

    METADATA = "metadata"
    STATED = "stated"
    ESTIMATED = "estimated"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Scale:
    """Micrometers per pixel, and how it is known.

    Attributes
    ----------
    mpp
        Micrometers per pixel, the same along both axes.
    source
        ``metadata`` (read from the file), ``stated`` (by the user), ``estimated`` (from the median
        red cell, or white cell) or ``assumed`` (nothing to go by: too few red cells).

    Raises
    ------
    ScaleError
        If ``mpp`` lies outside ``MIN_MPP`` to ``MAX_MPP``.
    """

    mpp: float
    source: ScaleSource

    def __post_init__(self) -> None:
        if not MIN_MPP <= self.mpp <= MAX_MPP:
            raise ScaleError(
                f"a scale of {self.mpp:g} um per pixel is outside {MIN_MPP:g} to {MAX_MPP:g}; "
                "give the scale of the field images with --mpp (0.1 is usual at 100x)"
            )

    @property
    def is_absolute(self) -> bool:
        """Whether absolute sizes in um may be stated from this scale."""
        return self.source in (ScaleSource.METADATA, ScaleSource.STATED)

    def microns(self, pixels: float) -> Microns:
        """Return the length in um of ``pixels``."""
        return Microns(pixels * self.mpp)

    def pixels(self, microns: float) -> Pixels:
        """Return the length in pixels of ``microns``."""
        return Pixels(microns / self.mpp)
