"""Whether an encoder keeps the contract of its port: a list of rules, tried on painted crops.

::

    from hemascope.evaluate.encoder_conformance import check_encoder

    for violation in check_encoder(mine):
        print(violation)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.embedding import EncoderSpec, encoder_digest
from hemascope.core.ports import Encoder
from hemascope.core.units import Microns
from hemascope.evaluate.identity_faults import identity_faults
from hemascope.synth.smear import paint_field

PROBES = 19
"""Crops tried together: more than one batch of 16."""

BATCH_TOLERANCE = 1e-3
"""Greatest difference of one crop's embedding in another batch, relative to the largest magnitude of all."""

PRECISIONS = ("fp32", "fp64", "bf16", "fp16", "int8")


class EncoderRule(StrEnum):
    """What an encoder promises."""

    IDENTITY = "identity"
    SPEC = "spec"
    STABLE = "stable"
    SHAPE = "shape"
    FLOAT32 = "float32"
    FINITE = "finite"
    REPEATS = "repeats"
    ALONE = "alone"
    TELLS_APART = "tells_apart"
    UNTOUCHED = "untouched"
    EMPTY = "empty"
    WRONG_SIZE = "wrong_size"


ENCODER_MEANINGS: dict[EncoderRule, str] = {
    EncoderRule.IDENTITY: "It names what answers: name, version, backend, license in words, and a digest or none.",
    EncoderRule.SPEC: "It says what it takes and gives, in positive sizes, a known precision and words.",
    EncoderRule.STABLE: "Identity, specification and their digest are the same before and after it answered.",
    EncoderRule.SHAPE: "It returns an array of one row a crop, as long as it says.",
    EncoderRule.FLOAT32: "The rows are float32.",
    EncoderRule.FINITE: "No crop, not even a black, white or noisy one, gives a number that is not finite.",
    EncoderRule.REPEATS: "The same crops give the same rows, bit by bit.",
    EncoderRule.ALONE: "A row depends on its crop alone, not on the others, their number or order.",
    EncoderRule.TELLS_APART: "Different cells give different rows.",
    EncoderRule.UNTOUCHED: "It does not change the pixels of a crop, and takes pixels that cannot be written to.",
    EncoderRule.EMPTY: "No crops give no rows, as long as it says.",
    EncoderRule.WRONG_SIZE: "A crop that is not of its size is refused with ValueError, wherever it stands.",
}
"""Every rule in a sentence."""


@dataclass(frozen=True, slots=True)
class EncoderViolation:
    """One rule that was not kept.

    Attributes
    ----------
    rule
        Which.
    message
        What was seen.
    """

    rule: EncoderRule
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


def check_encoder(
    encoder: Encoder, rules: Collection[EncoderRule] = frozenset(EncoderRule)
) -> tuple[EncoderViolation, ...]:
    """Return every violation of ``rules``; none where the encoder conforms.

    Parameters
    ----------
    encoder
        Any object that may be one.
    rules
        All where left out.
    """
    found = [*_identity(encoder.identity), *_spec(encoder.spec)]
    if not found:
        before = encoder_digest(encoder.identity, encoder.spec)
        found += [*_answers(encoder), *_empty(encoder), *_wrong_size(encoder)]
        if encoder_digest(encoder.identity, encoder.spec) != before:
            found.append(EncoderViolation(EncoderRule.STABLE, "identity or specification changed while it answered"))
    return tuple(violation for violation in found if violation.rule in rules)


def painted_crops(spec: EncoderSpec, count: int = PROBES) -> list[CellCrop]:
    """Return crops of the size an encoder takes: painted cells, and a black, a white, a gray and a noisy one.

    They cannot be written to.
    """
    side, rng = spec.crop_px, np.random.default_rng(0)
    pixels = paint_field(3, width=6 * side, height=2 * side, mpp=0.1).field.pixels
    views = [pixels[y : y + side, x : x + side] for y in (0, side) for x in range(0, 6 * side, side)]
    noise = rng.integers(0, 256, (max(count - 15, 1), side, side, 3)).astype(np.uint8)
    images = [*(np.full((side, side, 3), level, np.uint8) for level in (0, 255, 128)), *noise, *views][:count]
    crops = []
    for index, image in enumerate(images):
        kept = np.ascontiguousarray(image)
        kept.flags.writeable = False
        crops.append(CellCrop(f"folder/a #1.png#{index}", kept, Microns(spec.crop_um or 25.0)))
    return crops


def _identity(identity: object) -> Iterator[EncoderViolation]:
    for fault in identity_faults(identity):
        yield EncoderViolation(EncoderRule.IDENTITY, fault)


