"""Field images as `embed` takes them: read, scaled, cells found and cut by the analyzer's own parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hemascope.app.analyzer import Analyzer
from hemascope.app.cell_images import CellImage, Cropped
from hemascope.cells.crop import crop_cell
from hemascope.core.cell import Cell
from hemascope.core.errors import InputError, UnreadableImageError
from hemascope.core.report import FailedInput
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind
from hemascope.core.units import Microns, Scale
from hemascope.core.version import __version__
from hemascope.embed.store import json_digest
from hemascope.sources.discover import Source

STEP_VERSION = 1
"""Raised whenever finding, cutting or the columns change, so that older shards are not taken."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class FieldImages:
    """Field images whose cells are found.

    Attributes
    ----------
    analyzer
        Reads, scales and finds.
    sources
        The files, in order.
    kinds
        Which cells are wanted.
    crop_px, crop_um
        Side and width of a crop.
    by_cells
        Whether the cells themselves, rather than who finds them, decide what is taken from the store: for imported
        outlines, whose meaning depends on more than their file and which cost nothing to find again.
    """

    analyzer: Analyzer
    sources: Sequence[Source]
    kinds: frozenset[CellKind]
    crop_px: int
    crop_um: float
    by_cells: bool = False

    @property
    def cut(self) -> Mapping[str, object]:
        """How crops are made, as plain values, for the record."""
        return {
            "of": "found cells",
            "segmenter": asdict(self.analyzer.segmenter.identity),
            "kinds": sorted(kind.value for kind in self.kinds),
            "crop_px": self.crop_px,
            "crop_um": self.crop_um,
        }

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.sources)

    def groups(self) -> Iterator[Sequence[CellImage | FailedInput]]:
        """Yield one image at a time: finding its cells takes longer than encoding them."""
        for source in self.sources:
            try:
                yield (self._image(source),)
            except InputError as error:
                yield (FailedInput(str(source.path), type(error).__name__, str(error)),)

    def step(self, scale: Scale) -> dict[str, object]:
        """Return everything but the file that decides the crops of a field, as plain values."""
        return {**self.cut, "version": STEP_VERSION, "software": __version__, "mpp_um": scale.mpp}

    def _image(self, source: Source) -> CellImage:
        if self.analyzer.scale is not None and not self.by_cells:
            # A stated scale spares decoding: the bytes alone say whether the image was embedded before.
            sha256 = _file_digest(source.path)
            step = json_digest(self.step(self.analyzer.scale))
            return self._described(source, sha256, self.analyzer.scale, step, None)
        field = self._read(source)
        assert field.scale is not None  # noqa: S101 - _read gave it one
        step_facts = self.step(field.scale)
        if self.by_cells:
            step_facts["cells"] = _cells_digest(self._found(field))
        return self._described(source, field.sha256, field.scale, json_digest(step_facts), field)

    def _described(self, source: Source, sha256: str, scale: Scale, step: str, field: Field | None) -> CellImage:
        facts: dict[str, str | float | None] = {
            "field_path": str(source.path),
            "field_sha256": sha256,
            "mpp_um": scale.mpp,
            "scale_source": scale.source.value,
        }
        return CellImage(source.field_id, sha256, step, facts, lambda: self._cropped(source, sha256, field))

    def _read(self, source: Source) -> Field:
        read = self.analyzer.reader.read(source.path, source.field_id)
        return read.with_scale(self.analyzer.scale_of(read, source, self.sources))

    def _found(self, field: Field) -> list[Cell]:
        return [cell for cell in self.analyzer.segmenter.find(field) if cell.kind in self.kinds]

    def _cropped(self, source: Source, sha256: str, field: Field | None) -> Cropped:
        field = field or self._read(source)
        if field.sha256 != sha256:
            raise UnreadableImageError(f"{source.path} changed while it was read; run the same command again")
        cells = self._found(field)
        crops = (crop_cell(field, cell, self.crop_px, Microns(self.crop_um)) for cell in cells)
        boxes = np.array([_box(cell) for cell in cells], np.float64).reshape(len(cells), 4)
        centers = np.array([cell.outline.centroid for cell in cells], np.float64).reshape(len(cells), 2)
        columns = {
            "number": np.array([int(cell.id.rpartition("#")[2]) for cell in cells], np.int32),
            "kind": np.array([cell.kind.value for cell in cells], np.str_),
            "score": np.array([cell.score for cell in cells], np.float64),
            "touches_border": np.array([cell.touches_border for cell in cells], np.bool_),
            "center_x_px": centers[:, 0],
            "center_y_px": centers[:, 1],
        }
        names = ("box_x0_px", "box_y0_px", "box_x1_px", "box_y1_px")
        return Cropped(crops, columns | {name: boxes[:, i] for i, name in enumerate(names)})


def _box(cell: Cell) -> tuple[float, float, float, float]:
    bounds = cell.outline.bounds
    return bounds.x0, bounds.y0, bounds.x1, bounds.y1


def _cells_digest(cells: Sequence[Cell]) -> str:
    return json_digest([[cell.id.rpartition("#")[2], cell.kind.value, cell.score, *_box(cell)] for cell in cells])


def _file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes; raise ``UnreadableImageError`` where it cannot be read."""
    digest = hashlib.sha256()
    try:
        if not path.is_file():  # a pipe would be waited for without end; the reader says what is wrong
            raise UnreadableImageError(f"{path} is no ordinary file; name an image file")
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UnreadableImageError(f"cannot open {path}: {error.strerror or error}; check the file") from error
    return digest.hexdigest()
