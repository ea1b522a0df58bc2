"""Label images: 0 is background, every other whole number one object."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from hemascope.core.errors import OutlineError
from hemascope.core.outline import FieldOutlines
from hemascope.sources.outline_classes import ClassTable
from hemascope.sources.outline_gathering import Gathering
from hemascope.sources.pixel_regions import outlines_of

MAX_PIXELS = 120_000_000
_MASK_PARTS = 3
"""One number in at least so many parts is a mask of everything, not one cell."""

_SIGNATURES = (b"II", b"MM", b"\x89PNG")

_MALFORMED = (
    OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError,
    RuntimeError, AssertionError, MemoryError, struct.error, zlib.error,
)  # fmt: skip

Labels = NDArray[np.signedinteger[Any]]
"""H x W, at least 0; int32 where the numbers allow it."""

_MANY = 1 << 22
"""Numbers above this are replaced by their ranks before objects are looked up by number."""


def read_labels(data: bytes) -> Labels:
    """Return the H x W numbers of a label image, TIFF or PNG of 8, 16 or 32 bits a pixel.

    Of a palette image the indices are the numbers; floating-point samples are taken where all are whole.

    Raises
    ------
    OutlineError
        If it cannot be decoded, has colors, several pages or one bit a pixel, numbers that are negative or not whole,
        or more than ``MAX_PIXELS`` pixels. The message is a clause without the file's name.
    """
    from tifffile import TiffFileError

    if not data:
        raise OutlineError("is empty (0 bytes); export it again")
    if not data.startswith(_SIGNATURES):
        raise OutlineError("holds no outlines: it is no GeoJSON, COCO JSON, TIFF or PNG file; export it as one of them")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            samples = _tiff(data) if data[:2] in (b"II", b"MM") else _picture(data)
    except OutlineError:
        raise
    except (*_MALFORMED, TiffFileError) as error:
        detail = " ".join(str(error).split())[:160] or type(error).__name__
        raise OutlineError(f"is no readable label image ({detail}); export it as TIFF or PNG") from error
    return _whole_numbers(samples)


def label_outlines(labels: Labels, class_of: Mapping[int, str], classes: ClassTable) -> FieldOutlines:
    """Return the outlines of a label image.

    An object in several parts is taken by its largest; holes are filled. Outlines keep the pixels of an object
    (``pixel_regions.trace``).

    Parameters
    ----------
    labels
        H x W, at least 0.
    class_of
        Name of the class of each number; "" for those not in it.
    classes
        What the names mean.

    Raises
    ------
    OutlineError
        If a class is not known, or the image is a mask rather than a label image. The message is a clause without the
        file's name.
    """
    numbers, ranked = _ranked(labels)
    windows = {number: window for number, window in zip(numbers, find_objects(ranked), strict=True) if window}
    gathering = Gathering(classes)
    for rank, number in enumerate(numbers):
        if number not in windows:
            continue
        ys, xs = windows[number]
        parts = outlines_of(ranked[ys, xs] == rank + 1, gathering, (xs.start, ys.start))
        if len(windows) == 1 and len(parts) >= _MASK_PARTS:
            raise OutlineError(
                f"holds the one number {number} in {len(parts)} separate parts: a mask, not a label image; "
                "give every object a number of its own"
            )
        gathering.add(parts, class_of.get(number, ""))
    absent = sum(number not in windows for number in class_of)
    gathering.note("classes given to numbers that the image does not hold", absent)
    height, width = labels.shape
    return gathering.finish(size=(width, height))


def _ranked(labels: Labels) -> tuple[Sequence[int], Labels]:
    """Return numbers, and the labels with each of them replaced by its place among them, from 1 on."""
    largest = int(labels.max())
    if largest <= _MANY:
        return range(1, largest + 1), labels
    values, ranks = np.unique(labels, return_inverse=True)
    background = int(values[0] == 0)
    return values[background:].tolist(), ranks.reshape(labels.shape) + (1 - background)


def classes_by_image(labels: Labels, class_image: Labels) -> dict[int, str]:
    """Return the class of each number: the value that most of its pixels have in ``class_image``, as text.

    Raises
    ------
    OutlineError
        If the two images differ in size. The message is a clause without the file's name.
    """
    if labels.shape != class_image.shape:
        raise OutlineError(
            f"has classes of {class_image.shape[1]} x {class_image.shape[0]} pixels beside {labels.shape[1]} x "
            f"{labels.shape[0]} pixels of labels; export both at one size"
        )
    inside = labels > 0
    pairs, counts = np.unique(np.stack((labels[inside], class_image[inside])), axis=1, return_counts=True)
    order = np.argsort(counts, kind="stable")  # the most frequent is written last
    return {int(pairs[0, i]): str(int(pairs[1, i])) for i in order}


def _tiff(data: bytes) -> NDArray[Any]:
    from tifffile import TiffFile

    with TiffFile(io.BytesIO(data)) as tiff:
        page = tiff.pages.first
        if len(tiff.pages) > 1:
            raise OutlineError(f"is a stack of {len(tiff.pages)} pages; export the one page that holds the labels")
        _check_size(int(page.imagewidth), int(page.imagelength))
        if page.bitspersample == 1:
            raise OutlineError(_ONE_BIT)
        if int(page.compression) in (1, 8, 32946):
            return np.asarray(page.asarray())
    return _picture(data)


def _picture(data: bytes) -> NDArray[Any]:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG", "TIFF")) as picture:
        _check_size(*picture.size)
        if picture.mode == "1":
            raise OutlineError(_ONE_BIT)
        return np.asarray(picture)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise OutlineError(f"has {width:,} x {height:,} pixels, more than the limit of {MAX_PIXELS:,}; cut it in tiles")


_ONE_BIT = "has one bit a pixel: a mask, not a label image; give every object a number of its own"


def _whole_numbers(samples: NDArray[Any]) -> Labels:
    samples = np.squeeze(samples) if samples.ndim > 2 else samples
    if samples.ndim != 2 or not samples.size:
        raise OutlineError(
            f"is no label image: it has the shape {' x '.join(map(str, samples.shape))}; export one channel with one "
            "whole number for each object"
        )
    if samples.dtype.kind == "f" and not (np.isfinite(samples).all() and (samples == np.floor(samples)).all()):
        raise OutlineError("has values that are no whole numbers; export labels, not intensities")
    if samples.dtype.kind not in "iuf" or samples.min() < 0 or samples.max() >= 2**53:
        raise OutlineError("has values that cannot number objects; export whole numbers of 0 or more")
    return samples.astype(np.int32 if samples.max() < 2**31 else np.int64)
