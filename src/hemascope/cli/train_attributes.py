"""`hemascope train attributes`: a recipe to heads that say what a cell looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hemascope.cli.progress import progress_bar


def attributes(
    recipe: Annotated[Path, typer.Argument(help="Recipe file, such as recipes/cell_attributes.toml.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the public data sets; default: HEMASCOPE_DATA.")
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME", help="A choice in the recipe's place; may be given again."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the finished model; default: runs/NAME/model.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Fit heads for attributes and subtypes on an encoder's embeddings, calibrate and pack them."""
    from hemascope import wiring
    from hemascope.app.attribute_training import train_attributes
    from hemascope.recipes import AttributeTrainingRecipe, load_recipe, override

    resolved = override(load_recipe(recipe, AttributeTrainingRecipe), choices=tuple(encoder) if encoder else None)
    with progress_bar("embedding cells", 100, quiet=quiet) as bar:
        model = train_attributes(
            resolved,
            wiring.build_protocol_encoder,
            data,
            out,
            f"hemascope train attributes {recipe}",
            lambda title, done, total: bar.move_to(100 * done // max(total, 1), title),
        )
    typer.echo(str(model))
