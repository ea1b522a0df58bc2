"""Decoded samples of any kind to upright 8-bit RGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.sources.metadata_scale import ScaleReading

_ROWS_AT_ONCE = 256  # what needs wider numbers goes in bands of rows: memory stays near one copy of the result
_NO_SCALE = ScaleReading()
_SENSOR_BITS = (8, 10, 12, 14, 16)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Samples as a decoder gave them.

    Attributes
    ----------
    samples
        H x W x C, uint8 or uint16; C is 1 (gray), 2 (gray, alpha), 3 (color) or 4 (color, alpha).
    bgr
        Whether colors come in the order blue, green, red.
    premultiplied
        Whether the colors were multiplied by alpha already.
    orientation
        EXIF orientation still to be applied, 1 to 8.
    scale
        Scale in the metadata.
    notes
        What the decoder did, in words.
    """

    samples: NDArray[np.uint8] | NDArray[np.uint16]
    bgr: bool = False
    premultiplied: bool = False
    orientation: int = 1
    scale: ScaleReading = _NO_SCALE
    notes: tuple[str, ...] = ()


def upright_rgb(decoded: Decoded) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Return H x W x 3 uint8 RGB, contiguous and upright, and notes on what was changed."""
    samples, notes = eight_bit(decoded.samples)
    channels = samples.shape[2]
    color = samples[..., :3] if channels >= 3 else np.repeat(samples[..., :1], 3, axis=2)
    if channels < 3:
        notes += ("gray image: the same values in red, green and blue",)
    if decoded.bgr and channels >= 3:
        color = color[..., ::-1]
    if channels in (2, 4):
        color, note = on_white(color, samples[..., -1], premultiplied=decoded.premultiplied)
        notes += (note,)
    if decoded.orientation != 1:
        color = upright(color, decoded.orientation)
        notes += (f"turned upright (EXIF orientation {decoded.orientation})",)
    return np.ascontiguousarray(color), notes


def eight_bit(samples: NDArray[np.uint8] | NDArray[np.uint16]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Return ``samples`` as uint8, rounded to the nearest.

    Cameras of 10, 12 or 14 bits often save their values unscaled in 16: the smallest of 8, 10, 12, 14 and 16 bits
    that holds the largest value is taken for the full range (a stained field has a bright background, so the
    largest value comes near the top of the camera's range).
    """
    if samples.dtype == np.uint8:
        return samples.astype(np.uint8, copy=False), ()
    largest = int(samples.max(initial=0))
    bits = next(b for b in _SENSOR_BITS if largest < 1 << b) if largest else 16
    full = (1 << bits) - 1
    values = np.minimum(np.arange(1 << 16, dtype=np.uint32), full)
    table = ((values * 255 + full // 2) // full).astype(np.uint8)
    kind = "16-bit" if bits == 16 else f"16-bit file holding {bits}-bit values (largest {largest})"
    return table[samples], (f"{kind}: scaled to 8-bit",)


def on_white(
    color: NDArray[np.uint8], alpha: NDArray[np.uint8], *, premultiplied: bool = False
) -> tuple[NDArray[np.uint8], str]:
    """Return H x W x 3 ``color`` composited on white by H x W ``alpha`` (0 to 255), and a note."""
    if not alpha.any():
        return color, "alpha channel is zero everywhere: taken for unused and dropped"
    if alpha.min() == 255:
        return color, "opaque alpha channel: dropped"
    out = np.empty(color.shape, np.uint8)
    for top in range(0, len(color), _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        a = alpha[rows, :, None].astype(np.uint32)
        part = color[rows].astype(np.uint32) * (255 if premultiplied else a) + 255 * (255 - a)
        out[rows] = np.minimum((part + 127) // 255, 255)
    return out, "alpha channel: composited on white"


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return H x W x C ``pixels`` turned by an EXIF ``orientation`` (TIFF 6.0, tag 274); others than 2 to 8 do nothing.

    The tag names the sides of the scene on which row 0 and column 0 of the stored pixels lie.
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
