"""Single-cell images of a public set as `embed` takes them, with their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hemascope.app.bench_classification import read_pixels
from hemascope.app.cell_images import ENCODED_AT_ONCE, CellImage, Cropped
from hemascope.cells.crop import cut_square
from hemascope.core.cell import CellCrop
from hemascope.core.errors import UnreadableImageError
from hemascope.core.report import FailedInput
from hemascope.core.units import Microns
from hemascope.core.version import __version__
from hemascope.data.records import CropRecord
from hemascope.embed.store import json_digest

STEP_VERSION = 1
"""Raised whenever cutting or the columns change, so that older shards are not taken."""


@dataclass(frozen=True, slots=True, eq=False)
class LabeledCrops:
    """Single-cell images of a set.

    Attributes
    ----------
    records
        The images, in order.
    crop_px, crop_um
        Side and width of a crop; images of unknown width are taken whole.
    """

    records: Sequence[CropRecord]
    crop_px: int
    crop_um: float

    @property
    def cut(self) -> Mapping[str, object]:
        """How crops are made, as plain values, for the record."""
        return {"of": "images of single cells", "crop_px": self.crop_px, "crop_um": self.crop_um}

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.records)

    def groups(self) -> Iterator[Sequence[CellImage | FailedInput]]:
        """Yield as many images as are encoded at once."""
        for start in range(0, len(self.records), ENCODED_AT_ONCE):
            yield [self._image(record) for record in self.records[start : start + ENCODED_AT_ONCE]]

    def step(self, width_um: float) -> dict[str, object]:
        """Return everything but the file that decides the crop of an image ``width_um`` wide, as plain values."""
        return {**self.cut, "version": STEP_VERSION, "software": __version__, "width_um": width_um}

    def _image(self, record: CropRecord) -> CellImage | FailedInput:
        try:
            sha256 = hashlib.sha256(record.path.read_bytes()).hexdigest()
        except OSError as error:
            message = f"{record.path} cannot be read ({error.strerror or error}); restore the set's original file"
            return FailedInput(str(record.path), UnreadableImageError.__name__, message)
        facts: dict[str, str | float | None] = {
            "field_path": str(record.path),
            "field_sha256": sha256,
            "data_set": record.data_set,
            "split": record.split,
            "group": record.group,
            "label": record.cell_type.value,
            "subtype": record.subtype,
            "acquisition": record.acquisition,
        }
        step = json_digest(self.step(record.width_um))
        return CellImage(record.name, sha256, step, facts, lambda: self._cropped(record), numbered=False)

    def _cropped(self, record: CropRecord) -> Cropped:
        pixels = read_pixels(record)
        height, across = pixels.shape[:2]
        mpp = record.width_um / across if record.width_um else np.nan
        span = self.crop_um / mpp if record.width_um else across
        view = cut_square(pixels, (across / 2, height / 2), span, self.crop_px)
        crop = CellCrop(record.name, view, Microns(self.crop_um))
        return Cropped((crop,), {"mpp_um": np.array([mpp], np.float64)})
