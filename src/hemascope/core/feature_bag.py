"""The feature vectors of one image, whoever made them: a row a cell, or a row a tile of a slide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hemascope.core.embedding import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBag:
    """Feature vectors of one image, and what is known of each row.

    Attributes
    ----------
    name
        The image: a field id, the name of a slide.
    embeddings
        Row ids, N x D float32, and what made them.
    columns
        Name of a fact to its value in each row: N values of text, numbers or flags.
    centers
        N x 2 float64 ``(x, y)`` of the middle of each cell or tile, or None where it is not known.
    unit
        Of ``centers``: ``px`` at full resolution, or ``um``.

    Raises
    ------
    ValueError
        If a value is not finite, or a column or the centers have not one entry a row.
    """

    name: str
    embeddings: Embeddings
    columns: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    centers: NDArray[np.float64] | None = None
    unit: str = "px"

    def __post_init__(self) -> None:
        rows = len(self.embeddings.cell_ids)
        if not np.isfinite(self.embeddings.values).all():
            raise ValueError(f"{self.name}: feature vectors must be finite")
        for name, column in self.columns.items():
            if column.shape != (rows,):
                raise ValueError(
                    f"{self.name}: column '{name}' is {column.shape}, not one value for each of {rows} rows"
                )
        if self.centers is not None and self.centers.shape != (rows, 2):
            raise ValueError(f"{self.name}: centers are {self.centers.shape}, not {(rows, 2)}")
        if self.unit not in ("px", "um"):
            raise ValueError(f"{self.name}: centers are in px or um, not '{self.unit}'")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.embeddings.cell_ids)
