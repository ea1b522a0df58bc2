"""`hemascope train embedding-denoiser`: a recipe to the model that judges cells by their embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hemascope.cli.progress import progress_bar


def embedding_denoiser(
    recipe: Annotated[Path, typer.Argument(help="Recipe file, such as recipes/embedding_denoiser.toml.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the public data sets; default: HEMASCOPE_DATA.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Run folder with log and checkpoints; default: runs/NAME. Resumes.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the finished model; default: the run folder's 'model'.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train the denoiser of embeddings that judges cells: embeds them, trains, calibrates and packs the model."""
    from hemascope import wiring
    from hemascope.app.embedding_denoiser_training import train_embedding_denoiser
    from hemascope.recipes import EmbeddingDenoiserRecipe, load_recipe

    resolved = load_recipe(recipe, EmbeddingDenoiserRecipe)
    with progress_bar("embedding cells", 100, quiet=quiet) as bar:
        model = train_embedding_denoiser(
            resolved,
            wiring.build_encoder,
            wiring.build_classifier("even"),
            data,
            run,
            out,
            f"hemascope train embedding-denoiser {recipe}",
            lambda title, done, total: bar.move_to(100 * done // max(total, 1), title),
            lambda step, steps, loss: bar.move_to(100 * step // steps, f"loss {loss:.3f}"),
        )
    typer.echo(str(model))
