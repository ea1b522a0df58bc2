"""The summary that ends an analysis in the terminal."""

from __future__ import annotations

from collections import Counter

from rich.table import Table

from hemascope.core.morphology import FINDING_NAMES, Grade
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


def red_cell_line(report: SmearReport) -> str:
    """Return what red cells and platelets show in one line; "" where nothing was computed."""
    red_cells, platelets = report.red_cells, report.platelets
    if red_cells is None or platelets is None:
        return ""
    spread = red_cells.size.diameter_cv
    said = [f"Red cells: {red_cells.judged} typed" if red_cells.judged else "Red cells: not typed"]
    if spread is not None:
        limits = "" if spread.low is None or spread.high is None else f" ({spread.low:.1f} to {spread.high:.1f})"
        said.append(f"diameter CV {spread.value:.1f}%{limits}")
    every = {**red_cells.findings, **red_cells.types}
    graded = [(name, f) for name, f in every.items() if f.grade is not None and f.grade is not Grade.BELOW]
    said += [
        f"{FINDING_NAMES[name].lower()} {finding.grade} ({_number(finding.rate.value)}%)" for name, finding in graded
    ]
    if red_cells.judged and not graded:
        few = red_cells.judged < red_cells.least_cells
        said.append(f"grades need {red_cells.least_cells}" if few else "no finding reaches a grade")
    clumps = f"{platelets.clumps} in {len(platelets.clump_fields)} fields" if platelets.clumps else "none"
    return f"{'; '.join(said)}. Platelet clumps: {clumps}."


def generative_line(report: SmearReport) -> str:
    """Return what a generative model says of nucleated cells in one line; "" where none was asked."""
    found = report.generative
    if found is None:
        return ""
    return (
        f"Generative model: {found.unlike.count} of {found.judged} nucleated cells unlike everything learned, "
        f"{found.disputed.count} of another type than the classifier's."
    )


def patient_line(report: SmearReport) -> str:
    """Return where the answer about the patient is, without giving it away; "" where none was asked for."""
    found = report.patient
    if found is None:
        return ""
    cells = "1 nucleated cell" if found.cells == 1 else f"{found.cells} nucleated cells"
    return f"Patient-level answer from {cells}, research use only: in report.html, closed until you open it."


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
