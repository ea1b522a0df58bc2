"""Clouds of patients: a probability against a measure, a number told against the number measured, sizes of bags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.style import (
    COLORS,
    FAINT,
    INK,
    SOFT,
    color_of,
    entitle,
    new_figure,
    panel_grid,
    words,
)

_MARKERS = "osD^vPX*"
"""A marker a class, so that classes are told apart without color too."""


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """One panel: patients by a measure and a probability.

    Attributes
    ----------
    title
        Of the panel: what is correlated, and how strongly.
    x, y
        N numbers each.
    x_label, y_label
        With unit.
    groups
        N class numbers, -1 for unknown.
    """

    title: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_label: str
    y_label: str
    groups: NDArray[np.intp]


def draw_clouds(title: str, clouds: Sequence[Cloud], names: Sequence[str]) -> Any:
    """Return panels of patients, colored by class."""
    across = min(3, len(clouds))
    down = -(-len(clouds) // across)
    figure = new_figure(max(2.7 * across, 4.2), 2.55 * down + 0.9)
    entitle(figure, title)
    grid = panel_grid(figure, len(clouds), 3)
    for axes, cloud in zip(grid, clouds, strict=True):
        _points(axes, cloud.x, cloud.y, cloud.groups, names)
        axes.set_title(cloud.title, fontweight="normal", fontsize=7.5)
        axes.set(xlabel=cloud.x_label, ylabel=cloud.y_label, ylim=(-0.03, 1.03))
    _classes_below(figure, grid, len(names))
    return figure


def draw_numbers(title: str, told: NDArray[np.float64], true: NDArray[np.float64], what: str, note: str) -> Any:
    """Return what was told against what was measured, and their difference over their mean (Bland and Altman)."""
    figure = new_figure(7.0, 3.5)
    left, right = figure.subplots(1, 2)
    entitle(figure, title)
    ends = [float(min(true.min(), told.min())), float(max(true.max(), told.max()))]
    left.plot(ends, ends, color=FAINT, linewidth=0.9, zorder=0)
    left.plot(true, told, "o", color=color_of(0), markersize=3, alpha=0.55, markeredgewidth=0)
    left.set(xlabel=f"measured {what}", ylabel=f"told {what}")
    left.text(0.03, 0.97, note, transform=left.transAxes, va="top", fontsize=7.5)
    gap = told - true
    mean, spread = float(gap.mean()), float(gap.std(ddof=1)) if len(gap) > 1 else 0.0
    right.plot((told + true) / 2, gap, "o", color=color_of(0), markersize=3, alpha=0.55, markeredgewidth=0)
    for level, style in ((mean, "-"), (mean - 1.96 * spread, "--"), (mean + 1.96 * spread, "--")):
        right.axhline(level, color=color_of(1), linewidth=0.9, linestyle=style)
    right.set_title(
        f"difference {mean:+.2f}, limits of agreement ±{1.96 * spread:.2f}", fontweight="normal", fontsize=7.5
    )
    right.set(xlabel=f"mean of both, {what}", ylabel=f"told minus measured, {what}")
    return figure


def draw_bag_sizes(
    title: str,
    sizes: Mapping[str, NDArray[np.intp]],
    cells: NDArray[np.intp],
    sure: NDArray[np.float64],
    notes: tuple[str, str],
) -> Any:
    """Return sizes of bags by label, and the stated confidence over the size."""
    figure = new_figure(7.2, 3.2 + 0.1 * max(len(sizes) - 6, 0))
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    names = [f"{words(name)} ({len(values):,})" for name, values in sizes.items()]
    drawn = left.boxplot(
        list(sizes.values()),
        orientation="horizontal",
        tick_labels=names,
        widths=0.6,
        showfliers=False,
        patch_artist=True,
    )
    for place, box in enumerate(drawn["boxes"]):
        box.set(facecolor=color_of(place), alpha=0.55, edgecolor=INK, linewidth=0.7)
    for line in drawn["medians"]:
        line.set(color=INK)
    random = np.random.default_rng(0)
    for place, values in enumerate(sizes.values()):
        shift = random.uniform(-0.2, 0.2, len(values))
        left.plot(values, place + 1 + shift, "o", color=SOFT, markersize=1.8, alpha=0.5, markeredgewidth=0)
    left.invert_yaxis()
    left.set_xlabel("cells of the patient")
    entitle(figure, title)
    right.plot(cells, sure, "o", color=color_of(0), markersize=2.6, alpha=0.5, markeredgewidth=0)
    right.set(xlabel="cells of the patient", ylabel="probability told of what is true", ylim=(-0.03, 1.03))
    for axes, note in zip((left, right), notes, strict=True):
        axes.text(0.0, -0.2, note, transform=axes.transAxes, va="top", fontsize=7, color=SOFT)
    return figure


def draw_map(
    title: str,
    places: NDArray[np.float64],
    panels: Mapping[str, tuple[NDArray[np.intp], Sequence[str]]],
    axes_names: tuple[str, str],
) -> Any:
    """Return patients on a plane, one panel a label.

    Parameters
    ----------
    title
        Of the figure.
    places
        N x 2.
    panels
        Title to N class numbers (-1 for unknown) and the names of the classes.
    axes_names
        What the two directions are.
    """
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    figure = new_figure(3.9 * across, 3.9 * down)
    entitle(figure, title)
    for axes, (name, (groups, classes)) in zip(panel_grid(figure, len(panels), 2), panels.items(), strict=True):
        _points(axes, places[:, 0], places[:, 1], groups, classes)
        axes.set_title(name, fontweight="normal", fontsize=8)
        axes.set(xlabel=axes_names[0], ylabel=axes_names[1], xticks=[], yticks=[])
        axes.legend(
            fontsize=6.5, loc="upper center", bbox_to_anchor=(0.5, -0.07), ncols=3, handletextpad=0.1, columnspacing=1
        )
    return figure


def _points(
    axes: Any, x: NDArray[np.float64], y: NDArray[np.float64], groups: NDArray[np.intp], names: Sequence[str]
) -> None:
    """Draw patients, the unknown ones in gray below."""
    unknown = groups < 0
    if unknown.any():
        axes.plot(
            x[unknown],
            y[unknown],
            "o",
            color=FAINT,
            markersize=3,
            markeredgewidth=0,
            label=f"unknown ({unknown.sum():,})",
        )
    for place, name in enumerate(names):
        chosen = groups == place
        if chosen.any():
            axes.plot(
                x[chosen], y[chosen], _MARKERS[(place + place // len(COLORS)) % len(_MARKERS)], color=color_of(place),
                markersize=3.4, alpha=0.75, markeredgewidth=0, label=f"{words(name)} ({chosen.sum():,})",
            )  # fmt: skip


def _classes_below(figure: Any, grid: Sequence[Any], classes: int) -> None:
    """Put one legend under all panels; the first panel that shows the most kinds of patients speaks for them."""
    handles, labels = max((axes.get_legend_handles_labels() for axes in grid), key=lambda told: len(told[1]))
    if handles:
        across = min(4, classes)
        figure.legend(
            handles, labels, loc="outside lower left", ncols=across, fontsize=6.5, handletextpad=0.2, markerscale=1.2
        )
