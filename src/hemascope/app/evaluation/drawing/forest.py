"""A forest plot: one figure in every subgroup, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hemascope.app.evaluation.drawing.style import FAINT, SOFT, color_of, entitle, new_figure

_ROW, _ABOVE, _BELOW = 0.185, 0.3, 0.62
"""Height of a row, and room above and below all rows, in inches."""

_WIDTH, _LEFT, _PLOT = 7.2, 1.75, 2.5
"""Width of the figure, room for names, and width of the plot, in inches."""

_NAMES, _FIGURES, _COUNTS = -0.03, 1.04, 1.6
"""Where columns of text stand, in widths of the plot."""


_COLUMNS = ("value [95% CI]", "patients (positive)")


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One subgroup.

    Attributes
    ----------
    label
        Of the row.
    value, low, high
        Figure and 95% interval; None where it is not defined.
    count
        Patients, in words: ``34 (12 positive)``.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    count: str


@dataclass(frozen=True, slots=True)
class ForestGroup:
    """Subgroups by one covariate.

    Attributes
    ----------
    title
        Name of the covariate.
    test
        What the test of interaction says: ``p = 0.04, Holm 0.3``; "" for none.
    rows
        The subgroups.
    """

    title: str
    test: str
    rows: tuple[ForestRow, ...]


def draw_forest(
    title: str, groups: Sequence[ForestGroup], overall: ForestRow, what: str, columns: tuple[str, str] = _COLUMNS
) -> Any:
    """Return the forest plot.

    Parameters
    ----------
    title
        Of the figure.
    groups
        Covariates with their subgroups.
    overall
        Figure of all patients, a diamond at the top.
    what
        What the figure is, for the axis: ``AUROC``.
    columns
        What stands in the two columns of text.
    """
    lines = 2 + sum(1 + len(group.rows) for group in groups)
    height = _ABOVE + _ROW * lines + _BELOW
    figure = new_figure(_WIDTH, height)
    figure.set_layout_engine("none")
    entitle(figure, title)
    axes = figure.add_axes((_LEFT / _WIDTH, _BELOW / height, _PLOT / _WIDTH, _ROW * lines / height))
    for x, name in zip((_FIGURES, _COUNTS), columns, strict=True):
        _text(axes, x, -1, name, color=SOFT)
    if overall.value is not None:
        axes.axvline(overall.value, color=FAINT, linewidth=0.9, zorder=0)
    _row(axes, overall, 0, "D", color_of(1))
    y = 1
    for group in groups:
        _text(axes, _NAMES, y, group.title, ha="right", fontweight="bold")
        _text(axes, _FIGURES, y, group.test, color=SOFT)
        for row in group.rows:
            y += 1
            _row(axes, row, y, "s", color_of(0))
        y += 1
    axes.set(ylim=(y - 0.3, -1.6), xlabel=what, yticks=[])
    axes.spines["left"].set_visible(False)
    axes.set_xlim(*_span([overall, *(row for group in groups for row in group.rows)]))
    return figure


def _row(axes: Any, row: ForestRow, y: int, marker: str, color: str) -> None:
    _text(axes, _NAMES, y, row.label, ha="right")
    _text(axes, _COUNTS, y, row.count)
    if row.value is None:
        _text(axes, _FIGURES, y, "not defined", color=SOFT)
        return
    shown = f"{row.value:.3f}"
    if row.low is not None and row.high is not None:
        axes.plot([row.low, row.high], [y, y], color=color, linewidth=1.1, solid_capstyle="butt")
        shown += f" [{row.low:.3f}, {row.high:.3f}]"
    axes.plot([row.value], [y], marker, color=color, markersize=4.5)
    _text(axes, _FIGURES, y, shown)


def _text(axes: Any, x: float, y: float, said: str, **look: str) -> None:
    """Write beside the plot: ``x`` in widths of the plot, ``y`` in rows."""
    axes.text(x, y, said, transform=axes.get_yaxis_transform(), va="center", fontsize=7.2, **look)


def _span(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """Return limits of the axis: everything drawn, with a margin."""
    drawn = [value for row in rows for value in (row.value, row.low, row.high) if value is not None]
    low, high = min(drawn, default=0.0), max(drawn, default=1.0)
    margin = 0.05 * (high - low) or 0.02
    return low - margin, high + margin
