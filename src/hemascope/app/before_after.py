"""The before/after table of a fine-tuning: as JSON, as Markdown, as figures for the card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from hemascope.evaluate.outline_agreement import Comparison, Figure

HEAD = "| kind | figure | n | before | after | gain |\n|---|---|---|---|---|---|"


def as_markdown(rows: Sequence[Comparison]) -> str:
    """Return the table; intervals are 95% bootstrap intervals over images, of the gain over the same images."""
    return "\n".join([HEAD, *(_line(row) for row in rows)])


def _line(row: Comparison) -> str:
    kind = row.kind.value.replace("_", " ")
    figures = " | ".join((shown(row.before), shown(row.after), shown(row.gain, sign="+")))
    return f"| {kind} | {row.name} | {row.labeled:g} | {figures} |"


def shown(figure: Figure, sign: str = "") -> str:
    """Return a figure with its interval, three digits each."""
    if figure.value is None:
        return "-"
    interval = (
        "" if figure.low is None or figure.high is None else f" [{figure.low:{sign}.3f}, {figure.high:{sign}.3f}]"
    )
    return f"{figure.value:{sign}.3f}{interval}"


def as_record(rows: Sequence[Comparison]) -> list[dict[str, object]]:
    """Return the table as plain JSON types."""
    return [asdict(row) | {"kind": row.kind.value} for row in rows]


def as_figures(rows: Sequence[Comparison]) -> dict[str, float]:
    """Return what a card holds: each figure before and after."""
    sides = [(side, getattr(row, side).value, row) for row in rows for side in ("before", "after")]
    return {f"{row.kind.value}.{row.name}.{side}": value for side, value, row in sides if value is not None}
