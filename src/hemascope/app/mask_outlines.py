"""The use case `data outlines`: masks of a public set to images, outlines and a split, as a laboratory has them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hemascope.cells.outlines import region_outlines
from hemascope.core.errors import DataSetError, OutputError
from hemascope.core.geometry import Polygon
from hemascope.data.records import FieldRecord
from hemascope.evaluate.segmentation import CELL_LEVEL, NUCLEUS_LEVEL, fill
from hemascope.export.rings import ring_of

LEAST_PIXELS = 20
"""Smaller regions of a mask are specks."""


@dataclass(frozen=True, slots=True)
class MaskedCell:
    """One white cell of a mask, and the parts of its nucleus."""

    outline: Polygon
    nucleus: tuple[Polygon, ...]


def write_outlines(records: Iterable[FieldRecord], out: Path) -> int:
    """Write ``images``, ``outlines`` (one QuPath GeoJSON an image) and ``split.csv``; return the number of images.

    Records without a mask, and those of the test split, are left out.

    Raises
    ------
    OutputError
        If the folder is not empty or cannot be written.
    DataSetError
        If a mask cannot be read, or no record has one.
    """
    chosen = [record for record in records if record.mask is not None and record.split != "test"]
    if not chosen:
        raise DataSetError("no image outside the test split has a mask; choose wbc_seg or bccd")
    if out.exists() and any(out.iterdir()):
        raise OutputError(f"{out} is not empty; name a new folder with --out")
    try:
        for folder in ("images", "outlines"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        for record in chosen:
            name = PurePosixPath(record.name)
            shutil.copyfile(record.path, out / "images" / name.name)
            text = json.dumps(as_geojson(cells_of_mask(read_mask(record))))
            (out / "outlines" / f"{name.stem}.geojson").write_text(text, encoding="utf-8")
        (out / "split.csv").write_text(_split_table(chosen), encoding="utf-8")
    except OSError as error:
        raise OutputError.at(out, error) from error
    return len(chosen)


def read_mask(record: FieldRecord) -> NDArray[np.uint8]:
    """Return the mask image of a record, H x W gray levels.

    Raises
    ------
    DataSetError
        If it has none, or it cannot be read.
    """
    if record.mask is None:
        raise DataSetError(f"{record.data_set}: {record.name} has no mask; restore the set's original file")
    try:
        with Image.open(record.mask) as image:
            return np.asarray(image.convert("L"), np.uint8)
    except OSError as error:
        raise DataSetError(f"{record.mask}: no readable image ({error}); restore the set's original file") from error


def cells_of_mask(mask: NDArray[np.uint8]) -> list[MaskedCell]:
    """Return the white cells of a mask with the parts of their nuclei, the largest first.

    Parameters
    ----------
    mask
        H x W gray levels: 0 other, about half cytoplasm, 255 nucleus.
    """
    cells = []
    for outline in _regions(mask > CELL_LEVEL):
        inside = fill([outline], mask.shape)
        cells.append(MaskedCell(outline, tuple(_regions((mask > NUCLEUS_LEVEL) & inside))))
    return cells


def as_geojson(cells: Sequence[MaskedCell]) -> dict[str, object]:
    """Return cells as a collection of QuPath cell objects of the class ``white_cell``."""
    features = []
    for cell in cells:
        feature: dict[str, object] = {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring_of(cell.outline).coordinates]},
            "properties": {"objectType": "cell", "classification": {"name": "white_cell"}},
        }
        if cell.nucleus:
            rings = [[ring_of(part).coordinates] for part in cell.nucleus]
            feature["nucleusGeometry"] = {"type": "MultiPolygon", "coordinates": rings}
        features.append(feature)
    return {"type": "FeatureCollection", "features": features}


def _regions(mask: NDArray[np.bool_]) -> list[Polygon]:
    found = [Polygon(points) for points in region_outlines(mask.astype(np.uint8))]
    return sorted((part for part in found if part.area >= LEAST_PIXELS), key=lambda part: -part.area)


def _split_table(records: Sequence[FieldRecord]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("image", "split"))
    rows.writerows((PurePosixPath(record.name).name, record.split) for record in records)
    return text.getvalue()
