"""Stated probability against what is true, with how often each was stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.style import FAINT, SOFT, color_of, entitle, new_figure, panel_grid
from hemascope.stats.calibration import ReliabilityBin
from hemascope.stats.intervals import binomial_interval

_BARS = 20
_BAR_HEIGHT = 0.16
"""Of the most frequent probability, as a share of the panel."""


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityPanel:
    """One reliability diagram.

    Attributes
    ----------
    title
        Of the panel; "" for none.
    bins
        Of equal mass.
    stated
        N probabilities, 0 to 1.
    note
        Printed above, such as the calibration error.
    """

    title: str
    bins: tuple[ReliabilityBin, ...]
    stated: NDArray[np.float64]
    note: str


def draw_reliability(title: str, panels: Sequence[ReliabilityPanel], what: str) -> Any:
    """Return reliability diagrams, each over a histogram of what was stated.

    Parameters
    ----------
    title
        Of the figure.
    panels
        One or more.
    what
        What is right or not, for the upright axis: ``share right``.
    """
    one = len(panels) == 1
    figure = new_figure(4.2 if one else 2.6 * min(len(panels), 3), 4.3 if one else 2.9 * -(-len(panels) // 3))
    entitle(figure, title)
    for axes, panel in zip(panel_grid(figure, len(panels), 3), panels, strict=True):
        _draw(axes, panel)
        axes.set(xlabel="stated probability", ylabel=what)
    return figure


def _draw(axes: Any, panel: ReliabilityPanel) -> None:
    counts, edges = np.histogram(panel.stated, bins=np.linspace(0, 1, _BARS + 1))
    heights = counts / max(counts.max(), 1) * _BAR_HEIGHT
    axes.bar(edges[:-1], heights, width=1 / _BARS, align="edge", color=FAINT, alpha=0.6, edgecolor="white", zorder=0)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.9, zorder=1)
    x = np.array([bin_.confidence for bin_ in panel.bins])
    y = np.array([bin_.accuracy for bin_ in panel.bins])
    limits = np.array([binomial_interval(round(bin_.accuracy * bin_.count), bin_.count) for bin_ in panel.bins])
    reach = np.maximum(np.stack([y - limits[:, 0], limits[:, 1] - y]), 0)
    axes.errorbar(x, y, yerr=reach, fmt="o", color=color_of(0), markersize=4, linewidth=0.9, ecolor=SOFT)
    axes.set_title("\n".join(filter(None, (panel.title, panel.note))), fontweight="normal", fontsize=7.5)
    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015))
