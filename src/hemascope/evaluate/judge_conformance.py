"""Whether a judge of cells keeps the contract of its port: a list of rules, tried on painted crops.

::

    from hemascope.evaluate.judge_conformance import check_judge

    for violation in check_judge(mine):
        print(violation)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hemascope.core.cell import CellCrop
from hemascope.core.ports import CellJudge
from hemascope.core.prediction import CellPrediction, GenerativeJudgement
from hemascope.core.provenance import ModelIdentity
from hemascope.core.taxonomy import CellType
from hemascope.core.units import Microns
from hemascope.synth.smear import paint_field

TOLERANCE = 1e-3
"""Difference of a number between a cell alone and among others, of the number or absolute: sums in another order."""

Crops = Mapping[tuple[int, float], Sequence[CellCrop]]


class JudgeRule(StrEnum):
    """What a judge promises."""

    IDENTITIES = "identities"
    CROP_SIZES = "crop_sizes"
    ANSWERS = "answers"
    UNTOUCHED = "untouched"
    REPEATS = "repeats"
    ALONE = "alone"
    EMPTY = "empty"
    MISSING = "missing"


MEANINGS: dict[JudgeRule, str] = {
    JudgeRule.IDENTITIES: "It names everything that answers: at least one model, each once.",
    JudgeRule.CROP_SIZES: "It names each size of the crops it takes once: pixels and um, both positive.",
    JudgeRule.ANSWERS: "It returns a list of one GenerativeJudgement a cell, whatever the crops show.",
    JudgeRule.UNTOUCHED: "It does not change the pixels of a crop.",
    JudgeRule.REPEATS: "The same cells get the same judgements.",
    JudgeRule.ALONE: "A judgement does not depend on what else is judged, within TOLERANCE.",
    JudgeRule.EMPTY: "No cells get an empty list.",
    JudgeRule.MISSING: "A size without a crop a cell is refused with ValueError.",
}
"""Every rule in a sentence."""


@dataclass(frozen=True, slots=True)
class JudgeViolation:
    """A rule that was not kept, and what was seen."""

    rule: JudgeRule
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


def check_judge(judge: CellJudge) -> tuple[JudgeViolation, ...]:
    """Return every violation; none where the judge conforms.

    Parameters
    ----------
    judge
        Any object that may be one.
    """
    found = [*_identities(judge), *_sizes(judge)]
    if any(violation.rule is JudgeRule.CROP_SIZES for violation in found):
        return tuple(found)
    return (*found, *_answers(judge), *_missing(judge))


def painted_cells(sizes: Sequence[tuple[int, float]]) -> tuple[Crops, list[CellPrediction]]:
    """Return eight cells, painted ones, noise, black and a ramp: crops of every size, and predictions of all types."""
    pixels = paint_field(3, width=1024, height=512, mpp=0.1).field.pixels
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 256, 3))
    views = [
        *(pixels[:256, x : x + 256] for x in range(0, 1024, 256)),
        pixels[256:, :256],
        noise,
        np.zeros_like(noise),
        ramp,
    ]
    crops = {size: [_crop(f"folder/a #1.png#{k}", view, size) for k, view in enumerate(views)] for size in sizes}
    predictions = [
        CellPrediction(f"folder/a #1.png#{k}", np.eye(len(CellType))[k % len(CellType)], 0.5) for k in range(len(views))
    ]
    return crops, predictions


def _crop(name: str, view: NDArray[np.uint8], size: tuple[int, float]) -> CellCrop:
    side, width = size
    places = np.arange(side) * len(view) // side
    pixels = np.ascontiguousarray(view[places][:, places])
    pixels.flags.writeable = False
    return CellCrop(name, pixels, Microns(width))


def _identities(judge: CellJudge) -> Iterator[JudgeViolation]:
    identities: object = judge.identities
    if not isinstance(identities, tuple) or not identities or not all(isinstance(i, ModelIdentity) for i in identities):
        yield JudgeViolation(JudgeRule.IDENTITIES, f"identities are {identities}, not models")
    elif len(set(identities)) != len(identities):
        yield JudgeViolation(JudgeRule.IDENTITIES, "a model is named twice")


def _sizes(judge: CellJudge) -> Iterator[JudgeViolation]:
    sizes = judge.crop_sizes
    if len(set(sizes)) != len(sizes) or not all(side > 0 and width > 0 for side, width in sizes):
        yield JudgeViolation(JudgeRule.CROP_SIZES, f"crop sizes are {sizes}")


def _answers(judge: CellJudge) -> Iterator[JudgeViolation]:
    crops, predictions = painted_cells(judge.crop_sizes)
    before = [crop.pixels.tobytes() for cut in crops.values() for crop in cut]
    found, fault = _judged(judge, crops, predictions)
    if fault:
        yield JudgeViolation(JudgeRule.ANSWERS, fault)
        return
    if [crop.pixels.tobytes() for cut in crops.values() for crop in cut] != before:
        yield JudgeViolation(JudgeRule.UNTOUCHED, "the pixels of a crop changed")
    if _judged(judge, crops, predictions)[0] != found:
        yield JudgeViolation(JudgeRule.REPEATS, "a second look at the same cells gave other judgements")
    for place in (0, len(predictions) - 2):
        one = {size: cut[place : place + 1] for size, cut in crops.items()}
        alone, fault = _judged(judge, one, predictions[place : place + 1])
        if fault or not _alike(alone[0], found[place]):
            yield JudgeViolation(JudgeRule.ALONE, fault or f"{alone[0]} alone, {found[place]} among others")
    empty, fault = _judged(judge, dict.fromkeys(crops, ()), [])
    if fault or empty:
        yield JudgeViolation(JudgeRule.EMPTY, fault or f"{len(empty)} judgements of no cells")


def _missing(judge: CellJudge) -> Iterator[JudgeViolation]:
    crops, predictions = painted_cells(judge.crop_sizes)
    tries: tuple[tuple[str, Crops], ...] = (
        ("no crops at all", {}),
        ("one too few", {size: cut[1:] for size, cut in crops.items()}),
    )
    for said, given in tries:
        try:
            judge.judge(given, predictions)
        except ValueError:
            continue
        except Exception as error:  # noqa: BLE001  (any other error is the violation)
            yield JudgeViolation(JudgeRule.MISSING, f"{said}: raised {type(error).__name__}, not ValueError: {error}")
            continue
        yield JudgeViolation(JudgeRule.MISSING, f"{said}: was not refused")


def _judged(
    judge: CellJudge, crops: Crops, predictions: Sequence[CellPrediction]
) -> tuple[list[GenerativeJudgement], str]:
    """Return the judgements, and what was wrong with the answer itself."""
    try:
        found: object = judge.judge(crops, predictions)
    except Exception as error:  # noqa: BLE001  (whatever is raised is what the rule is about)
        return [], f"raised {type(error).__name__}: {error}"
    if not isinstance(found, list) or not all(isinstance(one, GenerativeJudgement) for one in found):
        return [], f"returned {type(found).__name__}, not a list of judgements"
    return found, "" if len(found) == len(predictions) else f"{len(found)} judgements of {len(predictions)} cells"


def _alike(first: GenerativeJudgement, second: GenerativeJudgement) -> bool:
    names = ("confidence", "zeta", "anomaly")
    pairs = [(getattr(first, name), getattr(second, name)) for name in names]
    close = all(abs(a - b) <= TOLERANCE * max(1.0, abs(b)) for a, b in pairs)
    return close and first.cell_type is second.cell_type
