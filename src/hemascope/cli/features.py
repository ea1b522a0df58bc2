"""`hemascope features`: what feature files of other tools hold, and the same as AnnData."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from hemascope.cli.progress import progress_bar

SOME_FAILED = 1
_PIPE_WIDTH = 180


def features(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Feature files of TRIDENT, STAMP or Slideflow, or folders.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write them there as one table; without it, only show.")
    ] = None,
    table_format: Annotated[str, typer.Option("--format", help="h5ad, or zarr.")] = "h5ad",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Show feature files of TRIDENT, STAMP and Slideflow, or write them as AnnData.

    Exit status: 0 every file was read; 1 some could not be, or the table could not be written; 2 the command was wrong
    or no file could be read.
    """
    from hemascope import wiring
    from hemascope.app.features import gather_features
    from hemascope.sources.feature_files import find_feature_files

    files = find_feature_files(paths)
    sink = wiring.build_embeddings_sink(out, table_format) if out is not None else None
    command = shlex.join(["hemascope", *sys.argv[1:]])
    with progress_bar("reading features", len(files), quiet=quiet) as bar:
        read = gather_features(files, sink, command, bar.advance)
    for failed in read.failed:
        typer.echo(f"hemascope: {failed.message}", err=True)
    if not quiet:
        _print_table(read.shown)
        if read.path is not None:
            typer.echo(f"Features: {read.path}")
    if read.failed:
        raise typer.Exit(SOME_FAILED)


def _print_table(files: list[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no width of its own
        console = Console(width=_PIPE_WIDTH)
    table = Table()
    for column in files[0] if files else ():
        table.add_column(column, overflow="fold")
    for row in files:
        table.add_row(*row.values())
    console.print(table)
