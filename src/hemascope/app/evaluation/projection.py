"""Vectors of patients on a plane."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import MissingExtraError

Projection = Literal["auto", "umap", "components"]
LEAST_FOR_UMAP = 15
"""Patients: the neighbors that UMAP looks at."""


def place_on_plane(
    vectors: NDArray[np.float32], how: Projection = "auto", seed: int = 0
) -> tuple[NDArray[np.float64], str]:
    """Return N x 2 places, and what put them there: ``UMAP`` or ``principal components``.

    Parameters
    ----------
    vectors
        N x E, finite; standardized here by column.
    how
        ``auto`` takes UMAP where it is installed and there are at least 15 patients, else principal components.
    seed
        Of UMAP.

    Raises
    ------
    MissingExtraError
        If ``umap`` is asked for and not installed.
    ValueError
        If there are fewer than 3 vectors.
    """
    if len(vectors) < 3:
        raise ValueError(f"{len(vectors)} vectors span no plane; 3 are needed")
    spread = vectors.std(axis=0)
    scaled = (vectors - vectors.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if how == "components" or (how == "auto" and len(vectors) < LEAST_FOR_UMAP):
        return _components(scaled), "principal components"
    try:
        import umap
    except ImportError as error:
        if how == "umap":
            raise MissingExtraError("a map of patients by UMAP", "umap") from error
        return _components(scaled), "principal components"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # umap warns that a seed costs it its threads
        neighbors = min(15, len(vectors) - 1)
        placed = umap.UMAP(n_neighbors=neighbors, random_state=seed, n_jobs=1).fit_transform(scaled)
    return np.asarray(placed, np.float64), "UMAP"


def _components(scaled: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return scores on the two directions of greatest variance; the largest weight of each is positive."""
    _, _, directions = np.linalg.svd(scaled.astype(np.float64), full_matrices=False)
    plane = np.zeros((2, scaled.shape[1]))
    plane[: min(2, len(directions))] = directions[:2]
    signs = np.sign(plane[np.arange(2), np.abs(plane).argmax(axis=1)])
    places: NDArray[np.float64] = scaled @ (plane * np.where(signs == 0, 1, signs)[:, None]).T
    return places
