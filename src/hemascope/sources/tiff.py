"""TIFF: which page, which decoder, which scale."""

from __future__ import annotations

import io
import logging
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import UnreadableImageError
from hemascope.sources.metadata_scale import ScaleReading, scale_of_tiff
from hemascope.sources.pixels import Decoded

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

# Without a handler the logging module would print tifffile's remarks on odd files to the terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_UNCOMPRESSED_OR_DEFLATE = (1, 8, 32946)  # what tifffile decodes without further packages
_GRAY_WHITE_IS_ZERO, _GRAY, _RGB = 0, 1, 2
_SEPARATE_PLANES = 2
_UNSIGNED = 1
_PREMULTIPLIED_ALPHA = 1
_REDUCED = 1  # bit of NewSubfileType: a smaller version of another page
_PAGES_LOOKED_AT = 1000


class TiffImage:
    """The one image a TIFF holds, described but not decoded.

    Parameters
    ----------
    data
        The whole file.

    Raises
    ------
    UnreadableImageError
        If the file is cut short, holds a stack of images, or has samples other than unsigned 8 or 16 bit. The
        message is a clause without the file's name.
    """

    def __init__(self, data: bytes) -> None:
        from tifffile import TiffFile

        self._data = data
        with TiffFile(io.BytesIO(data)) as tiff:
            self.page: TiffPage = tiff.pages.first
            self.width, self.height = int(self.page.imagewidth), int(self.page.imagelength)
            self.notes = _page_notes(tiff)
            self.scale = _scale(tiff)
        self.orientation = int(self.page.tags.valueof(274, default=1) or 1)

    @property
    def by_pillow(self) -> bool:
        """Whether Pillow has to decode it: 8-bit with a compression or color space that ``decode`` does not know."""
        known = self.page.compression in _UNCOMPRESSED_OR_DEFLATE and self.page.photometric in (0, 1, 2)
        return bool(self.page.bitspersample == 8 and not known)

    def check(self) -> None:
        """Raise ``UnreadableImageError`` if the samples are of a kind not read, or lie beyond the file's end."""
        page = self.page
        if page.bitspersample == 1:
            raise UnreadableImageError(ONE_BIT)
        if page.sampleformat != _UNSIGNED or page.bitspersample not in (8, 16):
            kind = {2: "signed", 3: "floating-point"}.get(int(page.sampleformat), "unsigned")
            raise UnreadableImageError(
                f"has {kind} samples of {page.bitspersample} bits, whose black and white are not defined; "
                "export it with 8 or 16 bits a channel"
            )
        if page.samplesperpixel > 4 or page.imagedepth > 1:
            raise UnreadableImageError(
                f"has {page.samplesperpixel} channels and a depth of {page.imagedepth}; export one plane as gray or RGB"
            )
        ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)]
        if not ends or min(page.databytecounts) <= 0 or min(page.dataoffsets) <= 0 or max(ends) > len(self._data):
            raise UnreadableImageError("is cut short: it lacks a part of its pixels; copy or export it again")

    def decode(self) -> Decoded:
        """Return the samples of an image that is not ``by_pillow``."""
        page = self.page
        if page.photometric not in (_GRAY_WHITE_IS_ZERO, _GRAY, _RGB):
            raise UnreadableImageError(f"has the color space {page.photometric}; export it as gray or RGB")
        bgr = page.compression not in _UNCOMPRESSED_OR_DEFLATE
        samples = self._by_opencv() if bgr else self._by_tifffile()
        notes = self.notes
        if page.photometric == _GRAY_WHITE_IS_ZERO:
            samples = np.iinfo(samples.dtype).max - samples
        extra = samples.shape[2] - (3 if page.photometric == _RGB else 1)
        kinds = tuple(int(kind) for kind in page.extrasamples)
        if extra > 0 and not (extra == 1 and kinds and kinds[0] in (1, 2)):
            samples = samples[..., :-extra]
            notes = (*notes, f"{extra} extra channel(s) that are no alpha: dropped")
        return Decoded(
            samples,
            bgr=bgr,
            premultiplied=kinds[:1] == (_PREMULTIPLIED_ALPHA,),
            orientation=self.orientation,
            scale=self.scale,
            notes=notes,
        )

    def _by_tifffile(self) -> NDArray[Any]:
        from tifffile import TiffFile

        with TiffFile(io.BytesIO(self._data)) as tiff:
            samples: NDArray[Any] = np.asarray(tiff.pages.first.asarray())
        if self.page.planarconfig == _SEPARATE_PLANES and samples.ndim == 3:
            samples = np.moveaxis(samples, 0, 2)
        return samples.reshape(self.height, self.width, -1)

    def _by_opencv(self) -> NDArray[Any]:
        """Decode 16-bit samples in the compressions of libtiff, in the order BGR."""
        import cv2

        page = self.page
        if page.planarconfig == _SEPARATE_PLANES and page.samplesperpixel > 1:  # OpenCV mixes up the planes
            raise UnreadableImageError(
                "has compressed 16-bit samples in separate planes, which are not read; export it without compression"
            )
        samples = cv2.imdecode(np.frombuffer(self._unturned(), np.uint8), cv2.IMREAD_UNCHANGED)
        expected = (self.height, self.width)
        if samples is None or samples.dtype != np.uint16 or samples.shape[:2] != expected:
            raise UnreadableImageError("has pixels that cannot be decoded; export it again without compression")
        return samples.reshape(*expected, -1)

    def _unturned(self) -> bytes:
        """Return the file with its orientation set to 1: OpenCV turns some orientations by itself and others not."""
        if self.orientation == 1:
            return self._data
        tag = self.page.tags[274]
        value = (1).to_bytes(2, "big" if self._data.startswith(b"M") else "little")  # a SHORT
        return self._data[: tag.valueoffset] + value + self._data[tag.valueoffset + len(value) :]


ONE_BIT = (
    "has one bit a pixel: only black and white, no micrograph; "
    "export the camera's own image with 8 or 16 bits a channel"
)


def _page_notes(tiff: TiffFile) -> tuple[str, ...]:
    """Return a note if there are smaller versions beside the first page; raise if there are other full pages."""
    first = tiff.pages.first
    others = list(islice(tiff.pages, 1, _PAGES_LOOKED_AT))
    area = first.imagewidth * first.imagelength
    full = [p for p in others if not _is_smaller_version(p, area)]
    if full:
        raise UnreadableImageError(
            f"is a stack of {1 + len(full)} pages or more; export the one page to analyze as an image of its own"
        )
    return (f"first page read; {len(others)} smaller page(s) left out",) if others else ()


def _is_smaller_version(page: Any, area: int) -> bool:
    """Return whether ``page``, a TiffPage or TiffFrame, is a thumbnail or pyramid level beside ``area`` pixels."""
    size = int(page.imagewidth) * int(page.imagelength)
    reduced = int(getattr(page, "subfiletype", 0) or 0) & _REDUCED
    return size * 4 <= area or bool(reduced and size < area)


def _scale(tiff: TiffFile) -> ScaleReading:
    description = tiff.pages.first.tags.valueof(270, default="")
    if isinstance(description, bytes):
        description = description.decode("utf-8", "replace")
    return scale_of_tiff(tiff, description if isinstance(description, str) else "")
