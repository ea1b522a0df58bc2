"""`hemascope evaluate`: answers about patients against what is true of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hemascope.cli.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemascope.app.evaluation.findings import Headline

MOST_HEADLINES = 24


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run, or a file of answers (.csv).")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder to write; else `evaluation` in the run's folder."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="NAME", help="The patients to judge; else test, or out_of_fold without one."),
    ] = None,
    resamples: Annotated[int, typer.Option("--resamples", min=100, max=100_000, help="Of the bootstrap.")] = 2000,
    taxonomy: Annotated[
        str | None,
        typer.Option("--taxonomy", metavar="TABLE", help="Table of diseases by name or path; else the recipe's."),
    ] = None,
    projection: Annotated[
        Literal["auto", "umap", "components"],
        typer.Option("--map", help="How patients are put on a plane; auto: UMAP where it is installed."),
    ] = "auto",
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="RUN", help="Another run on the same patients, to compare areas with."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Judge a model of patients: figures with intervals, tables, pictures, and a page to look at. Research use only.

    Thresholds are chosen on out-of-fold or validation patients alone and applied to the patients judged.
    """
    from hemascope.app.evaluate_run import EvaluationRequest, evaluate_run, open_evaluation

    request = EvaluationRequest(
        run=run, out=out, split=split or "", resamples=resamples, taxonomy=taxonomy or "", projection=projection,
        against=against,
    )  # fmt: skip
    evaluation = open_evaluation(request)
    with progress_bar("evaluating", evaluation.steps, quiet=quiet) as bar:
        done = evaluate_run(evaluation, bar.move_to)
    if not quiet:
        _print_headlines(done.headlines)
        for sentence in done.remarks:
            typer.echo(f"Note: {sentence}")
        typer.echo(f"Research use only: not for diagnosis. The page: {done.page}")


def _print_headlines(headlines: Sequence[Headline]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Headline figures, with 95% intervals", title_justify="left")
    for name in ("task", "figure"):
        table.add_column(name)
    for name in ("value", "patients"):
        table.add_column(name, justify="right")
    for line in headlines[:MOST_HEADLINES]:
        table.add_row(line.task, line.name, line.text, f"{line.patients:,}")
    Console().print(table)
