"""ROC and precision-recall curves, several in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.style import FAINT, SOFT, color_of, dash_of, entitle, new_figure


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One curve of a figure.

    Attributes
    ----------
    label
        For the legend.
    x, y
        Its points, 0 to 1.
    marks
        Working points on it: marker of matplotlib, x, y.
    level
        Share of positives: where a curve of precision and recall lies by chance.
    """

    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    marks: tuple[tuple[str, float, float], ...] = ()
    level: float | None = None


MARKS = {"o": "Youden threshold", "s": "threshold of fixed sensitivity"}
"""What the marks on curves mean."""


def draw_roc(title: str, lines: Sequence[Line]) -> Any:
    """Return ROC curves with their working points."""
    figure, axes = _square(title, lines)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, zorder=0)
    for place, line in enumerate(lines):
        axes.plot(line.x, line.y, color=color_of(place), linestyle=dash_of(place), label=line.label)
        _mark(axes, line, place)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity")
    _legend(figure, axes, lines)
    return figure


def draw_precision_recall(title: str, lines: Sequence[Line]) -> Any:
    """Return precision-recall curves, each with a dotted line at its share of positives."""
    figure, axes = _square(title, lines)
    for place, line in enumerate(lines):
        if line.level is not None:
            axes.axhline(line.level, color=color_of(place), linewidth=0.7, linestyle=":", alpha=0.7)
        axes.plot(
            line.x, line.y, color=color_of(place), linestyle=dash_of(place), label=line.label, drawstyle="steps-pre"
        )
        _mark(axes, line, place)
    axes.set(xlabel="recall (sensitivity)", ylabel="precision (positive predictive value)")
    _legend(figure, axes, lines)
    return figure


def _square(title: str, lines: Sequence[Line]) -> tuple[Any, Any]:
    figure = new_figure(4.2, 4.6 + 0.17 * len(lines))
    axes = figure.subplots()
    entitle(figure, title)
    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), aspect="equal")
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))
    return figure, axes


def _mark(axes: Any, line: Line, place: int) -> None:
    for marker, x, y in line.marks:
        axes.plot([x], [y], marker, color=color_of(place), markersize=5.5, markeredgecolor="white", clip_on=False)


def _legend(figure: Any, axes: Any, lines: Sequence[Line]) -> None:
    """Put the legend below the axes: curves cross everywhere inside."""
    used = {marker for line in lines for marker, _, _ in line.marks}
    for marker, meaning in MARKS.items():
        if marker in used:
            axes.plot([], [], marker, color=SOFT, markersize=5, label=meaning)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.15), handlelength=2.2, borderaxespad=0)
