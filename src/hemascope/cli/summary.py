"""The summary that ends an analysis in the terminal."""

from __future__ import annotations

from collections import Counter

from rich.table import Table

from hemascope.core.rates import Rate
from hemascope.core.report import SmearReport
from hemascope.core.taxonomy import DISPLAY_NAMES, CellKind


def differential_table(report: SmearReport) -> Table:
    """Return the differential as a table: type, count, percent, exact 95% interval."""
    differential = report.differential
    table = Table(title=f"{differential.white_cells} white cells in {len(report.fields)} fields", title_justify="left")
    table.add_column("type")
    for name in ("count", "%", "95% interval"):
        table.add_column(name, justify="right")
    for name, rate in differential.types.items():
        table.add_row(DISPLAY_NAMES[name], str(rate.count), _number(rate.value), _interval(rate))
    table.add_section()
    beside = differential.erythroblasts
    table.add_row("Erythroblasts per 100", str(beside.count), _number(beside.value), _interval(beside))
    return table


def count_line(report: SmearReport) -> str:
    """Return the counts of red cells and platelets, and how quality control went, in one line."""
    differential = report.differential
    statuses = Counter(summary.verdict.status.value for summary in report.fields)
    red = sum(summary.counts[CellKind.RED_CELL] for summary in report.fields)
    platelets = differential.platelets_per_1000_red_cells
    quality = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    return (
        f"{red} red cells; {platelets.count} platelets, {_number(platelets.value)} per 1,000 red cells "
        f"({_interval(platelets)}). Quality: {quality}; {len(report.failed)} files not readable."
    )


def scale_line(report: SmearReport) -> str:
    """Return the scales in force and where they came from."""
    scales = Counter((round(summary.mpp, 3), summary.scale_source) for summary in report.fields)
    shown = ", ".join(f"{mpp:g} um per pixel {source} ({count})" for (mpp, source), count in scales.most_common(3))
    return f"Scale: {shown}{', and others' if len(scales) > 3 else ''}. Prior: {report.differential.prior}."


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _interval(rate: Rate) -> str:
    if rate.low is None:
        return "-"
    return f"{rate.low:.1f} to {'any' if rate.high is None else f'{rate.high:.1f}'}"
