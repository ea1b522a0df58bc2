"""Files of outlines for tests, in every format, and what is known of painted fields."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import tifffile
from numpy.typing import NDArray
from PIL import Image

from hemascope.core.geometry import Polygon

SQUARE = [[10.0, 10.0], [30.0, 10.0], [30.0, 30.0], [10.0, 30.0], [10.0, 10.0]]
INNER = [[15.0, 15.0], [25.0, 15.0], [25.0, 25.0], [15.0, 25.0], [15.0, 15.0]]


def moved(ring: list[list[float]], dx: float, dy: float = 0.0) -> list[list[float]]:
    return [[x + dx, y + dy] for x, y in ring]


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(
    geometry: dict[str, Any] | None, name: str | None = "RBC", kind: str = "detection", **more: Any
) -> dict[str, Any]:
    properties: dict[str, Any] = {"objectType": kind}
    if name is not None:
        properties["classification"] = {"name": name, "color": [200, 0, 0]}
    return {"type": "Feature", "id": "a", "geometry": geometry, "properties": properties, **more}


def collection(*features: dict[str, Any]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def coco(*annotations: dict[str, Any], images: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "images": images or [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
        "categories": [{"id": 1, "name": "RBC"}, {"id": 2, "name": "Leukocyte"}, {"id": 3, "name": "nucleus"}],
        "annotations": [{"id": i, "image_id": 1, "category_id": 1, **a} for i, a in enumerate(annotations)],
    }


def runs_of(mask: NDArray[np.bool_]) -> list[int]:
    """Return the run lengths of a mask, down its columns, beginning outside."""
    flat = np.concatenate(([False], mask.T.ravel()))
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) if flat.size else np.array([], int)
    return np.diff(np.concatenate(([0], edges, [mask.size]))).tolist()


def packed(runs: list[int]) -> str:
    """Return runs as the COCO tools compress them (``rleToString``)."""
    text = ""
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != -1 if bits & 0x10 else value != 0
            text += chr(48 + (bits | 0x20 if more else bits))
    return text


def tiff_bytes(labels: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, labels, **options)
    return buffer.getvalue()


def png_bytes(labels: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, format="PNG")
    return buffer.getvalue()


def painted(outline: Polygon, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pixel centers of an H x W image lie inside an outline."""
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    inside = shapely.contains_xy(shapely.Polygon(outline.points.astype(float)), xs.ravel() + 0.5, ys.ravel() + 0.5)
    return np.asarray(inside).reshape(shape)


def write_json(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def write_image(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), 220, np.uint8)).save(path)
    return path
