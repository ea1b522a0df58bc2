"""Images whose cells are to be embedded: what is known of each, and how its cells are cut when that is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.report import FailedInput

ENCODED_AT_ONCE = 64
"""Crops held together: a field of a slide has tens of thousands of cells."""


@dataclass(frozen=True, slots=True, eq=False)
class Cropped:
    """The crops of one image.

    Attributes
    ----------
    crops
        One a cell; asked for once, so they may be cut as they are taken.
    columns
        Name of a fact to its value for each cell.
    """

    crops: Iterable[CellCrop]
    columns: Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True, eq=False)
class CellImage:
    """One image whose cells are to be embedded.

    Attributes
    ----------
    name
        Id of the field, or name of the image in its set; unique in a run.
    sha256
        Digest of the bytes of its file.
    step
        Digest of how crops are made of it.
    facts
        Name to what holds for every cell of it.
    crop
        Cuts its cells; raises ``InputError`` where the file cannot be used.
    numbered
        Whether its cells have numbers (column ``number``), rather than being the one cell of the image.
    """

    name: str
    sha256: str
    step: str
    facts: Mapping[str, str | float | None]
    crop: Callable[[], Cropped]
    numbered: bool = True


class CellImages(Protocol):
    """Where images come from."""

    @property
    def cut(self) -> Mapping[str, object]:
        """How crops are made, as plain values, for the record."""
        ...

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def groups(self) -> Iterator[Sequence[CellImage | FailedInput]]:
        """Yield the images in order, together where their crops are best encoded together."""
        ...
