"""Bags of Slideflow: ``SLIDE.pt``, ``SLIDE.index.npz`` and, for the folder, ``bags_config.json``.

The tensor is N x D float32; the index holds ``arr_0``, the centers of the N tiles in pixels at full resolution (or is a
``.npy`` file, where Slideflow was told to write no ZIP archives).
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import InputError
from hemascope.sources.raw_features import RawFeatures
from hemascope.sources.torch_tensor import read_tensor

_CONFIG = "bags_config.json"
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, TypeError, RuntimeError, MemoryError, NotImplementedError,
               struct.error, zipfile.BadZipFile, zlib.error)  # fmt: skip


def read_slideflow(path: Path) -> RawFeatures:
    """Return the features in a bag of Slideflow.

    Raises
    ------
    InputError
        If it or its index cannot be read.
    """
    values = read_tensor(path)
    config, notes = _config(path.with_name(_CONFIG))
    centers = _centers(path)
    if centers is None:
        notes = (*notes, f"no {path.stem}.index.npz lies beside it: the centers of its tiles are not known")
    extractor = config.get("extractor")
    name = extractor.get("class", "") if isinstance(extractor, dict) else extractor
    return RawFeatures(
        "slideflow",
        values,
        centers,
        encoder=name if isinstance(name, str) else "",
        tile_px=_size(config.get("tile_px")),
        tile_um=_size(config.get("tile_um")),
        notes=notes,
    )


def _centers(path: Path) -> NDArray[Any] | None:
    for index in (path.with_name(f"{path.stem}.index.npz"), path.with_name(f"{path.stem}.index.npy")):
        if not index.is_file():
            continue
        try:
            with index.open("rb") as file:
                loaded = np.load(file, allow_pickle=False)
                return np.asarray(loaded if isinstance(loaded, np.ndarray) else loaded["arr_0"])
        except _UNREADABLE as error:
            raise InputError(
                f"{index}: holds no array of centers ({' '.join(str(error).split())[:200]}); "
                "export the bags again with Slideflow"
            ) from error
    return None


def _config(path: Path) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return what the folder says of its bags, and a note where that cannot be read."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, (f"no {path.name} lies beside it: what made the features is not known",)
    except (OSError, ValueError):
        return {}, (f"{path.name} cannot be read: what made the features is not known",)
    return (config, ()) if isinstance(config, dict) else ({}, (f"{path.name} holds no settings",))


def _size(value: object) -> float | None:
    """Return a positive number; Slideflow writes a magnification such as '20x' in the place of um too."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