def _spec(spec: object) -> Iterator[EncoderViolation]:
    if not isinstance(spec, EncoderSpec):
        yield EncoderViolation(EncoderRule.SPEC, f"spec is {type(spec).__name__}, not EncoderSpec")
        return
    for part in ("transform", "stain"):
        if not getattr(spec, part):
            yield EncoderViolation(EncoderRule.SPEC, f"spec has no {part}")
    if spec.precision not in PRECISIONS:
        yield EncoderViolation(EncoderRule.SPEC, f"precision '{spec.precision}' is none of {', '.join(PRECISIONS)}")


def _answers(encoder: Encoder) -> Iterator[EncoderViolation]:
    crops = painted_crops(encoder.spec)
    before = [crop.pixels.tobytes() for crop in crops]
    rows, faults = _encoded(encoder, crops)
    yield from faults
    if rows is None:
        return
    if [crop.pixels.tobytes() for crop in crops] != before:
        yield EncoderViolation(EncoderRule.UNTOUCHED, "the pixels of a crop changed")
    again = _encoded(encoder, crops)[0]
    if again is None or again.tobytes() != rows.tobytes():
        yield EncoderViolation(EncoderRule.REPEATS, "a second look at the same crops gave other rows")
    if len({row.tobytes() for row in rows[-4:]}) < 4:
        yield EncoderViolation(EncoderRule.TELLS_APART, "different painted views gave equal rows")
    yield from _alone(encoder, crops, rows)


def _alone(encoder: Encoder, crops: Sequence[CellCrop], rows: NDArray[np.float32]) -> Iterator[EncoderViolation]:
    """Compare rows of one batch with those of other batches."""
    scale = max(float(np.abs(rows).max()), 1e-12)
    for name, order in (
        ("in reverse order", range(len(crops))[::-1]),
        ("alone", range(len(crops) - 1, len(crops))),
        ("three at a time", range(5, 8)),
    ):
        other = _encoded(encoder, [crops[i] for i in order])[0]
        if other is None:
            yield EncoderViolation(EncoderRule.ALONE, f"crops {name} gave no rows")
            continue
        difference = float(np.abs(other - rows[list(order)]).max()) / scale
        if not difference <= BATCH_TOLERANCE:
            yield EncoderViolation(EncoderRule.ALONE, f"a crop {name} differs by {difference:.2g} of the largest value")


def _encoded(encoder: Encoder, crops: Sequence[CellCrop]) -> tuple[NDArray[np.float32] | None, list[EncoderViolation]]:
    """Return the rows, or None where they are none to compare, and what was wrong with them."""
    try:
        rows: object = encoder.encode(crops)
    except Exception as error:  # noqa: BLE001  (whatever is raised is what the rule is about)
        return None, [EncoderViolation(EncoderRule.SHAPE, f"raised {type(error).__name__}: {error}")]
    wanted = (len(crops), encoder.spec.dimension)
    if not isinstance(rows, np.ndarray) or rows.shape != wanted:
        shape = getattr(rows, "shape", type(rows).__name__)
        return None, [EncoderViolation(EncoderRule.SHAPE, f"{len(crops)} crops gave {shape}, not {wanted}")]
    faults = []
    if rows.dtype != np.float32:
        faults.append(EncoderViolation(EncoderRule.FLOAT32, f"rows are {rows.dtype}"))
    if not np.isfinite(rows).all():
        faults.append(EncoderViolation(EncoderRule.FINITE, f"{int((~np.isfinite(rows)).sum())} numbers are not finite"))
    return rows, faults


def _empty(encoder: Encoder) -> Iterator[EncoderViolation]:
    for fault in _encoded(encoder, [])[1]:
        yield EncoderViolation(EncoderRule.EMPTY, fault.message)


def _wrong_size(encoder: Encoder) -> Iterator[EncoderViolation]:
    side, [good] = encoder.spec.crop_px, painted_crops(encoder.spec, 1)
    for height, width in ((side + 1, side + 1), (side, side + 14), (max(side // 2, 1), side)):
        odd = CellCrop("odd", np.zeros((height, width, 3), np.uint8), good.width)
        for crops in ([odd], [good, odd]):
            try:
                encoder.encode(crops)
            except ValueError:
                continue
            except Exception as error:  # noqa: BLE001  (any other error is the violation)
                message = f"a crop of {width} x {height} px raised {type(error).__name__}, not ValueError: {error}"
            else:
                message = f"a crop of {width} x {height} px was not refused"
            yield EncoderViolation(EncoderRule.WRONG_SIZE, message)
