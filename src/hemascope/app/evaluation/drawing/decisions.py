"""Figures about decisions: net benefit, and procedures spared beside diagnoses missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.style import FAINT, SOFT, color_of, entitle, new_figure, panel_grid


@dataclass(frozen=True, slots=True, eq=False)
class NetBenefit:
    """A decision curve.

    Attributes
    ----------
    title
        Of the panel; "" for none.
    thresholds
        T probabilities at which one would act.
    model, everyone
        T net benefits of acting by the model, and of acting on everyone; acting on nobody is 0.
    limits
        2 x T: lower and upper limit of the model's; NaN where there is no interval.
    """

    title: str
    thresholds: NDArray[np.float64]
    model: NDArray[np.float64]
    everyone: NDArray[np.float64]
    limits: NDArray[np.float64]


def draw_decision_curves(title: str, curves: Sequence[NetBenefit]) -> Any:
    """Return net benefit over the threshold probability, a panel a curve."""
    one = len(curves) == 1
    figure = new_figure(5.0 if one else 2.7 * min(len(curves), 3), 3.7 if one else 2.6 * -(-len(curves) // 3) + 0.2)
    entitle(figure, title)
    grid = panel_grid(figure, len(curves), 3)
    for axes, curve in zip(grid, curves, strict=True):
        axes.axhline(0, color=SOFT, linewidth=0.9, label="act on nobody")
        axes.plot(curve.thresholds, curve.everyone, color=color_of(4), linestyle="--", label="act on everyone")
        axes.fill_between(curve.thresholds, *curve.limits, color=color_of(0), alpha=0.15, linewidth=0)
        axes.plot(curve.thresholds, curve.model, color=color_of(0), label="act by the model")
        top = max(float(curve.model.max()), float(curve.everyone.max()), 0.02)
        axes.set(xlim=(0, 1), ylim=(-0.25 * top, 1.08 * top))
        axes.set(xlabel="threshold probability", ylabel="net benefit")
        axes.set_title(curve.title, fontweight="normal", fontsize=8)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure


@dataclass(frozen=True, slots=True, eq=False)
class Procedures:
    """What each threshold on a probability would spare and miss.

    Attributes
    ----------
    thresholds
        T thresholds.
    spared, missed
        T shares: of patients without the condition who are spared, of patients with it who are missed.
    with_condition, without_condition
        How many there are.
    chosen
        Name of a threshold to the threshold.
    """

    thresholds: NDArray[np.float64]
    spared: NDArray[np.float64]
    missed: NDArray[np.float64]
    with_condition: int
    without_condition: int
    chosen: dict[str, float]


def draw_procedures(title: str, told: Procedures, condition: str) -> Any:
    """Return procedures spared over missed diagnoses, on one axis of shares, with the chosen thresholds."""
    figure = new_figure(5.0, 3.7)
    axes = figure.subplots()
    entitle(figure, title)
    spared = f"spared, of {told.without_condition:,} without {condition}"
    missed = f"missed, of {told.with_condition:,} with {condition}"
    axes.plot(told.thresholds, 100 * told.spared, color=color_of(2), label=spared)
    axes.plot(told.thresholds, 100 * told.missed, color=color_of(1), label=missed)
    axes.fill_between(told.thresholds, 100 * told.missed, color=color_of(1), alpha=0.12, linewidth=0)
    for place, (name, threshold) in enumerate(told.chosen.items()):
        axes.axvline(
            threshold,
            color=SOFT,
            linewidth=0.9,
            linestyle=("--", ":", "-.")[place % 3],
            label=f"{name}: {threshold:.2f}",
        )
    axes.grid(axis="y", color=FAINT, linewidth=0.4, alpha=0.6)
    axes.set(xlim=(0, 1), ylim=(-2, 102))
    axes.set(xlabel=f"threshold on the probability of {condition}", ylabel="patients (%)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, columnspacing=1.2)
    return figure
