"""What a classifier of embeddings is fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hemascope.core.errors import DataSetError


@dataclass(frozen=True, slots=True, eq=False)
class LabeledEmbeddings:
    """Embeddings, or any other numbers of cells, with the true class of each.

    Attributes
    ----------
    values
        N x D float32.
    labels
        N class numbers.
    groups
        N labels of what must not be spread over splits: near-duplicates, a slide, a patient.

    Raises
    ------
    ValueError
        If there is not one label and one group a row.
    """

    values: NDArray[np.float32]
    labels: NDArray[np.intp]
    groups: NDArray[np.str_]

    def __post_init__(self) -> None:
        rows = len(self.values)
        if self.values.ndim != 2 or self.labels.shape != (rows,) or self.groups.shape != (rows,):
            raise ValueError(
                f"{self.values.shape} embeddings need a label and a group a row, not {self.labels.shape} and "
                f"{self.groups.shape}"
            )


def checked_examples(
    embeddings: ArrayLike, labels: ArrayLike, classes: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return embeddings as float64 and labels as class numbers, fit to be learned from.

    Parameters
    ----------
    embeddings
        N x D.
    labels
        N class numbers, 0 to K - 1.
    classes
        K names, at least two, each different.

    Raises
    ------
    ValueError
        If the shapes disagree, a value is not finite, a label is no class, or two classes have one name.
    DataSetError
        If a class has no example: what was never seen cannot be told.
    """
    values, truth = np.asarray(embeddings, np.float64), np.asarray(labels, np.intp)
    if values.ndim != 2 or truth.shape != (len(values),) or not values.shape[1]:
        raise ValueError(f"need N x D embeddings and N labels, not {values.shape} and {truth.shape}")
    if len(classes) < 2 or len(set(classes)) != len(classes):
        raise ValueError(f"need at least two classes of different names, not {', '.join(classes) or 'none'}")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise ValueError(f"row {row} of the embeddings holds a number that is not finite")
    if ((truth < 0) | (truth >= len(classes))).any():
        raise ValueError(f"a label is not between 0 and {len(classes) - 1}")
    missing = [name for number, name in enumerate(classes) if not (truth == number).any()]
    if missing:
        raise DataSetError(f"no example of {', '.join(missing)} to learn from; add some, or leave the class out")
    return values, truth


def checked_queries(embeddings: ArrayLike, dimension: int) -> NDArray[np.float64]:
    """Return embeddings to be answered as float64 N x D.

    Raises
    ------
    ValueError
        If they are not N x ``dimension``, or a value is not finite.
    """
    values = np.asarray(embeddings, np.float64)
    if values.ndim != 2 or values.shape[1] != dimension:
        raise ValueError(f"this classifier takes N x {dimension} embeddings, not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("an embedding holds a number that is not finite")
    return values
