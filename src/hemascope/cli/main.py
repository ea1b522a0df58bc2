"""The command `hemascope`: verbs, and what becomes of errors.

Exit status: 0 done; 1 something could not be done (some files failed, a place cannot be written); 2 the command
itself was wrong; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hemascope.cli import (
    ablate,
    analyze,
    bench,
    cohort,
    data,
    embed,
    evaluate,
    explain,
    features,
    leukemia,
    models,
    predict,
    synthesize,
    train,
)
from hemascope.core.errors import HemascopeError, InputError, MissingExtraError
from hemascope.core.version import __version__

USAGE_ERRORS = (InputError, MissingExtraError)
INTERRUPTED = 130
INTERRUPTED_MESSAGE = (
    "hemascope: interrupted; no half-written result was left. Run the same command again: a training goes on from its "
    "newest checkpoint, an embedding from the images already done, everything else starts over."
)

app = typer.Typer(
    name="hemascope",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Read blood smears: every cell found, outlined and typed. Research use only.",
)
app.command("ablate")(ablate.ablate)
app.command("analyze")(analyze.analyze)
app.command("bench")(bench.bench)
app.command("embed")(embed.embed)
app.command("evaluate")(evaluate.evaluate)
app.command("explain")(explain.explain)
app.command("features")(features.features)
app.command("predict")(predict.predict)
app.add_typer(cohort.app, name="cohort")
app.add_typer(data.app, name="data")
app.add_typer(leukemia.app, name="leukemia")
app.add_typer(models.app, name="models")
app.add_typer(synthesize.app, name="synthesize")
app.add_typer(train.app, name="train")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hemascope {__version__}")
        raise typer.Exit


@app.callback()
def hemascope(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Read blood smears: every cell found, outlined and typed. Research use only."""


def main() -> None:
    """Run the command line; every error of this package becomes one message and an exit status."""
    try:
        app()
    except HemascopeError as error:
        typer.echo(f"hemascope: {error}", err=True)
        sys.exit(2 if isinstance(error, USAGE_ERRORS) else 1)
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
        typer.echo(INTERRUPTED_MESSAGE, err=True)
        sys.exit(INTERRUPTED)
