"""`hemascope train bags`: a recipe and a cohort to a model of patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hemascope.cli.progress import progress_bar


def bags(
    recipe: Annotated[Path, typer.Argument(help="Recipe file, such as recipes/myeloma.toml.")],
    cohort: Annotated[Path, typer.Option("--cohort", metavar="MANIFEST", help="A CSV table with one row a smear.")],
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="Embeddings in the column path:NAME; or: counts.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Run folder with log and checkpoints; default: runs/NAME. Resumes.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the finished model; default: the run folder's 'model'.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train a model of patients by cross-validation, calibrate it on out-of-fold answers, and pack it.

    Research use only.
    """
    from hemascope.app.bag_training import train_bag_model
    from hemascope.recipes import load_recipe
    from hemascope.recipes.bags import BagTrainingRecipe

    resolved = load_recipe(recipe, BagTrainingRecipe)
    command = f"hemascope train bags {recipe} --cohort {cohort}" + (f" --variant {variant}" if variant else "")
    epochs = resolved.folds * resolved.members * resolved.epochs
    with progress_bar("training models of patients", epochs, quiet=quiet) as bar:
        model = train_bag_model(
            resolved,
            cohort,
            run,
            out,
            command,
            lambda done, _, loss: bar.move_to(done, f"loss {loss:.3f}"),
            variant or "",
            lambda words: typer.echo(f"hemascope: warning: {words}", err=True),
        )
        bar.move_to(epochs)
    typer.echo(str(model))
