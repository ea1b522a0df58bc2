"""Figures with intervals over patients, as records, JSON and cells of tables."""

from __future__ import annotations

import numpy as np

from hemascope.app.evaluation.findings import Cell, Headline, plain
from hemascope.evaluate.estimate import Estimate


def told(estimate: Estimate) -> dict[str, float | None]:
    """Return a figure for ``evaluation.json``."""
    return {"value": plain(estimate.value), "low": plain(estimate.low), "high": plain(estimate.high)}


def cells(estimate: Estimate) -> tuple[Cell, Cell, Cell]:
    """Return a figure and its limits for a table."""
    return plain(estimate.value), plain(estimate.low), plain(estimate.high)


def shown(estimate: Estimate, digits: int = 2) -> str:
    """Return a figure as text for a picture."""
    if estimate.value is None:
        return "not defined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.{digits}f}"
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def headline(task: str, name: str, estimate: Estimate, patients: int, unit: str = "") -> Headline:
    """Return a figure for the top of the page."""
    return Headline(task, name, plain(estimate.value), plain(estimate.low), plain(estimate.high), unit, patients)


def shown_p(p_value: float | None) -> str:
    """Return a p value as text: ``p = 0.04``, ``p < 0.001``."""
    if p_value is None or not np.isfinite(p_value):
        return "p not defined"
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}" if p_value < 0.1 else f"p = {p_value:.2f}"
