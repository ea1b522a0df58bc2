"""White cells as dots of a map: where they are, how strange they are, and what says so."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hemascope.core.prediction import CellPrediction
from hemascope.core.report import CellResult, FieldResult
from hemascope.core.taxonomy import DISPLAY_NAMES, UNIDENTIFIED, CellType

BINS = (0.5, 0.8, 1.0, 1.5)
"""Anomalies between which dots have one color; from 1 on a cell is unlike everything learned."""

BIN_SIZES = (0.75, 0.85, 1.0, 1.4, 1.7)
"""Radius of a dot in each bin: color is not all that tells them apart."""

MAP_BINS = tuple(
    zip(
        ("q0", "q1", "q2", "q3", "q4"),
        ("below 0.5", "0.5 to 0.8", "0.8 to 1", "1 to 1.5: unlike everything learned", "above 1.5"),
        strict=True,
    )
)
"""Style of a dot to what it says."""

RANKS = (0.5, 0.8, 0.9, 0.97)
"""Shares of a smear's cells between which dots have one color, where the smear as a whole is strange."""

RANK_BINS = tuple(
    zip(
        ("q0", "q1", "q2", "q3", "q4"),
        ("lower half of this smear", "to 80%", "to 90%", "to 97%", "strangest 3% of this smear"),
        strict=True,
    )
)
"""Style of a dot to what it says there."""

LABELS = (*(cell_type.value for cell_type in CellType), UNIDENTIFIED)

COLUMNS = 9
"""Numbers of a dot: field, cell, x and y as shares of width and height, anomaly, label, type told, confidence, and
whether it is disputed."""


def limits_within(anomalies: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the limits of bins that rank known anomalies within their smear; there is at least one."""
    return tuple(float(limit) for limit in np.nanquantile(anomalies, RANKS))


def draw_dots(
    dots: NDArray[np.float32],
    linked: NDArray[np.bool_],
    height: float,
    radius: float,
    limits: Sequence[float] = BINS,
) -> str:
    """Return the dots of one field as SVG, the strangest last and so on top.

    Parameters
    ----------
    dots
        N x 9: field, cell, x and y as shares of width and height, anomaly, label, type told, confidence, disputed.
    linked
        N, whether a dot leads to its cell.
    height
        Of the box, which is 100 wide.
    radius
        Of a dot of the middle bin.
    limits
        Anomalies between which dots have one color.
    """
    order = np.argsort(rank(dots), kind="stable")
    plain: dict[int, list[str]] = {}
    drawn = []
    for row, leads in zip(dots[order].tolist(), linked[order].tolist(), strict=True):
        x, y, place = 100 * row[2], height * row[3], bin_of(row[4], limits)
        if leads:
            drawn.append(_linked(row, x, y, radius * BIN_SIZES[place] if place >= 0 else radius * 0.75, place))
        else:
            plain.setdefault(place, []).append(f"M{x:.1f} {y:.1f}h0")
    merged = (f'<path class="{_name(place)} dot" d="{"".join(plain[place])}"/>' for place in sorted(plain))
    return "".join((*merged, *drawn))


def bin_of(anomaly: float, limits: Sequence[float] = BINS) -> int:
    """Return the number of the color of an anomaly, 0 to 4; -1 where it is not known. A cell at a limit is below it."""
    return -1 if math.isnan(anomaly) else int(np.searchsorted(limits, anomaly, side="left"))


def _linked(row: Sequence[float], x: float, y: float, radius: float, place: int) -> str:
    anchor = f"c{row[0]:.0f}-{row[1]:.0f}"
    label = DISPLAY_NAMES[LABELS[int(row[5])]]
    if row[6] < 0:
        title = f"{label}; not judged"
    else:
        told = f"{DISPLAY_NAMES[LABELS[int(row[6])]]} {row[7]:.0%}"
        title = f"{label}; generative model: {told}; anomaly {row[4]:.2f}"
    if row[8]:
        r = radius * 1.35
        way = f"M{x:.1f} {y - r:.1f}l{r:.1f} {r:.1f}-{r:.1f} {r:.1f}-{r:.1f}-{r:.1f}z"
        shape = f'<path class="{_name(place)} x" d="{way}"/>'
    else:
        shape = f'<circle class="{_name(place)}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
    return f'<a href="#{anchor}" tabindex="-1">{shape}<title>{title}</title></a>'


def _name(place: int) -> str:
    return f"q{place}" if place >= 0 else "qn"


def rank(dots: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return N numbers, the greater the sooner a dot is to be seen: anomaly, and more where types are disputed."""
    known = np.nan_to_num(dots[:, 4], nan=-1.0)
    return np.asarray(known + 0.25 * dots[:, 8], np.float32)


def numbers_of(result: FieldResult, number: int, index: int, cell: CellResult) -> Iterable[float]:
    """Return the row of one cell."""
    x, y = cell.cell.outline.centroid
    place = (number, index, x / result.field.width, y / result.field.height)
    label = LABELS.index(cell.label or UNIDENTIFIED)
    return (*place, *_judged(cell.prediction, label))


def _judged(prediction: CellPrediction | None, label: int) -> tuple[float, ...]:
    judgement = prediction.judgement if prediction else None
    if prediction is None or judgement is None:
        return (math.nan, label, -1, 0, 0)
    told = LABELS.index(judgement.cell_type.value)
    return (judgement.anomaly, label, told, judgement.confidence, float(prediction.disputed))
