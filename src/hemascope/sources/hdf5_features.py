"""HDF5 files of TRIDENT (and CLAM, whose keys it kept) and of STAMP.

TRIDENT: ``features`` N x D with attributes ``name`` and ``encoder``; ``coords`` N x 2, the upper left corners of tiles
in pixels at full resolution, with ``patch_size`` and ``patch_size_level0``. Vectors of slides have shape D.

STAMP: ``feats`` N x D float16; ``coords`` N x 2, upper left corners in um; attributes of the file: ``extractor``,
``tile_size_um`` (before 2.1 ``tile_size`` with ``unit`` um), ``tile_size_px``, ``feat_type``. Version 1 kept pixels of
224 to a tile of 256 um. Vectors of slides and patients have ``encoder`` and no coordinates.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import InputError, MissingExtraError
from hemascope.sources.raw_features import RawFeatures

if TYPE_CHECKING:
    import h5py

MAX_VALUES = 1 << 31
"""Numbers a file may hold: 8 GB as float32. A damaged header can ask for any amount."""

_FIRST_STAMP_UM, _FIRST_STAMP_PX = 256.0, 224.0
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, MemoryError, UnicodeError)


def read_hdf5(path: Path) -> RawFeatures:
    """Return the features in an HDF5 file of TRIDENT or STAMP.

    Raises
    ------
    InputError
        If it cannot be read, or lacks a key.
    MissingExtraError
        If h5py is not installed.
    """
    if importlib.util.find_spec("h5py") is None:
        raise MissingExtraError(f"reading {path.name}", "scverse")
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "feats" in file:
                return _stamp(file)
            if "features" in file:
                return _trident(file)
            held = ", ".join(sorted(file)) or "nothing"
            raise InputError(
                f"{path}: holds {held}, but neither 'features' (TRIDENT) nor 'feats' (STAMP); name a feature file, not "
                "one of coordinates"
            )
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from error.__cause__
    except _UNREADABLE as error:
        raise InputError(
            f"{path}: cannot be read as HDF5 ({' '.join(str(error).split())[:200]}); copy or extract it again"
        ) from error


def _trident(file: h5py.File) -> RawFeatures:
    if "coords" not in file:
        raise InputError("lacks the key 'coords' beside 'features'; extract the features again with TRIDENT")
    features, corners = _array(file, "features"), _array(file, "coords")
    about = file["coords"].attrs
    side = _number(about, "patch_size_level0")
    notes = () if side else ("the file does not tell the size of tiles: their centers are not known",)
    return RawFeatures(
        "trident",
        features,
        corners + side / 2 if side else None,
        encoder=_text(file["features"].attrs, "encoder"),
        tile_px=_number(about, "patch_size"),
        notes=notes if features.ndim > 1 else (),
    )


def _stamp(file: h5py.File) -> RawFeatures:
    features, about = _array(file, "feats"), file.attrs
    level = _text(about, "feat_type") or "tile"
    encoder = _text(about, "extractor") or _text(about, "encoder")
    if level != "tile":
        return RawFeatures("stamp", features, level=level, encoder=encoder)
    if "coords" not in file:
        raise InputError("lacks the key 'coords' beside 'feats'; extract the features again with STAMP")
    corners = _array(file, "coords")
    side = _number(about, "tile_size_um")
    if side is None and _text(about, "unit") == "um":
        side = _number(about, "tile_size")
    notes: tuple[str, ...] = ()
    if side is None and _is_first_stamp(about, corners):
        side, corners = _FIRST_STAMP_UM, corners * (_FIRST_STAMP_UM / _FIRST_STAMP_PX)
        notes = ("coordinates of STAMP 1, taken as 224 pixels to 256 um",)
    if side is None:
        raise InputError(
            "does not tell the size of its tiles ('tile_size_um'), so its coordinates have no unit; "
            "extract the features again with STAMP"
        )
    tile_px = _FIRST_STAMP_PX if notes else _number(about, "tile_size_px")
    return RawFeatures("stamp", features, corners + side / 2, "um", level, encoder, tile_px, side, notes)


def _is_first_stamp(about: h5py.AttributeManager, corners: NDArray[Any]) -> bool:
    """Return whether tiles are 224 apart, as version 1 of STAMP wrote them."""
    side = _number(about, "tile_size")
    if side is not None:
        return round(side) == _FIRST_STAMP_PX
    flat = corners.reshape(-1, corners.shape[-1]) if corners.ndim else corners
    steps = [np.diff(np.unique(axis)) for axis in flat.T]
    steps = [step for step in steps if len(step)]
    return bool(steps) and round(float(min(step.min() for step in steps))) == _FIRST_STAMP_PX


def _array(file: h5py.File, key: str) -> NDArray[Any]:
    """Return a data set of numbers in a file; raise ``InputError`` for anything else."""
    import h5py

    if not isinstance(file.get(key, getlink=True), h5py.HardLink) or not isinstance(file[key], h5py.Dataset):
        raise InputError(f"its '{key}' is no array of its own; extract the features again")
    data = file[key]
    if data.size is None or data.size > MAX_VALUES or data.dtype.kind not in "iuf":
        raise InputError(f"its '{key}' ({data.shape} of {data.dtype}) is no array of numbers that can be held")
    return np.asarray(data[()])


def _number(about: h5py.AttributeManager, name: str) -> float | None:
    """Return a positive number among attributes; None where there is none (TRIDENT writes 'None' too)."""
    value = about.get(name)
    if isinstance(value, int | float | np.number) and np.isfinite(float(value)) and value > 0:
        return float(value)
    return None


def _text(about: h5py.AttributeManager, name: str) -> str:
    value = about.get(name)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text if isinstance(text, str) and text != "None" else ""
