"""Numbers as a reader sees them, and the interval plot."""

from __future__ import annotations

from collections.abc import Iterable

from hemascope.core.rates import Rate
from hemascope.stats.intervals import binomial_interval

PLOT_WIDTH, PLOT_HEIGHT = 240, 18
_SPANS = (5, 10, 20, 40, 60, 80, 100)
_RARE = 0.01


def number(value: float | None) -> str:
    """Return a rate with as many digits as it is worth: 0.42, 4.2, 42.0, 420."""
    if value is None:
        return "–"  # noqa: RUF001
    magnitude = abs(value)
    digits = 0 if magnitude >= 100 else 1 if magnitude >= 1 or magnitude == 0 else 2
    return f"{value:,.{digits}f}"


def interval(rate: Rate) -> str:
    """Return the limits of a rate in words."""
    if rate.low is None or rate.high is None:
        return "nothing counted"
    digits = 1 if rate.unit == "%" else None
    if digits is not None:
        return f"{rate.low:.{digits}f} to {rate.high:.{digits}f}"
    return f"{number(rate.low)} to {number(rate.high)}"


def plot_span(rates: Iterable[Rate]) -> int:
    """Return the right end in percent of an axis that holds every interval."""
    highest = max((rate.high or 0 for rate in rates if rate.total), default=0)
    return next((span for span in _SPANS if highest <= span), _SPANS[-1])


def position(value: float | None, span: float) -> float:
    """Return where ``value`` stands on a plot from 0 to ``span``, in pixels."""
    inner = PLOT_WIDTH - 2 * 6
    return round(6 + inner * min(max((value or 0) / span, 0), 1), 1)


def implications(white_cells: int) -> list[str]:
    """Return what a number of counted white cells can and cannot tell, in sentences."""
    if white_cells == 0:
        return ["No white cell was counted, so there is no differential."]
    _, unseen = binomial_interval(0, white_cells)
    low, high = binomial_interval(round(white_cells / 2), white_cells)
    missed = (1 - _RARE) ** white_cells
    cells = "1 white cell was" if white_cells == 1 else f"{white_cells:,} white cells were"
    return [
        f"{cells} counted. A type not seen among them can still make up as much as {_percent(unseen)} of white cells; "
        f"one that makes up half of them lies between {_percent(low)} and {_percent(high)}.",
        f"A type that truly makes up 1% is missed altogether with a probability of {_percent(missed)}.",
    ]


def _percent(share: float) -> str:
    """Return a fraction as percent, with more digits where it is small."""
    percent = 100 * share
    return "less than 0.1%" if percent < 0.1 else f"{percent:.0f}%" if percent >= 20 else f"{percent:.1f}%"
