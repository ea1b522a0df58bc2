"""One image file to one field: JPEG, PNG, BMP and TIFF."""

from __future__ import annotations

import errno
import hashlib
import io
import re
import stat
import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import ImageTooLargeError, UnreadableImageError
from hemascope.core.smear import Field
from hemascope.sources.metadata_scale import ScaleReading, scale_of_picture
from hemascope.sources.pixels import Decoded, upright_rgb
from hemascope.sources.tiff import ONE_BIT, TiffImage

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

DEFAULT_MAX_PIXELS = 120_000_000
"""A little above 10,000 x 10,000, the largest field this package is made for; decoded it takes 360 MB."""

_PILLOW_FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
_BYTES_PER_PIXEL = 8  # four channels of 16 bits, uncompressed
_METADATA_BYTES = 64 << 20
_ROWS_AT_ONCE = 256
_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "BMP": (b"BM",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
_STRANGERS = {
    b"GIF8": "a GIF image", b"%PDF": "a PDF document", b"PK\x03\x04": "a ZIP archive or office document",
    b"\x1f\x8b": "a gzip archive", b"\x00\x00\x00\x0cjP": "a JPEG 2000 image", b"8BPS": "a Photoshop document",
}  # fmt: skip
_ADVICE = "export it as JPEG, PNG, BMP or TIFF"

# What decoders raise on malformed files, besides their own errors, which derive from these.
_MALFORMED = (
    OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError,
    RuntimeError, AssertionError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


class RasterReader:
    """Reads image files; satisfies ``FieldReader``.

    Parameters
    ----------
    max_pixels
        Larger images are refused by their header, before any pixel is decoded. Values above twice Pillow's own
        guard (178,956,970 pixels) have no effect on what Pillow decodes.
    """

    def __init__(self, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        if max_pixels < 1:
            raise ValueError(f"max_pixels must be at least 1, not {max_pixels}")
        self._max_pixels = max_pixels

    def read(self, path: Path, field_id: str) -> Field:
        """Return the field in ``path``: upright RGB, 8 bits a channel, with the scale its metadata gives.

        Gray is repeated in three channels, 16 bits are scaled to 8, alpha is composited on white, palette and CMYK
        are converted; the field's notes say so. Color profiles are not applied.

        Raises
        ------
        UnreadableImageError
            If the file cannot be opened, is empty or cut short, is no such image, has one bit a pixel or
            floating-point samples, or is an animation or a stack.
        ImageTooLargeError
            If it has more than ``max_pixels`` pixels.
        """
        data = self._bytes(path)
        try:
            decoded = self._decode(data, path)
        except ImageTooLargeError:
            raise
        except UnreadableImageError as error:
            raise UnreadableImageError(f"{path} {error}") from error.__cause__
        pixels, changes = upright_rgb(decoded)
        return Field(
            id=field_id,
            pixels=pixels,
            scale=decoded.scale.scale,
            path=path,
            sha256=hashlib.sha256(data).hexdigest(),
            notes=(*decoded.notes, *changes, *decoded.scale.notes),
        )

    def _bytes(self, path: Path) -> bytes:
        limit = _METADATA_BYTES + _BYTES_PER_PIXEL * self._max_pixels
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                raise UnreadableImageError(f"{path} is a folder, not an image; name the images in it")
            if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for without end
                raise UnreadableImageError(f"{path} is no ordinary file; save the image to a file first")
            if status.st_size > limit:
                raise ImageTooLargeError(
                    f"{path} takes {status.st_size / 1e6:,.0f} MB, more than any field of {self._max_pixels:,} "
                    "pixels; export a smaller region"
                )
            data = path.read_bytes()
        except OSError as error:
            raise UnreadableImageError(f"cannot open {path}: {_open_advice(error)}") from error
        except ValueError as error:  # a NUL in the name
            raise UnreadableImageError(f"cannot open {str(path)!r}: no file can have that name ({error})") from error
        if not data:
            raise UnreadableImageError(f"{path} is empty (0 bytes); copy or export it again")
        return data

    def _decode(self, data: bytes, path: Path) -> Decoded:
        kind = next((k for k, marks in _SIGNATURES.items() if data.startswith(marks)), None)
        if kind is None:
            raise UnreadableImageError(f"is not a JPEG, PNG, BMP or TIFF image ({_stranger(data)}); {_ADVICE}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # each problem raises or is noted; warnings would go to the terminal
                return self._decode_tiff(data, path) if kind == "TIFF" else self._decode_picture(data, path)
        except (UnreadableImageError, ImageTooLargeError):
            raise
        except _foreign_errors() as error:
            detail = " ".join(str(error).split())[:200] or type(error).__name__
            raise UnreadableImageError(
                f"is a damaged or cut short {kind} image ({detail}); copy or export it again"
            ) from error

    def _decode_tiff(self, data: bytes, path: Path) -> Decoded:
        image = TiffImage(data)
        self._check_size(image.width, image.height, path)
        image.check()
        if not image.by_pillow:
            return image.decode()
        with self._open(data, path) as picture:
            decoded = _samples(picture)
            # Pillow turns a TIFF while it decodes.
            turned = (f"turned upright (EXIF orientation {image.orientation})",) if image.orientation in _TURNED else ()
        return Decoded(decoded.samples, scale=image.scale, notes=(*image.notes, *decoded.notes, *turned))

    def _decode_picture(self, data: bytes, path: Path) -> Decoded:
        with self._open(data, path) as picture:
            self._check_size(*picture.size, path)
            notes = _check_frames(picture)
            decoded = _deep_png(data) if _is_deep_png(data) else _samples(picture)
            orientation, scale = _metadata(picture)
        return Decoded(
            decoded.samples, decoded.bgr, orientation=orientation, scale=scale, notes=(*notes, *decoded.notes)
        )

    def _open(self, data: bytes, path: Path) -> Picture:
        from PIL import Image

        try:
            return Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS)
        except Image.DecompressionBombError as error:
            pixels = re.search(r"\d+", str(error))
            raise self._too_large(f"{int(pixels.group()):,}" if pixels else "far too many", path) from error

    def _check_size(self, width: int, height: int, path: Path) -> None:
        if width < 1 or height < 1:
            raise UnreadableImageError(f"has no pixels ({width} x {height}); copy or export it again")
        if width * height > self._max_pixels:
            raise self._too_large(f"{width:,} x {height:,}", path)

    def _too_large(self, size: str, path: Path) -> ImageTooLargeError:
        return ImageTooLargeError(
            f"{path} has {size} pixels, more than the limit of {self._max_pixels:,}; export a smaller region or tiles"
        )


_TURNED = range(2, 9)


def _foreign_errors() -> tuple[type[BaseException], ...]:
    import cv2
    from tifffile import TiffFileError

    return (*_MALFORMED, TiffFileError, cv2.error)


def _open_advice(error: OSError) -> str:
    advice = {
        errno.ENOENT: "it does not exist (or is a link to nothing); check the path",
        errno.ELOOP: "it is a link that leads back to itself; name the image it should lead to",
        errno.EACCES: "reading it is not permitted; change its permissions",
        errno.ENAMETOOLONG: "its name is too long; rename it",
    }
    return advice.get(error.errno or 0, f"{error.strerror or error}; check the disk, or copy it elsewhere")


def _stranger(data: bytes) -> str:
    """Return what else ``data`` seems to be, in words."""
    for mark, name in _STRANGERS.items():
        if data.startswith(mark):
            return f"it is {name}"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "it is a WebP image"
    if data[4:8] == b"ftyp":
        return "it is a HEIC or AVIF image or a video"
    start = data[:512]
    printable = sum(32 <= byte < 127 or byte in (9, 10, 13) for byte in start)
    return "it is text" if printable >= 0.95 * len(start) else f"it begins with {data[:4].hex(' ')}"


def _check_frames(picture: Picture) -> tuple[str, ...]:
    frames = int(getattr(picture, "n_frames", 1))
    if frames == 1:
        return ()
    if picture.format == "MPO":  # cameras append previews and gain maps to the picture itself
        return (f"first of {frames} pictures in the file read",)
    raise UnreadableImageError(f"is an animation of {frames} frames; export the one frame to analyze as a still image")


def _samples(picture: Picture) -> Decoded:
    """Decode an 8-bit picture."""
    picture.load()
    mode = picture.mode
    notes: tuple[str, ...] = ()
    if mode == "1":
        raise UnreadableImageError(ONE_BIT)
    if mode in ("P", "PA"):
        notes = ("palette: converted to RGB",)
    elif mode == "CMYK":
        notes = ("CMYK: converted to RGB without a color profile, colors are approximate",)
    elif mode not in ("L", "LA", "RGB", "RGBA", "RGBX"):
        raise UnreadableImageError(f"has a kind of pixels that is not read ({mode}); export it as 8-bit gray or RGB")
    if mode == "PA" or (mode in ("P", "L", "RGB") and "transparency" in picture.info):
        picture = picture.convert("RGBA")
    elif mode in ("P", "CMYK", "RGBX"):
        picture = picture.convert("RGB")
    return Decoded(_in_bands(picture), notes=notes)


def _in_bands(picture: Picture) -> NDArray[np.uint8]:
    """Return a decoded picture as H x W x channels, in bands of rows: Pillow hands out a whole one in three copies."""
    width, height = picture.size
    samples = np.empty((height, width, len(picture.getbands())), np.uint8)
    for top in range(0, height, _ROWS_AT_ONCE):
        bottom = min(top + _ROWS_AT_ONCE, height)
        band = np.asarray(picture.crop((0, top, width, bottom)), np.uint8)
        samples[top:bottom] = band.reshape(bottom - top, width, -1)
    return samples


def _is_deep_png(data: bytes) -> bool:
    """Whether ``data`` is a PNG with 16 bits a sample, of which Pillow would cut off the lower half."""
    return data.startswith(_SIGNATURES["PNG"]) and data[12:16] == b"IHDR" and data[24:25] == b"\x10"


def _deep_png(data: bytes) -> Decoded:
    import cv2

    _check_png_chunks(data)
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise UnreadableImageError("is a damaged PNG image (its pixels cannot be decoded); copy or export it again")
    return Decoded(np.asarray(samples, np.uint16).reshape(*samples.shape[:2], -1), bgr=True)


def _check_png_chunks(data: bytes) -> None:
    """Raise unless every chunk up to IEND is there with its right CRC (PNG specification, section 5.3)."""
    position, name = 8, b""
    while name != b"IEND":
        if position + 12 > len(data):
            raise UnreadableImageError("is cut short: its last part is missing; copy or export it again")
        (length,) = struct.unpack_from(">I", data, position)
        name, end = data[position + 4 : position + 8], position + 8 + length
        if end + 4 > len(data) or zlib.crc32(data[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise UnreadableImageError("is a damaged or cut short PNG image; copy or export it again")
        position = end + 4


def _metadata(picture: Picture) -> tuple[int, ScaleReading]:
    """Return EXIF orientation and scale; malformed metadata is noted and gives neither."""
    try:
        orientation = picture.getexif().get(274, 1)
        known = isinstance(orientation, int) and orientation in _TURNED
        return (orientation if known else 1), scale_of_picture(picture)
    except _MALFORMED as error:
        return 1, ScaleReading(notes=(f"metadata ignored: malformed ({type(error).__name__})",))
