"""A field of a smear, and what quality control says of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hemascope.core.units import Scale


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One image of a smear, decoded.

    Attributes
    ----------
    id
        Unique within a run; by default the path relative to what the user named.
    pixels
        H x W x 3 uint8 RGB, upright (EXIF orientation applied), read-only.
    scale
        Micrometers per pixel, or None until it is known.
    path
        The file it was read from, or None for a generated one.
    sha256
        Hexadecimal digest of that file's bytes, or of the pixels where there is no file.
    notes
        What was done while reading, in words: "16-bit to 8-bit", "alpha removed".

    Raises
    ------
    ValueError
        If ``pixels`` is not H x W x 3 uint8.
    """

    id: str
    pixels: NDArray[np.uint8]
    scale: Scale | None
    path: Path | None = None
    sha256: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(f"a field is H x W x 3 uint8, not {self.pixels.shape} {self.pixels.dtype}")
        self.pixels.setflags(write=False)

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    def with_scale(self, scale: Scale) -> Self:
        """Return the same field at ``scale``."""
        return replace(self, scale=scale)


class QcStatus(StrEnum):
    """What to think of a field. Nothing is dropped: a failed field is shown and counted apart."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class QcReason:
    """One finding of quality control.

    Attributes
    ----------
    code
        Stable snake_case name, such as ``out_of_focus``.
    status
        ``warn`` or ``fail``.
    message
        A sentence for a reader, with the measured value and the threshold.
    """

    code: str
    status: QcStatus
    message: str


@dataclass(frozen=True, slots=True)
class QcVerdict:
    """The findings on one field and the numbers behind them.

    Attributes
    ----------
    reasons
        Findings, empty when the field passes.
    measures
        Name of a measure (with its unit as suffix) to its value.
    """

    reasons: tuple[QcReason, ...] = ()
    measures: dict[str, float] = field(default_factory=dict)

    @property
    def status(self) -> QcStatus:
        """The worst status among the reasons."""
        for status in (QcStatus.FAIL, QcStatus.WARN):
            if any(reason.status is status for reason in self.reasons):
                return status
        return QcStatus.PASS
