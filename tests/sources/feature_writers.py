"""Feature files written as other tools write them: same keys, types, shapes and attributes, our own code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STAMP_ATTRIBUTES = {
    "stamp_version": "2.5.0",
    "extractor": "uni-a1b2c3d4",
    "unit": "um",
    "tile_size_um": 256.0,
    "tile_size_px": 224,
    "code_hash": "0a1b2c3d",
    "feat_type": "tile",
}


def write_trident(
    path: Path,
    features: NDArray[Any],
    corners: NDArray[Any] | None,
    *,
    encoder: str | None = "uni_v1",
    side: int | None = 512,
) -> Path:
    """As ``WSI.extract_patch_features``: resizable arrays in chunks of one row, attributes at each."""
    import h5py

    about: dict[str, Mapping[str, object]] = {
        "features": {"name": path.stem, "savetodir": "features_uni_v1", "encoder": encoder or "None"},
        "coords": {
            "patch_size": 256,
            "level0_magnification": 40,
            "target_magnification": 20,
            "overlap": 0,
            "name": path.stem,
            "level0_width": 40_000,
            "level0_height": 30_000,
        }
        | ({"patch_size_level0": side} if side else {}),
    }
    with h5py.File(path, "w") as file:
        for key, values in {"features": features, "coords": corners}.items():
            if values is None:
                continue
            # A row a chunk, growing: an empty vector has no such chunk.
            chunks = (1, *values.shape[1:]) if all(values.shape[1:]) else None
            data = file.create_dataset(
                key, values.shape, values.dtype, maxshape=(None, *values.shape[1:]), chunks=chunks
            )
            data[...] = values
            data.attrs.update(about[key])
    return path


def write_stamp(
    path: Path,
    feats: NDArray[Any],
    coords: NDArray[Any] | None,
    attributes: Mapping[str, object] = STAMP_ATTRIBUTES,
) -> Path:
    """As ``stamp preprocess`` and ``stamp encode``: plain arrays, attributes at the file."""
    import h5py

    with h5py.File(path, "w") as file:
        if coords is not None:
            file["coords"] = coords
        file["feats"] = feats
        file.attrs.update(attributes)
    return path


def write_slideflow(path: Path, bag: Any, centers: NDArray[Any] | None, *, config: bool = True) -> Path:
    """As ``DatasetFeatures.to_torch``: a tensor, an index beside it, settings of the folder."""
    import torch

    torch.save(torch.from_numpy(bag) if isinstance(bag, np.ndarray) else bag, path)
    if centers is not None:
        np.savez(path.with_name(f"{path.stem}.index"), arr_0=centers)
    if config:
        settings = {
            "extractor": {"class": "slideflow.model.extractors.vit.UNIFeatures", "kwargs": {"tile_px": 299}},
            "normalizer": None,
            "num_features": 8,
            "tile_px": 299,
            "tile_um": 302,
        }
        path.with_name("bags_config.json").write_text(json.dumps(settings), "utf-8")
    return path
