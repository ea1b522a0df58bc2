"""White cells of known type of several laboratories, cut at one physical scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hemascope.cells.crop import cut_square
from hemascope.core.cell import CellCrop
from hemascope.core.errors import DataSetError, UnreadableImageError
from hemascope.core.ports import Encoder
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.data.catalog import check_split_groups, open_crops, open_fields
from hemascope.data.records import FieldRecord
from hemascope.data.typed_boxes import typed_white_cells

PBC = "pbc_acevedo_128"
"""The source that is trained on in every protocol."""

TARGETS = ("bccd", "chula_wbc_fields", "wbc_seg/cellavision_blog", "wbc_seg/tecom")
"""Sources of other laboratories, by data set and, where a set was put together from several, its part."""

MEDIAN_CELL_UM = 13.5
"""Median diameter of white cells by which the scale of ``wbc_seg`` is set: the set states none."""

DEFAULT_UM = 24.0
"""Width of a crop for an encoder whose makers state none: one white cell and its rim."""

_MPP = {"bccd": 0.081, "chula_wbc_fields": 0.102}
"""um a pixel, estimated from red cells; the sets state none."""

_BATCH = 64
_ON_CELL = 60
"""Gray level of a mask above which a pixel belongs to the cell: 128 is cytoplasm, 255 nucleus, 2 and 7 are noise."""


@dataclass(frozen=True, slots=True)
class TypedCell:
    """Where one typed cell is.

    Attributes
    ----------
    source
        ``PBC`` or one of ``TARGETS``.
    id
        Unique within the source.
    path
        Image.
    center
        ``(x, y)`` in pixels of the image.
    mpp
        um a pixel.
    cell_type
        Its type.
    group, split
        As in the data set.
    """

    source: str
    id: str
    path: Path
    center: tuple[float, float]
    mpp: float
    cell_type: CellType
    group: str
    split: str


def locate_cells(source: str, root: Path) -> tuple[TypedCell, ...]:
    """Return the typed cells of a source, all splits, in the order of its tables.

    Parameters
    ----------
    source
        ``PBC`` or one of ``TARGETS``.
    root
        Folder of the public sets.

    Raises
    ------
    DataSetError
        If there is no such source, its set is absent or malformed, or a group sits in two splits.
    UnreadableImageError
        If an image that must be looked at for its size or scale cannot be read.
    """
    if source not in _LOCATORS:
        raise DataSetError(f"there is no source of typed cells '{source}'; choose one of {', '.join(_LOCATORS)}")
    return _LOCATORS[source](root)


def cut_cells(cells: Sequence[TypedCell], side: int, width: float) -> Iterator[CellCrop]:
    """Yield the crop of each cell, cut as the analyzer cuts it; what lies beyond an image's edge is mirrored.

    Parameters
    ----------
    cells
        Cells of one image should stand together: it is then read once.
    side, width
        Of a crop, in pixels and um.

    Raises
    ------
    UnreadableImageError
        If an image cannot be read.
    """
    path, pixels = None, np.zeros((1, 1, 3), np.uint8)
    for cell in cells:
        if cell.path != path:
            path, pixels = cell.path, _read(cell.path)
        yield CellCrop(cell.id, cut_square(pixels, cell.center, width / cell.mpp, side), Microns(width))


def encode_cells(
    encoder: Encoder, cells: Sequence[TypedCell], progress: Callable[[str, int, int], None]
) -> NDArray[np.float32]:
    """Return N x D embeddings of cells, cut at the encoder's side and width; ``DEFAULT_UM`` where it states none."""
    spec = encoder.spec
    title = f"{encoder.identity.name}: {cells[0].source}" if cells else ""
    rows, batch = [np.zeros((0, spec.dimension), np.float32)], []
    for number, crop in enumerate(cut_cells(cells, spec.crop_px, spec.crop_um or DEFAULT_UM), 1):
        batch.append(crop)
        if len(batch) == _BATCH or number == len(cells):
            rows.append(encoder.encode(batch))
            batch = []
            progress(title, number, len(cells))
    return np.concatenate(rows)


def class_numbers(cells: Sequence[TypedCell]) -> NDArray[np.intp]:
    """Return the place of each cell's type in ``CellType``."""
    places = {cell_type: index for index, cell_type in enumerate(CellType)}
    return np.array([places[cell.cell_type] for cell in cells], np.intp)


def group_names(cells: Sequence[TypedCell]) -> NDArray[np.str_]:
    """Return the group of each cell, told apart between sources."""
    return np.array([f"{cell.source}|{cell.group}" for cell in cells], np.str_)


def _locate_pbc(root: Path) -> tuple[TypedCell, ...]:
    records = open_crops(PBC, root)
    check_split_groups(records)
    cells = []
    for r in records:
        width, height = _size(r.path)
        place = (width / 2, height / 2)
        cells.append(TypedCell(PBC, r.name, r.path, place, r.width_um / width, r.cell_type, r.group, r.split))
    return tuple(cells)


def _locate_boxes(name: str, version: str | None, root: Path) -> tuple[TypedCell, ...]:
    records = open_fields(name, root, "all", version)
    check_split_groups(records)
    return tuple(
        TypedCell(name, f"{r.name}#{number}", r.path, box.center, _MPP[name], cell_type, r.group, r.split)
        for r in records
        for number, (box, cell_type) in enumerate(typed_white_cells(r), 1)
    )


def _locate_masks(part: str, root: Path) -> tuple[TypedCell, ...]:
    every = open_fields("wbc_seg", root)
    check_split_groups(every)
    records = [r for r in every if r.source == part and len(r.white_cell_types) == 1]
    if not records:
        raise DataSetError(f"wbc_seg holds no image of '{part}'; restore the set's original files")
    looked = [_look_at_mask(record) for record in records]
    mpp = MEDIAN_CELL_UM / float(np.median([diameter for _, diameter in looked]))
    return tuple(
        TypedCell(f"wbc_seg/{part}", r.name, r.path, center, mpp, r.white_cell_types[0], r.group, r.split)
        for r, (center, _) in zip(records, looked, strict=True)
    )


def _look_at_mask(record: FieldRecord) -> tuple[tuple[float, float], float]:
    """Return the center of the cell's bounding box, and the diameter of a disk of its area, in pixels."""
    if record.mask is None:
        raise DataSetError(f"wbc_seg: {record.name} has no mask; restore the set's original files")
    ys, xs = np.nonzero(_read(record.mask)[..., 0] > _ON_CELL)
    if not len(xs):
        raise DataSetError(f"{record.mask} marks no cell; restore the set's original file")
    center = ((int(xs.min()) + int(xs.max()) + 1) / 2, (int(ys.min()) + int(ys.max()) + 1) / 2)
    return center, 2 * float(np.sqrt(len(xs) / np.pi))


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as file:
            return np.asarray(file.convert("RGB"), np.uint8)
    except OSError as error:
        raise UnreadableImageError(f"{path} cannot be read ({error}); restore the set's original file") from error


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as file:
            return file.size
    except OSError as error:
        raise UnreadableImageError(f"{path} cannot be read ({error}); restore the set's original file") from error


_LOCATORS: Mapping[str, Callable[[Path], tuple[TypedCell, ...]]] = {
    PBC: _locate_pbc,
    "bccd": partial(_locate_boxes, "bccd", "cbc_cleaned"),
    "chula_wbc_fields": partial(_locate_boxes, "chula_wbc_fields", None),
    "wbc_seg/cellavision_blog": partial(_locate_masks, "cellavision_blog"),
    "wbc_seg/tecom": partial(_locate_masks, "tecom"),
}
