"""Mean answers about patients who have no settled class, group by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.style import COLORS, color_of, dash_of, entitle, new_figure, words


def draw_shares(title: str, rows: Sequence[str], shares: NDArray[np.float64], classes: Sequence[str]) -> Any:
    """Return one stacked bar a row: the mean probability of each class.

    Parameters
    ----------
    title
        Of the figure.
    rows
        R labels, with the number of patients.
    shares
        R x K mean probabilities, each row sums to 1.
    classes
        K names.
    """
    figure = new_figure(6.4, 1.5 + 0.34 * len(rows) + 0.16 * -(-len(classes) // 4))
    axes = figure.subplots()
    entitle(figure, title)
    start = np.zeros(len(rows))
    for place, name in enumerate(classes):
        hatch = "" if dash_of(place) == "-" and place < len(COLORS) else "///"
        axes.barh(
            range(len(rows)), 100 * shares[:, place], left=100 * start, height=0.7, color=color_of(place), hatch=hatch,
            edgecolor="white", linewidth=0.7, label=words(name),
        )  # fmt: skip
        for row in np.flatnonzero(shares[:, place] >= 0.08):
            middle = 100 * (start[row] + shares[row, place] / 2)
            axes.text(
                middle, row, f"{100 * shares[row, place]:.0f}", ha="center", va="center", color="white", fontsize=7
            )
        start += shares[:, place]
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="mean probability (%)")
    axes.legend(
        loc="upper left", bbox_to_anchor=(0, -0.16 - 0.12 / len(rows)), ncols=4, columnspacing=1, handlelength=1.1
    )
    return figure
