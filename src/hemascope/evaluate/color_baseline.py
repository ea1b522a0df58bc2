"""What color alone tells: the baseline that every accuracy on stained cells must stand beside."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def color_features(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return nine color numbers of an image: median R, G, B of its darkest, middle and brightest third of pixels.

    Parameters
    ----------
    pixels
        H x W x 3 uint8 with at least three pixels. Where they lie does not matter: the numbers know no shape.

    Raises
    ------
    ValueError
        If there are fewer than three pixels.
    """
    rows = pixels.reshape(-1, 3)
    if len(rows) < 3:
        raise ValueError(f"an image of {len(rows)} pixels has no thirds")
    order = np.argsort(rows.sum(axis=1, dtype=np.int64), kind="stable")
    return np.concatenate([np.median(rows[part], axis=0) for part in np.array_split(order, 3)])


def nearest_neighbor(known: ArrayLike, labels: ArrayLike, asked: ArrayLike) -> NDArray[np.intp]:
    """Return the label of the nearest known row for each row asked about, features scaled to unit deviation.

    Parameters
    ----------
    known, asked
        N x D and M x D features.
    labels
        N class numbers.

    Raises
    ------
    ValueError
        If there are no known rows or not as many labels.
    """
    from scipy.spatial import KDTree

    rows = np.asarray(known, np.float64)
    names = np.asarray(labels, np.intp)
    if not len(rows) or len(rows) != len(names):
        raise ValueError(f"{len(rows)} known rows need as many labels, at least one, not {len(names)}")
    scale = np.maximum(rows.std(axis=0), 1e-9)
    _, nearest = KDTree(rows / scale).query(np.asarray(asked, np.float64) / scale)
    found: NDArray[np.intp] = names[nearest]
    return found
