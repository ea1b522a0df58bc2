"""What tables of text are made of: figures of a run by key, and plain rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
"""A run as ``BenchmarkRun.document`` returns it, or as read from its file."""

NONE = "-"
"""Stands where the labels do not define a figure."""


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A title, column names, and rows of as many cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one method, by key."""

    metrics: Mapping[str, float | None]
    intervals: Mapping[str, Any]

    def text(self, key: str, digits: int = 3) -> str:
        """Return a figure with its interval."""
        value = self.metrics.get(key)
        if value is None:
            return NONE
        limits = self.intervals.get(key)
        shown = f"{value:.{digits}f}"
        return shown if limits is None else f"{shown} [{limits[0]:.{digits}f}, {limits[1]:.{digits}f}]"

    def count(self, key: str) -> str:
        """Return a whole number."""
        value = self.metrics.get(key)
        return NONE if value is None else f"{value:g}"

    def has(self, key: str) -> bool:
        """Return whether the figure is defined."""
        return self.metrics.get(key) is not None
