"""Feature files of other tools: TRIDENT's and STAMP's HDF5, Slideflow's tensors with their index.

What each tool writes was read from its source: TRIDENT (``WSI.extract_patch_features``), STAMP 2 (``preprocessing``,
``encoding.encoder``) and Slideflow 3 (``DatasetFeatures.to_torch``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.core.embedding import Embeddings
from hemascope.core.errors import InputError
from hemascope.core.feature_bag import FeatureBag
from hemascope.sources.hdf5_features import read_hdf5
from hemascope.sources.raw_features import RawFeatures
from hemascope.sources.slideflow_bag import read_slideflow

SUFFIXES = (".h5", ".hdf5", ".pt")
"""Endings, in lower case, by which a feature file is known in a folder."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFile:
    """What a feature file holds.

    Attributes
    ----------
    path
        The file.
    tool
        Who wrote it: ``trident``, ``stamp`` or ``slideflow``.
    bag
        Vectors as float32, and the centers of tiles where they can be told: in pixels of the slide at full resolution,
        of STAMP in um.
    level
        What one row stands for: ``tile``, ``slide`` or ``patient``.
    encoder
        What made the vectors, as the file names it; "" where it does not.
    stored
        Type of the numbers in the file: ``float16``.
    tile_px, tile_um
        Side of a tile as the encoder saw it, and on the slide in um; None where the file does not tell.
    notes
        What a reader must know: no positions, an older format.
    """

    path: Path
    tool: str
    bag: FeatureBag
    level: str
    encoder: str
    stored: str
    tile_px: float | None = None
    tile_um: float | None = None
    notes: tuple[str, ...] = ()


def find_feature_files(arguments: Sequence[str | Path]) -> list[Path]:
    """Return the feature files named, and those in the folders named through all their subfolders, each once.

    Raises
    ------
    InputError
        If nothing is there, or a folder holds no such file.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if _is_feature_file(p, path))
            if not inside:
                raise InputError(
                    f"no feature file in the folder {path}; it is searched for {', '.join(SUFFIXES)} files"
                )
            found |= dict.fromkeys(inside)
        elif path.exists():
            found[path] = None
        else:
            raise InputError(f"{path} does not exist; check the spelling and the current folder")
    return list(found)


def read_features(path: Path, name: str | None = None) -> FeatureFile:
    """Return what a feature file of TRIDENT, STAMP or Slideflow holds.

    Parameters
    ----------
    path
        An ``.h5`` file, or a ``.pt`` file with ``NAME.index.npz`` beside it.
    name
        What to call the slide; the file's name without its ending where None.

    Raises
    ------
    InputError
        If it cannot be read, lacks a key, or holds arrays of the wrong shape or type or numbers that are not finite.
    MissingExtraError
        If h5py is needed and not installed.
    """
    if path.suffix.lower() == ".pt":
        raw = read_slideflow(path)
    elif path.suffix.lower() in SUFFIXES:
        raw = read_hdf5(path)
    else:
        raise InputError(f"{path}: feature files end in {', '.join(SUFFIXES)}; name such a file, or a folder of them")
    try:
        bag, level = _bag(raw, path.stem if name is None else name)
    except ValueError as error:
        raise InputError(f"{path}: {error}; extract the features again with {raw.tool}") from error
    return FeatureFile(
        path, raw.tool, bag, level, raw.encoder, raw.values.dtype.name, raw.tile_px, raw.tile_um, raw.notes
    )


def slide_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each file, unique: its stem, or as many folders before it as it takes."""
    parts = [path.with_suffix("").parts for path in paths]
    lengths = [1] * len(parts)
    while True:
        names = ["/".join(part[-n:]).replace("//", "/") for part, n in zip(parts, lengths, strict=True)]
        clashes = [i for i, name in enumerate(names) if names.count(name) > 1 and lengths[i] < len(parts[i])]
        if not clashes:
            return names
        for i in clashes:
            lengths[i] += 1


def _is_feature_file(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in SUFFIXES and path.is_file()


def _bag(raw: RawFeatures, name: str) -> tuple[FeatureBag, str]:
    """Return checked features and what a row stands for; raise ``ValueError`` saying what is wrong with them."""
    if raw.values.dtype.kind != "f":
        raise ValueError(f"its features are {raw.values.dtype.name}, not floating-point numbers")
    values, level, centers = raw.values, raw.level, raw.centers
    if values.ndim == 1:  # one vector of a whole slide; without any number, a slide without tiles
        values, centers = (values[np.newaxis] if values.size else np.empty((0, 0))), None
        level = "slide" if level == "tile" and values.size else level
    elif values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2:
        raise ValueError(f"its features have shape {raw.values.shape}, not (N, D), (1, N, D) or (D,)")
    with np.errstate(over="ignore"):  # what is too large for float32 is reported below
        plain = np.ascontiguousarray(values.astype(np.float32))
    bad = np.asarray(~np.isfinite(plain).all(axis=1))
    if bad.any():
        raise ValueError(f"{bad.sum()} of {len(bad)} rows hold NaN or infinity, the first of them row {bad.argmax()}")
    ids = tuple(f"{name}#{number}" for number in range(1, len(plain) + 1))
    columns: Mapping[str, NDArray[np.generic]] = {"field_id": np.full(len(plain), name)}
    embeddings = Embeddings(ids, plain, raw.encoder)
    return FeatureBag(name, embeddings, columns, _checked_centers(centers, len(plain)), raw.unit), level


def _checked_centers(centers: NDArray[np.generic] | None, rows: int) -> NDArray[np.float64] | None:
    if centers is None:
        return None
    if centers.dtype.kind not in "iuf":
        raise ValueError(f"its coordinates are {centers.dtype.name}, not numbers")
    if centers.ndim == 3 and centers.shape[0] == 1:
        centers = centers[0]
    if centers.shape != (rows, 2):
        raise ValueError(f"its coordinates have shape {centers.shape}, its features {rows} rows: they need {(rows, 2)}")
    plain = centers.astype(np.float64)
    if not np.isfinite(plain).all():
        raise ValueError("its coordinates hold NaN or infinity")
    return plain
