"""`hemascope cohort check`: whether a model could answer without looking at the disease."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemascope.evaluate.shortcut_results import CheckResult

RAISED = 1
_PIPE_WIDTH = 180


def check(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="A CSV table with one row a smear.")],
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="COLUMN", help="A label to check. May be repeated; else every column."),
    ] = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="Embeddings in the column path:NAME.")
    ] = None,
    json_file: Annotated[Path, typer.Option("--json", metavar="FILE", help="Where to write the checks.")] = Path(
        "checks.json"
    ),
) -> None:
    """Hold labels against site, scanner, stain, number of cells and background; look for patients who are there twice.

    Exit status: 0 nothing was raised; 1 something was; 2 the cohort cannot be read.
    """
    from hemascope.app.bench_record import write_text
    from hemascope.app.cohort_checks import checks_document, open_checked

    cohort, results = open_checked(manifest, variant or "", labels or ())
    write_text(json_file, json.dumps(checks_document(cohort, results), indent=1, ensure_ascii=False) + "\n")
    print_checks(results)
    if any(result.raised for result in results):
        raise typer.Exit(RAISED)


def print_checks(results: Sequence[CheckResult]) -> None:
    """Print a table of all checks, and what to do about those that were raised."""
    from rich.console import Console
    from rich.table import Table

    from hemascope.app.cohort_checks import checks_table

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no width of its own
        console = Console(width=_PIPE_WIDTH)
    plain = checks_table(results)
    table = Table(title=plain.title, title_justify="left")
    for column in plain.columns:
        table.add_column(column, overflow="fold")
    for row in plain.rows:
        table.add_row(*row)
    console.print(table)
    raised = [result for result in results if result.raised]
    for result in raised:
        typer.echo(f"{result.words}. What to do: {result.advice}.")
    if raised:
        typer.echo(
            f"{len(raised)} of {len(results)} checks raised. Associated does not mean caused: where a label differs "
            "for medical reasons, say so beside every figure. Research use only."
        )
    else:
        typer.echo(f"None of {len(results)} checks raised. What was not measured cannot be checked. Research use only.")
