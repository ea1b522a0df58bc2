"""What would have to change for a cell to be of another type: pictures and plain, measured sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemascope.core.explanation import AnswerCheck, Counterfactual, RegionChange
from hemascope.core.taxonomy import DISPLAY_NAMES
from hemascope.reporting.pictures import encode

DARKER, LIGHTER = (0, 90, 181), (230, 120, 0)
"""Blue and orange, told apart with color vision deficiency; what they lie on is gray."""

FULL_COLOR = 0.05
"""Change of transmittance shown in full color, alike in every picture."""

SHOWN_PIXELS = 192

LIMITS = (
    "This is what the model would need to see, not why the cell is as it is, and no finding on the cell. A change is "
    "marked where it is beyond chance and more than too little to matter; what is unmarked may still count. Where the "
    "edited cell is not taken for the other type, the picture does not show what tells the two apart."
)
"""What a reader must know of these pictures."""

_LEAST_SHARE = 0.05
"""Parts with less of their area marked are not named in a sentence."""

_LEAST_LIGHT = 0.01
_QUALITY = 85
_MOST_OPAQUE = 0.9


class ExplanationCard(NamedTuple):
    """One cell and one other type on the page; pictures are WebP."""

    cell_id: str
    current: str
    target: str
    cell: bytes
    change: bytes
    edited: bytes
    sentences: tuple[str, str, str]


def explanation_cards(explanations: Sequence[Counterfactual]) -> list[ExplanationCard]:
    """Return what the page shows, in order."""
    return [
        ExplanationCard(
            found.cell_id,
            found.current.value,
            found.target.value,
            encode(enlarged(found.crop), _QUALITY),
            encode(draw_change(found), _QUALITY),
            encode(enlarged(found.edited), _QUALITY),
            sentences(found),
        )
        for found in explanations
    ]


def method_sentence(explanations: Sequence[Counterfactual]) -> str:
    """Return how the pictures were made, with the model and its trials; "" where there are none."""
    if not explanations:
        return ""
    how = explanations[0].method
    return (
        f"Made by {how.model.name} {how.model.version} with {2 * how.pairs} trials a map (pairs of opposite noise that "
        f"both types share, seed {how.seed}). Marked: more than {how.least:g} of the light, false discovery rate "
        f"{100 * how.false_discovery_rate:g}%. Edited by DDIM up to {100 * how.reach:g}% of the noise schedule and "
        f"back, {how.edit_passes} steps each way{_guided(how.guidance)}. {how.passes:,} passes of the model a picture."
    )


def sentences(found: Counterfactual) -> tuple[str, str, str]:
    """Return what is marked, how the edited cell differs, and what it is taken for: all of it measured."""
    return mark_sentence(found), edit_sentence(found), check_sentence(found)


def mark_sentence(found: Counterfactual) -> str:
    """Return what is marked, part by part."""
    named = [part for part in found.regions if part.darker + part.lighter >= _LEAST_SHARE]
    target = _name(found.target)
    if not named:
        return f"Toward {target}, hardly anything is marked ({100 * found.marked_share:.0f}% of the view)."
    return f"Toward {target}, marked: {'; '.join(map(_marked, named))}."


def edit_sentence(found: Counterfactual) -> str:
    """Return how the edited cell differs, part by part; "" where no part does by a point of the light."""
    named = [part for part in found.regions if max(map(abs, part.edited_transmittance)) >= _LEAST_LIGHT]
    if not named:
        return ""
    return (
        f"Edited: {'; '.join(map(_edited, named))}. Points are hundredths of the light that passes glass, on average."
    )


def check_sentence(found: Counterfactual) -> str:
    """Return whether the edited cell is taken for the type asked about."""
    check, target = found.check, _name(found.target)
    verdict = "takes" if check.answer is found.target else "does not take"
    other = "" if check.answer is found.target else f" but for {_name(check.answer)}"
    return (
        f"The classifier {verdict} the edited cell for {target}{other}: {_percent(check.before[1])} before, "
        f"{_percent(check.after[1])} after. {_leaning(check)}"
    )


def draw_change(found: Counterfactual, side: int = SHOWN_PIXELS) -> NDArray[np.uint8]:
    """Return the cell in gray with its marked change on it: blue where darker, orange where lighter, outlined.

    The stronger the color, the larger the mean change over red, green and blue (its square root, full at
    ``FULL_COLOR``). Where the color changes but not the brightness, the outline stands alone; it is smoothed, so that
    single pixels have none.

    Returns
    -------
    side x side x 3 uint8 RGB.
    """
    import cv2

    gray = enlarged(found.crop, side).mean(axis=2, keepdims=True)
    base = np.repeat(0.55 * gray + 0.45 * 255, 3, axis=2)
    light = cv2.resize(found.change.mean(axis=2), (side, side), interpolation=cv2.INTER_LINEAR)
    soft = cv2.resize(found.marked.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    marked = (cv2.GaussianBlur(soft, (0, 0), side / len(found.marked)) > 0.5).astype(np.uint8)
    opacity = _MOST_OPAQUE * np.sqrt(np.clip(np.abs(light) / FULL_COLOR, 0, 1)) * soft
    color = np.where((light < 0)[..., None], np.array(DARKER, np.float32), np.array(LIGHTER, np.float32))
    mixed = np.round(base * (1 - opacity[..., None]) + color * opacity[..., None]).astype(np.uint8)
    outlines, _ = cv2.findContours(marked, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(mixed, outlines, -1, (40, 40, 40), 1), np.uint8)


def draw_panel(found: Counterfactual, side: int = 2 * SHOWN_PIXELS) -> NDArray[np.uint8]:
    """Return cell, marked change and edited cell side by side with a gap; side x 3 side + gaps x 3 uint8 RGB."""
    gap = np.full((side, side // 32, 3), 255, np.uint8)
    return np.hstack([enlarged(found.crop, side), gap, draw_change(found, side), gap, enlarged(found.edited, side)])


def enlarged(pixels: NDArray[np.uint8], side: int = SHOWN_PIXELS) -> NDArray[np.uint8]:
    """Return a square picture at ``side`` x ``side`` pixels."""
    import cv2

    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def _marked(part: RegionChange) -> str:
    shares = [(part.darker, "darker"), (part.lighter, "lighter")]
    said = " and ".join(f"{word} in {100 * share:.0f}%" for share, word in shares if share >= 0.01)
    return f"the {part.region} {said} of its area"


def _edited(part: RegionChange) -> str:
    colors = zip(("red", "green", "blue"), part.edited_transmittance, strict=True)
    points = [(round(100 * value), name) for name, value in colors]
    light = ", ".join(f"{abs(count)} {'less' if count < 0 else 'more'} {name}" for count, name in points if count)
    density = round(part.edited_density, 2) + 0.0  # no minus before a zero
    return f"the {part.region} lets through {light} points of light (optical density {density:+.2f})"


def _leaning(check: AnswerCheck) -> str:
    way = "explains it better as that" if check.leaning_after > 0 else "still explains it better as what it was"
    return (
        f"The model itself {way} ({100 * check.leaning_before:+.1f}% before, {100 * check.leaning_after:+.1f}% after)."
    )


def _guided(guidance: float) -> str:
    return "" if guidance == 1.0 else f", the difference of the two types taken {guidance:g} times"


def _name(cell_type: str) -> str:
    return DISPLAY_NAMES[cell_type].lower()


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
