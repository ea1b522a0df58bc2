"""Confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.style import SHADES, entitle, new_figure, words


def draw_confusion(
    title: str,
    counts: NDArray[np.integer],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_name: str = "true class",
) -> Any:
    """Return a matrix of counts, each row shaded by its shares.

    Parameters
    ----------
    title
        Of the figure.
    counts
        R x C: true class by answered class.
    rows, columns
        Their names.
    row_name
        Label of the rows' axis.
    """
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    figure = new_figure(2.6 + 0.48 * len(columns), 1.9 + 0.36 * len(rows))
    axes = figure.subplots()
    image = axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*counts.shape):
        if counts[row, column]:
            shade = "white" if shares[row, column] > 0.55 else "#1B1F24"
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=7.5, color=shade)
    axes.set_xticks(
        range(len(columns)), [words(name) for name in columns], rotation=40, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(rows)), [f"{words(name)}  ({n:,})" for name, n in zip(rows, total[:, 0], strict=True)])
    axes.set(xlabel="answered class", ylabel=f"{row_name} (patients)")
    entitle(figure, title)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="minor", length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=18, pad=0.02)
    bar.set_label("share of the row")
    bar.outline.set_visible(False)
    return figure
