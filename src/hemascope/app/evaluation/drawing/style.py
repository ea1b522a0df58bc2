"""The look that all figures of an evaluation share."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hemascope.core.bag_task import words_of
from hemascope.core.errors import MissingExtraError

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D", "#8C6D1F")
"""Okabe and Ito's palette, which color-blind readers tell apart; black softened, and yellow, too faint for lines,
replaced by a brown."""

DASHES = ("-", "--", "-.", ":")
"""Of lines beyond the colors."""

INK, SOFT, FAINT = "#1B1F24", "#57606A", "#C9CED4"
SHADES = "Blues"
DPI = 200
_LETTERS_AN_INCH = 13
"""Of a title."""

RESEARCH_ONLY = "Research use only. Not for diagnosis."

_LOOK: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "lines.linewidth": 1.4,
    "text.color": INK,
    "text.parse_math": False,
    "figure.constrained_layout.use": True,
}


@contextmanager
def our_look() -> Iterator[None]:
    """Give matplotlib our look while the block runs.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("figures of an evaluation", "train") from error
    with matplotlib.rc_context(_LOOK):
        yield


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure of so many inches, with the note on research use in its corner."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    figure.supxlabel(RESEARCH_ONLY, x=0.995, ha="right", fontsize=5.5, color=SOFT)
    return figure


def entitle(figure: Any, title: str) -> None:
    """Put the title over a figure, from its left edge, in as many lines as it needs."""
    width = int(figure.get_figwidth() * _LETTERS_AN_INCH)
    figure.suptitle(textwrap.fill(title, width), x=0.01, ha="left", fontsize=9, fontweight="bold")


def panel_grid(figure: Any, count: int, across: int) -> list[Any]:
    """Return so many axes, row by row, at most ``across`` in a row; what is left of the last row stays empty."""
    columns = min(across, count)
    grid = figure.subplots(-(-count // columns), columns, squeeze=False).ravel().tolist()
    for axes in grid[count:]:
        axes.axis("off")
    return list(grid[:count])


def save_figure(figure: Any, path: Path | IO[bytes]) -> None:
    """Write a figure as PNG.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    note = {"Software": "hemascope", "Description": RESEARCH_ONLY}
    figure.savefig(path, dpi=DPI, metadata=note, facecolor="white")


def color_of(place: int) -> str:
    """Return the color of the n-th thing in a figure."""
    return COLORS[place % len(COLORS)]


def dash_of(place: int) -> str:
    """Return the dashes of the n-th line in a figure: solid, until the colors repeat."""
    return DASHES[place // len(COLORS) % len(DASHES)]


def words(name: str) -> str:
    """Return a name of a class, marker or covariate as a reader writes it."""
    return words_of(name)


def patients(count: int) -> str:
    """Return a number of patients in words."""
    return f"{count:,} patient" if count == 1 else f"{count:,} patients"
