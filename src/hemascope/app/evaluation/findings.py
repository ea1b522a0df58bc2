"""What one topic of an evaluation hands back: figures, tables, pictures, and what stands at the top."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Cell = str | int | float | None
"""Of a table; None where a figure is not defined."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table for a CSV file.

    Attributes
    ----------
    name
        Of the file, without ending.
    columns
        Names.
    rows
        As many cells each.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.name}: a row does not have {len(self.columns)} cells")


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure that can be drawn.

    Attributes
    ----------
    name
        Of the file, without ending.
    title
        For the page.
    caption
        How to read it, in a sentence or two.
    paint
        Draws it; returns a matplotlib figure.
    """

    name: str
    title: str
    caption: str
    paint: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Headline:
    """A figure for the top of the page and the terminal.

    Attributes
    ----------
    task
        Whose figure it is.
    name
        What it is, in words.
    value, low, high
        The figure and its 95% interval; None where it is not defined.
    unit
        ``%`` shows a share as percent; else printed behind the number.
    patients
        How many it rests on.
    """

    task: str
    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    patients: int = 0

    @property
    def text(self) -> str:
        """Return value and interval as shown to a reader."""
        if self.value is None:
            return "-"
        limits = (
            "" if self.low is None or self.high is None else f" [{self._shown(self.low)}, {self._shown(self.high)}]"
        )
        return self._shown(self.value) + limits + (f" {self.unit}" if self.unit and self.unit != "%" else "")

    def _shown(self, value: float) -> str:
        if self.unit == "%":
            return f"{100 * value:.1f}%"
        return f"{value:.2f}" if self.unit else f"{value:.3f}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What one topic found.

    Attributes
    ----------
    key
        Where its figures stand in ``evaluation.json``: among ``tasks`` or ``topics``.
    title
        For the page.
    figures
        Plain JSON types.
    sheets, pictures, headlines
        Tables, figures to draw, and what stands at the top.
    remarks
        Sentences a reader must see beside them.
    of_task
        Whether it is about one task, which ``key`` names.
    """

    key: str
    title: str
    figures: Mapping[str, Any]
    sheets: tuple[Sheet, ...] = ()
    pictures: tuple[Picture, ...] = ()
    headlines: tuple[Headline, ...] = ()
    remarks: tuple[str, ...] = ()
    of_task: bool = False


def estimate_columns(name: str) -> tuple[str, str, str]:
    """Return the names of the columns of a figure and its limits."""
    return name, f"{name}_low", f"{name}_high"


def plain(value: float | None, digits: int = 6) -> float | None:
    """Return a figure for JSON: rounded, and None where it is not finite."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return round(float(value), digits)
