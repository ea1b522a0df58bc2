"""Stated probability against what is true, with how often each was stated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hemascope.app.evaluation.drawing.style import FAINT, SOFT, color_of, entitle, new_figure
from hemascope.stats.calibration import ReliabilityBin
from hemascope.stats.intervals import binomial_interval

_STRIP_BINS = 20


def draw_reliability(title: str, bins: Sequence[ReliabilityBin], stated: ArrayLike, what: str, note: str) -> Any:
    """Return a reliability diagram over a histogram of what was stated.

    Parameters
    ----------
    title
        Of the figure.
    bins
        Of equal mass.
    stated
        N probabilities, 0 to 1.
    what
        What is right or not, for the upper axis: ``share right``.
    note
        Printed inside, such as the calibration error.
    """
    figure = new_figure(4.0, 4.8)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    entitle(figure, title)
    upper.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, zorder=0)
    limits = np.array([binomial_interval(round(bin_.accuracy * bin_.count), bin_.count) for bin_ in bins])
    x = np.array([bin_.confidence for bin_ in bins])
    y = np.array([bin_.accuracy for bin_ in bins])
    spread = np.maximum(np.abs(limits.T - y), 0)
    upper.errorbar(x, y, yerr=spread, fmt="o", color=color_of(0), markersize=4.5, linewidth=0.9, ecolor=SOFT)
    upper.text(0.03, 0.97, note, transform=upper.transAxes, va="top", fontsize=7.5)
    upper.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), ylabel=what)
    lower.hist(
        np.asarray(stated), bins=np.linspace(0, 1, _STRIP_BINS + 1).tolist(), color=color_of(5), edgecolor="white"
    )
    lower.set(xlabel="stated probability", ylabel="patients")
    return figure
