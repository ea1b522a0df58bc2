"""Small pictures for the page, as WebP: previews of fields, crops of cells. Pillow and OpenCV come in on first use."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from hemascope.core.geometry import Polygon
from hemascope.core.smear import Field
from hemascope.core.units import Microns

CROP_WIDTH = Microns(24.0)
"""Width of a gallery crop: a monocyte of 20 um fits with a rim, and a lymphocyte of 8 um is still readable."""

CROP_PIXELS = 112
_CROP_QUALITY = 72
_BLANK = 240


def encode(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Return an H x W x 3 uint8 RGB picture as WebP."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=2)
    return buffer.getvalue()


def decode(picture: bytes) -> NDArray[np.uint8]:
    """Return a WebP of this module as H x W x 3 uint8 RGB."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def shrink(pixels: NDArray[np.uint8], long_side: int) -> NDArray[np.uint8]:
    """Return the picture with its longer side at most ``long_side`` pixels; never enlarged."""
    import cv2

    height, width = pixels.shape[:2]
    factor = long_side / max(height, width)
    if factor >= 1:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def crop_cell(field: Field, outline: Polygon, width: Microns = CROP_WIDTH, pixels: int = CROP_PIXELS) -> bytes:
    """Return a square view around ``outline`` as WebP; blank beyond the field's edge.

    Parameters
    ----------
    field
        With its scale.
    outline
        Of the cell in the middle.
    width
        Of the view in um.
    pixels
        Side of the picture.

    Raises
    ------
    ValueError
        If the field has no scale.
    """
    import cv2

    if field.scale is None:
        raise ValueError(f"field {field.id} has no scale")
    side = max(8, round(field.scale.pixels(width)))
    x, y = outline.bounds.center
    view = _window(field.pixels, round(x - side / 2), round(y - side / 2), side)
    method = cv2.INTER_AREA if side > pixels else cv2.INTER_CUBIC
    return encode(np.asarray(cv2.resize(view, (pixels, pixels), interpolation=method), np.uint8), _CROP_QUALITY)


def _window(pixels: NDArray[np.uint8], x0: int, y0: int, side: int) -> NDArray[np.uint8]:
    """Return ``side`` x ``side`` pixels from ``(x0, y0)`` on, blank beyond the edge.

    A mirrored border would show a reader a cell that does not exist.
    """
    height, width = pixels.shape[:2]
    view = np.full((side, side, 3), _BLANK, np.uint8)
    top, bottom = max(y0, 0), min(y0 + side, height)
    left, right = max(x0, 0), min(x0 + side, width)
    if top < bottom and left < right:
        view[top - y0 : bottom - y0, left - x0 : right - x0] = pixels[top:bottom, left:right]
    return view


def data_uri(picture: bytes) -> str:
    """Return a WebP as a data URI."""
    return "data:image/webp;base64," + base64.b64encode(picture).decode("ascii")
