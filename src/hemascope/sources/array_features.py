"""Vectors of cells in a plain numpy file: one row a cell, or feature maps of cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import InputError


def read_array(path: Path) -> NDArray[np.float32]:
    """Return the vectors in a ``.npy`` file.

    Parameters
    ----------
    path
        Holds N x D numbers, or N x D x H x W maps, of which the mean over the map is taken (as SCEMILA's features are
        512 maps a cell).

    Returns
    -------
    numpy.ndarray
        N x D float32, finite.

    Raises
    ------
    InputError
        If it cannot be read, or holds something else or numbers that are not finite.
    """
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: no plain numpy array ({error}); write it again with numpy.save") from error
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "iuf" or stored.ndim not in (2, 4):
        told = f"{stored.shape} of {stored.dtype}" if isinstance(stored, np.ndarray) else "several arrays"
        raise InputError(f"{path}: holds {told}, not one row of numbers a cell, nor maps of cells; write it again")
    with np.errstate(over="ignore"):  # what is too large for float32 is reported below
        values = stored.astype(np.float32) if stored.ndim == 2 else stored.mean(axis=(2, 3), dtype=np.float64)
        plain = np.ascontiguousarray(values, np.float32)
    bad = np.asarray(~np.isfinite(plain).all(axis=1))
    if bad.any():
        raise InputError(
            f"{path}: {bad.sum()} of {len(bad)} rows hold NaN or infinity, the first of them row {bad.argmax()}; "
            "compute them again"
        )
    return plain
