"""Images that show one cell each as `embed` takes them: no cell is searched for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hemascope.app.cell_images import ENCODED_AT_ONCE, CellImage, Cropped
from hemascope.cells.crop import cut_square
from hemascope.core.cell import CellCrop
from hemascope.core.errors import UnreadableImageError
from hemascope.core.ports import FieldReader
from hemascope.core.report import FailedInput
from hemascope.core.units import Microns
from hemascope.core.version import __version__
from hemascope.embed.store import json_digest
from hemascope.sources.discover import Source

STEP_VERSION = 1
"""Raised whenever cutting or the columns change, so that older shards are not taken."""


@dataclass(frozen=True, slots=True, eq=False)
class SingleCells:
    """Images of single cells.

    Attributes
    ----------
    reader
        Decodes them.
    sources
        The files, in order.
    crop_px, crop_um
        Side and width of a crop.
    mpp
        Micrometers per pixel of every image; the largest square around the middle is taken whole where None.
    """

    reader: FieldReader
    sources: Sequence[Source]
    crop_px: int
    crop_um: float
    mpp: float | None = None

    @property
    def cut(self) -> Mapping[str, object]:
        """How crops are made, as plain values, for the record."""
        width = {"whole": True} if self.mpp is None else {"crop_um": self.crop_um, "mpp_um": self.mpp}
        return {"of": "images of single cells", "crop_px": self.crop_px, **width}

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.sources)

    def groups(self) -> Iterator[Sequence[CellImage | FailedInput]]:
        """Yield as many images as are encoded at once."""
        for start in range(0, len(self.sources), ENCODED_AT_ONCE):
            yield [self._image(source) for source in self.sources[start : start + ENCODED_AT_ONCE]]

    def _image(self, source: Source) -> CellImage | FailedInput:
        try:
            sha256 = hashlib.sha256(source.path.read_bytes()).hexdigest()
        except OSError as error:
            message = f"cannot open {source.path}: {error.strerror or error}; check the file"
            return FailedInput(str(source.path), UnreadableImageError.__name__, message)
        facts = {"field_path": str(source.path), "field_sha256": sha256}
        step = json_digest({**self.cut, "version": STEP_VERSION, "software": __version__})
        return CellImage(source.field_id, sha256, step, facts, lambda: self._cropped(source), numbered=False)

    def _cropped(self, source: Source) -> Cropped:
        pixels = self.reader.read(source.path, source.field_id).pixels
        height, across = pixels.shape[:2]
        span = min(height, across) if self.mpp is None else self.crop_um / self.mpp
        view = cut_square(pixels, (across / 2, height / 2), span, self.crop_px)
        crop = CellCrop(source.field_id, view, Microns(self.crop_um))
        return Cropped((crop,), {"mpp_um": np.array([np.nan if self.mpp is None else self.mpp], np.float64)})
