"""Micrometers per pixel from what a file says of itself; never raises on malformed metadata."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from hemascope.core.units import MAX_MPP, MIN_MPP, Scale, ScaleSource

if TYPE_CHECKING:
    from PIL.Image import Image
    from tifffile import TiffFile

MAX_ANISOTROPY = 0.02
"""Relative difference of the two pixel sizes above which pixels are not square: one scale would be wrong along one
axis by more than the error of a usual stage calibration (1 to 2%)."""

_UM_PER_UNIT: Mapping[str, float] = {
    "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometers": 1.0, "micrometre": 1.0,
    "micrometres": 1.0, "nm": 1e-3, "nanometer": 1e-3, "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "m": 1e6,
    "inch": 25400.0, "in": 25400.0, "å": 1e-4, "pm": 1e-6,
}  # fmt: skip
_LARGEST_JFIF_DENSITY = 65535  # 16 bits: a larger density is stored as this one


@dataclass(frozen=True, slots=True)
class ScaleReading:
    """A scale with source ``metadata``, or None, and what a reader should know about how it was found."""

    scale: Scale | None = None
    notes: tuple[str, ...] = ()


def reading(x_um: float, y_um: float, origin: str, *, quiet: bool = False) -> ScaleReading:
    """Return the scale of pixels ``x_um`` wide and ``y_um`` high, if they are square and plausible.

    Parameters
    ----------
    x_um, y_um
        Size of a pixel in um.
    origin
        Which metadata it is from, for the note.
    quiet
        Leave out the note on an implausible size: print densities such as 72 dpi say nothing of a micrograph, and
        nearly every file has one.
    """
    if not (math.isfinite(x_um) and math.isfinite(y_um)) or x_um <= 0 or y_um <= 0:
        return ScaleReading(notes=() if quiet else (f"scale in {origin} ignored: it is not a positive number",))
    mean = math.sqrt(x_um) * math.sqrt(y_um)
    if not MIN_MPP <= mean <= MAX_MPP:
        text = f"scale in {origin} ignored: {mean:.4g} um per pixel is outside {MIN_MPP:g} to {MAX_MPP:g}"
        return ScaleReading(notes=() if quiet else (text,))
    if abs(x_um - y_um) > MAX_ANISOTROPY * min(x_um, y_um):
        text = f"scale in {origin} ignored: pixels are not square ({x_um:.4g} x {y_um:.4g} um)"
        return ScaleReading(notes=(text,))
    return ScaleReading(Scale(mean, ScaleSource.METADATA), (f"scale of {mean:.4g} um per pixel from {origin}",))


def scale_of_picture(picture: Image) -> ScaleReading:
    """Return the scale of a JPEG, PNG or BMP from its density: JFIF, EXIF, pHYs or pixels per meter."""
    info = picture.info
    if "jfif_density" in info:
        um = {1: 25400.0, 2: 10000.0}.get(info.get("jfif_unit", 0))
        x, y = info["jfif_density"]
        if um and _LARGEST_JFIF_DENSITY not in (x, y):
            jfif = _from_density(x, y, um, "JFIF density")
            if jfif.scale or jfif.notes:
                return jfif
    if picture.format in ("JPEG", "MPO"):
        return _from_exif(picture)
    if "dpi" in info:
        x, y = info["dpi"]
        return _from_density(x, y, 25400.0, "PNG pHYs" if picture.format == "PNG" else "BMP header")
    return ScaleReading()


def scale_of_tiff(tiff: TiffFile, description: str) -> ScaleReading:
    """Return the scale of a TIFF from OME-XML, ImageJ's description or the resolution tags, in that order.

    Parameters
    ----------
    tiff
        The open file; the tags of its first page count.
    description
        ImageDescription of the first page, "" where there is none.
    """
    if "<OME" in description[:2000]:
        ome = scale_of_ome(description)
        if ome.scale or ome.notes:
            return ome
    tags = tiff.pages.first.tags
    x, y = (_rational(tags.valueof(code)) for code in (282, 283))
    if description.startswith("ImageJ="):
        return _from_imagej(description, x, y)
    um = {2: 25400.0, 3: 10000.0}.get(_integer(tags.valueof(296, default=2)))
    if um is None or x is None or y is None:
        return ScaleReading()
    return _from_density(x, y, um, "TIFF resolution")


def scale_of_ome(xml: str) -> ScaleReading:
    """Return the scale of the first ``Pixels`` element of an OME-XML document."""
    origin = "OME-XML"
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        return ScaleReading(notes=(f"{origin} ignored: it declares entities, which OME-XML does not",))
    try:
        root = ElementTree.fromstring(xml.strip().rstrip("\0"))  # noqa: S314 - no declared entities, see above
        pixels = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    except (ElementTree.ParseError, ValueError) as error:
        return ScaleReading(notes=(f"{origin} ignored: malformed ({error})",))
    if pixels is None or "PhysicalSizeX" not in pixels.attrib:
        return ScaleReading()
    sizes = [_ome_size(pixels.attrib, axis) for axis in ("X", "Y")]
    x, y = sizes[0], sizes[1] if "PhysicalSizeY" in pixels.attrib else sizes[0]
    if x is None or y is None:
        return ScaleReading(notes=(f"scale in {origin} ignored: its size or unit cannot be read",))
    return reading(x, y, origin)


def micrometers(unit: str) -> float | None:
    """Return how many um one ``unit`` is, or None for an unknown one (pixel, reference frame)."""
    text = unit.strip().replace("\\u00B5", "u").replace("\\u00b5", "u").replace("\u00b5", "u").replace("\u03bc", "u")
    return _UM_PER_UNIT.get(text.lower())


def _ome_size(attributes: Mapping[str, str], axis: str) -> float | None:
    um = micrometers(attributes.get(f"PhysicalSize{axis}Unit", "um"))
    size = _number(attributes.get(f"PhysicalSize{axis}", ""))
    return None if um is None or size is None else size * um


def _from_imagej(description: str, x: float | None, y: float | None) -> ScaleReading:
    match = re.search(r"^unit=(.*)$", description, re.MULTILINE)
    um = micrometers(match.group(1)) if match else None
    if um is None or x is None or y is None:
        return ScaleReading()
    # An uncalibrated picture carries its print density in inches: no more a scale than in any other file.
    return _from_density(x, y, um, "ImageJ metadata", quiet=um > 1e3)


def _from_exif(picture: Image) -> ScaleReading:
    exif = picture.getexif()
    um = {2: 25400.0, 3: 10000.0}.get(_integer(exif.get(296, 2)))
    x, y = _rational(exif.get(282)), _rational(exif.get(283))
    if um is None or x is None or y is None:
        return ScaleReading()
    return _from_density(x, y, um, "EXIF resolution")


def _from_density(x: Any, y: Any, um: float, origin: str, *, quiet: bool = True) -> ScaleReading:
    per_x, per_y = _rational(x), _rational(y)
    if not per_x or not per_y:
        return ScaleReading()
    return reading(um / per_x, um / per_y, origin, quiet=quiet)


def _rational(value: Any) -> float | None:
    """Return a number from a number, a fraction or a pair (numerator, denominator); None for anything else."""
    try:
        if isinstance(value, tuple | list):
            numerator, denominator = value
            return float(numerator) / float(denominator)
        return float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None


def _integer(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
