"""Figures about decisions: net benefit, and procedures spared beside diagnoses missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.style import FAINT, SOFT, color_of, entitle, new_figure


@dataclass(frozen=True, slots=True, eq=False)
class NetBenefit:
    """A decision curve.

    Attributes
    ----------
    thresholds
        T probabilities at which one would act.
    model, everyone
        T net benefits of acting by the model, and of acting on everyone; acting on nobody is 0.
    """

    thresholds: NDArray[np.float64]
    model: NDArray[np.float64]
    everyone: NDArray[np.float64]


def draw_decision_curve(title: str, curve: NetBenefit, action: str) -> Any:
    """Return net benefit over the threshold probability."""
    figure = new_figure(4.6, 3.5)
    axes = figure.subplots()
    entitle(figure, title)
    axes.axhline(0, color=SOFT, linewidth=0.9, label=f"{action} nobody")
    axes.plot(curve.thresholds, curve.everyone, color=color_of(4), linestyle="--", label=f"{action} everyone")
    axes.plot(curve.thresholds, curve.model, color=color_of(0), label=f"{action} by the model")
    top = max(float(np.nanmax(curve.model)), float(np.nanmax(curve.everyone)), 0.02)
    axes.set(xlim=(0, 1), ylim=(-0.25 * top, 1.08 * top))
    axes.set(xlabel="threshold probability", ylabel="net benefit (true positives per patient)")
    axes.legend(loc="lower left")
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
