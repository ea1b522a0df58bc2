"""How often quality findings are raised: on fields as they are, and on copies degraded on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import ScaleError
from hemascope.core.smear import Field, QcStatus
from hemascope.qc.assess import assess

Pixels = NDArray[np.uint8]
Color = tuple[int, int, int]

_INKS: Mapping[str, Color] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "yellow": (255, 255, 0),
    "blue": (0, 0, 255),
}


@dataclass(frozen=True, slots=True)
class Degradation:
    """One way to spoil a field.

    Attributes
    ----------
    name
        What is done, in words.
    code
        The finding that should be raised.
    apply
        Takes H x W x 3 uint8 RGB pixels and um per pixel; returns spoiled pixels of the same shape.
    """

    name: str
    code: str
    apply: Callable[[Pixels, float], Pixels]


@dataclass(frozen=True, slots=True)
class FindingCounts:
    """How many fields a finding was raised on; a field that raised it undegraded is left out of all three.

    Attributes
    ----------
    fields
        Fields that did not raise it before.
    found
        Those that raise it degraded, as warning or failure.
    failed
        Those that fail by it.
    """

    fields: int
    found: int
    failed: int


def degradations() -> tuple[Degradation, ...]:
    """Return every degradation, in the order of the table in docs/quality.md."""
    lettered = [(f"{name} label{after}", ink, quality) for name, ink in _INKS.items() for after, quality in _SAVED]
    barred = [(f"{name} scale bar{after}", ink, quality) for name, ink in _INKS.items() for after, quality in _SAVED]
    return (
        *(
            Degradation(f"Gaussian blur {um} um", "out_of_focus", partial(_blurred, um=um))
            for um in (0.5, 0.75, 1.0, 2.0)
        ),
        *(Degradation(f"brightness x {by}", "overexposed", partial(_brightened, by=by)) for by in (1.6, 2.2)),
        *(Degradation(f"brightness x {by}", "underexposed", partial(_brightened, by=by)) for by in (0.4, 0.2)),
        *(Degradation(n, "painted_lines", partial(_barred, ink=ink, quality=q)) for n, ink, q in barred),
        *(Degradation(n, "painted_text", partial(_lettered, ink=ink, quality=q)) for n, ink, q in lettered),
        Degradation("black bands above and below, 5% each", "frame", _banded),
    )


_SAVED: tuple[tuple[str, int | None], ...] = (("", None), (", then JPEG quality 75", 75))


def count_verdicts(fields: Iterable[Field]) -> Counter[str]:
    """Return how many fields have each status (``pass``, ``warn``, ``fail``) and raise each code."""
    counts: Counter[str] = Counter()
    for field in fields:
        verdict = assess(field)
        counts.update({str(verdict.status), *(reason.code for reason in verdict.reasons)})
    return counts


def count_findings(fields: Iterable[Field], degradation: Degradation) -> FindingCounts:
    """Return how often ``degradation`` is found in ``fields``.

    Raises
    ------
    ScaleError
        If a field has no scale: a blur is given in um.
    """
    counts = [0, 0, 0]
    for field in fields:
        if field.scale is None:
            raise ScaleError(f"{field.id}: a field to be degraded needs a scale; state its um per pixel")
        if degradation.code in _raised(field):
            continue
        status = _raised(replace(field, pixels=degradation.apply(field.pixels, field.scale.mpp))).get(degradation.code)
        counts = [counts[0] + 1, counts[1] + (status is not None), counts[2] + (status is QcStatus.FAIL)]
    return FindingCounts(*counts)


def _raised(field: Field) -> dict[str, QcStatus]:
    return {reason.code: reason.status for reason in assess(field).reasons}


def _blurred(pixels: Pixels, mpp: float, um: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), um / mpp), np.uint8)


def _brightened(pixels: Pixels, mpp: float, by: float) -> Pixels:
    return np.asarray(np.clip(np.rint(pixels.astype(np.float32) * by), 0, 255), np.uint8)


def _barred(pixels: Pixels, mpp: float, ink: Color, quality: int | None) -> Pixels:
    out = pixels.copy()
    height, width = out.shape[:2]
    bottom, right = height - max(4, height // 24), width - max(4, width // 32)
    cv2.rectangle(out, (right - width // 6, bottom - max(3, height // 120)), (right, bottom), ink, -1)
    return _saved(out, quality)


def _lettered(pixels: Pixels, mpp: float, ink: Color, quality: int | None) -> Pixels:
    out = pixels.copy()
    size = out.shape[0] / 480
    place = (round(12 * size), round(466 * size))
    cv2.putText(out, "100x", place, cv2.FONT_HERSHEY_SIMPLEX, 0.8 * size, ink, max(1, round(2 * size)), cv2.LINE_AA)
    return _saved(out, quality)


def _banded(pixels: Pixels, mpp: float) -> Pixels:
    out = pixels.copy()
    side = max(1, round(out.shape[0] * 0.05))
    out[:side], out[-side:] = 0, 0
    return out


def _saved(pixels: Pixels, quality: int | None) -> Pixels:
    """Return the pixels as they are, or as a JPEG of ``quality`` leaves them."""
    if quality is None:
        return pixels
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
