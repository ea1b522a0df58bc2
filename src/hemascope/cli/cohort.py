"""`hemascope cohort`: patients put together from manifests, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemascope.cli import cohort_check, cohort_simulate

if TYPE_CHECKING:
    from rich.console import Console

    from hemascope.app.cohort_summary import CohortSummary, ColumnSummary

app = typer.Typer(help="Patients as bags of embedded cells. Research use only.", no_args_is_help=True)
app.command("check")(cohort_check.check)
app.command("simulate")(cohort_simulate.simulate)

FAULTY = 1
_PIPE_WIDTH = 180
_MOST_TEXTS = 20


@app.callback()
def cohort() -> None:
    """Look at cohorts of patients. Research use only."""


@app.command()
def show(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="A CSV table with one row a smear.")],
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="Embeddings in the column path:NAME.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="COLUMN", help="A column that must be there. May be repeated."),
    ] = None,
    taxonomy: Annotated[
        str | None, typer.Option("--taxonomy", metavar="NAME", help="Table of diseases that must know those labels.")
    ] = None,
) -> None:
    """Read every file of a cohort, and show what is in it and everything that is wrong with it.

    Exit status: 0 it can be opened; 1 something is wrong, listed at the end; 2 the manifest itself cannot be read.
    """
    from rich.console import Console

    from hemascope.app.cohort_summary import summarize_cohort
    from hemascope.bags.taxonomy import load_taxonomy

    table = None if taxonomy is None else load_taxonomy(taxonomy)
    summary = summarize_cohort(manifest, variant or "", labels or (), table)
    console = Console(soft_wrap=True)
    if not console.is_terminal:  # a file or a pipe has no width of its own
        console = Console(soft_wrap=True, width=_PIPE_WIDTH)
    _print_summary(console, summary)
    for fault in summary.faults:
        typer.echo(f"hemascope: {fault}", err=True)
    if summary.faults:
        typer.echo(f"hemascope: {len(summary.faults)} fault{'s' if len(summary.faults) > 1 else ''}", err=True)
        raise typer.Exit(FAULTY)


@app.command()
def manifest(
    layout: Annotated[str, typer.Argument(metavar="LAYOUT", help="aml-hehr, apl-aml, caitomorph or trident.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Root of the set, or TRIDENT's job folder.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The manifest to write.")],
    features: Annotated[
        Path | None,
        typer.Option("--features", metavar="TABLE", help="Embeddings of all images below FOLDER, by hemascope embed."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--table", metavar="CSV", help="Table of patients, where it is not in FOLDER.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option("--encoder", metavar="NAME", help="Of several encoders' features, those to use.")
    ] = None,
) -> None:
    """Write the manifest of a folder in the layout of another maker.

    Exit status: 0 it was written; 1 it could not be; 2 the folder has not that layout.
    """
    from hemascope.app.cohort_manifest import write_manifest
    from hemascope.data.cohort.layout_folder import LayoutFolder

    written = write_manifest(layout, LayoutFolder(folder, table, encoder or ""), out, features)
    typer.echo(
        f"{written.patients} patients, {written.smears} rows, {written.excluded} of them excluded, in {written.path}"
    )
    if written.images:
        typer.echo(
            f"{written.images} rows name folders of images: embed them with hemascope embed {folder} --single "
            "--encoder NAME --out DIR, then write the manifest again with --features DIR/embeddings.h5ad"
        )


def _print_summary(console: Console, summary: CohortSummary) -> None:
    console.print(f"{summary.patients} patients, {summary.smears} smears", highlight=False)
    if summary.cells:
        least, lower, median, upper, most = summary.sizes
        made_by = summary.encoder or "an unnamed encoder"
        console.print(f"{sum(summary.cells)} cells, {summary.dimension} numbers each by {made_by}", highlight=False)
        console.print(
            f"cells a patient: median {median:g}, quartiles {lower:g} to {upper:g}, range {least:g} to {most:g}",
            highlight=False,
        )
    for column in summary.columns:
        console.print(_told(column, summary.patients), highlight=False, markup=False)
    for reason, count in summary.excluded.items():
        console.print(f"excluded: {count} {reason}", highlight=False, markup=False)


def _told(column: ColumnSummary, patients: int) -> str:
    if column.numbers is not None:
        least, median, most = column.numbers
        told = f"median {median:g}, range {least:g} to {most:g}"
    elif len(column.counts) > _MOST_TEXTS:
        told = f"{len(column.counts)} different texts"
    else:
        told = ", ".join(f"{text} ({count})" for text, count in column.counts.items())
    missing = f"missing {column.missing}" if column.missing < patients else "missing for all"
    return f"{column.name}: " + "; ".join(part for part in (told, missing if column.missing else "") if part)
