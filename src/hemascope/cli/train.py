"""`hemascope train`: recipes to weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hemascope.cli.finetune import finetune
from hemascope.cli.progress import progress_bar
from hemascope.cli.train_attributes import attributes
from hemascope.cli.train_bags import bags
from hemascope.cli.train_embedding_denoiser import embedding_denoiser

app = typer.Typer(no_args_is_help=True, help="Train the models from recipes (needs the extra 'train').")
app.command("finetune")(finetune)
app.command("attributes")(attributes)
app.command("bags")(bags)
app.command("embedding-denoiser")(embedding_denoiser)

RecipePath = Annotated[Path, typer.Argument(help="Recipe file, such as recipes/cell_classifier.toml.")]
DataFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder of the public data sets; default: HEMASCOPE_DATA.")
]
RunFolder = Annotated[
    Path | None, typer.Option("--run", help="Run folder with log and checkpoints; default: runs/NAME. Resumes.")
]
OutFolder = Annotated[
    Path | None, typer.Option("--out", help="Folder for the finished model; default: the run folder's 'model'.")
]
FoldOption = Annotated[
    str | None,
    typer.Option("--fold", metavar="K/N", help="Leave out part K of N of every set, by groups, instead of its splits."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]


@app.command("cells")
def cells(
    recipe: RecipePath,
    data: DataFolder = None,
    run: RunFolder = None,
    out: OutFolder = None,
    quiet: Quiet = False,
) -> None:
    """Train the cell classifier: resumes from the newest checkpoint, then calibrates and packs the model."""
    from hemascope.app.training import train_cell_classifier
    from hemascope.recipes import CellTrainingRecipe, load_recipe

    resolved = load_recipe(recipe, CellTrainingRecipe)
    with progress_bar("training cells", resolved.steps, quiet=quiet) as bar:
        model = train_cell_classifier(
            resolved,
            data,
            run,
            out,
            f"hemascope train cells {recipe}",
            lambda s, _, loss: bar.move_to(s, f"loss {loss:.3f}"),
        )
    typer.echo(str(model))


@app.command("encoder")
def encoder(
    recipe: RecipePath,
    data: DataFolder = None,
    run: RunFolder = None,
    out: OutFolder = None,
    quiet: Quiet = False,
) -> None:
    """Train an encoder of cells without labels: resumes from the newest checkpoint, then packs the model."""
    from hemascope.app.training import train_cell_encoder
    from hemascope.recipes import EncoderTrainingRecipe, load_recipe

    resolved = load_recipe(recipe, EncoderTrainingRecipe)
    with progress_bar("training an encoder", resolved.steps, quiet=quiet) as bar:
        model = train_cell_encoder(
            resolved,
            data,
            run,
            out,
            f"hemascope train encoder {recipe}",
            lambda s, _, loss: bar.move_to(s, f"loss {loss:.3f}"),
        )
    typer.echo(str(model))


@app.command("denoiser")
def denoiser(
    recipe: RecipePath,
    data: DataFolder = None,
    run: RunFolder = None,
    out: OutFolder = None,
    quiet: Quiet = False,
) -> None:
    """Train the denoiser of cell images: resumes from the newest checkpoint, then packs the model."""
    from hemascope.app.training import train_image_denoiser
    from hemascope.recipes import DenoiserTrainingRecipe, load_recipe

    resolved = load_recipe(recipe, DenoiserTrainingRecipe)
    with progress_bar("training a denoiser", resolved.steps, quiet=quiet) as bar:
        model = train_image_denoiser(
            resolved,
            data,
            run,
            out,
            f"hemascope train denoiser {recipe}",
            lambda s, _, loss: bar.move_to(s, f"loss {loss:.3f}"),
        )
    typer.echo(str(model))


@app.command("latent")
def latent(
    recipe: RecipePath,
    data: DataFolder = None,
    run: RunFolder = None,
    out: OutFolder = None,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="Device of torch: cpu, or cuda for the full size.")
    ] = "cpu",
    quiet: Quiet = False,
) -> None:
    """Train the latent diffusion (Stable Diffusion 1.5): resumes from the newest checkpoint, then packs the model."""
    from hemascope.app.training import train_latent_denoiser
    from hemascope.recipes import LatentTrainingRecipe, load_recipe

    resolved = load_recipe(recipe, LatentTrainingRecipe)
    with progress_bar("training a latent diffusion", resolved.steps, quiet=quiet) as bar:
        model = train_latent_denoiser(
            resolved,
            data,
            run,
            out,
            f"hemascope train latent {recipe}",
            lambda s, _, loss: bar.move_to(s, f"loss {loss:.3f}"),
            device,
        )
    typer.echo(str(model))


@app.command("red-cells")
def red_cells(
    recipe: RecipePath,
    data: DataFolder = None,
    run: RunFolder = None,
    out: OutFolder = None,
    fold: FoldOption = None,
    quiet: Quiet = False,
) -> None:
    """Train the red cell classifier: resumes from the newest checkpoint, then calibrates and packs the model."""
    from hemascope.app.training import train_red_cell_classifier
    from hemascope.data.folds import Fold
    from hemascope.recipes import RedCellTrainingRecipe, load_recipe

    resolved = load_recipe(recipe, RedCellTrainingRecipe)
    part = Fold.parse(fold) if fold else None
    with progress_bar("training red cells", resolved.steps, quiet=quiet) as bar:
        model = train_red_cell_classifier(
            resolved,
            data,
            run,
            out,
            f"hemascope train red-cells {recipe}" + (f" --fold {part}" if part else ""),
            lambda s, _, loss: bar.move_to(s, f"loss {loss:.3f}"),
            part,
        )
    typer.echo(str(model))


@app.command("segmenter")
def segmenter(
    recipe: RecipePath,
    data: DataFolder = None,
    run: RunFolder = None,
    out: OutFolder = None,
    fold: FoldOption = None,
    quiet: Quiet = False,
) -> None:
    """Train the finder: resumes from the newest checkpoint, then chooses thresholds and packs the model."""
    from hemascope.app.training import train_finder
    from hemascope.data.folds import Fold
    from hemascope.recipes import SegmenterTrainingRecipe, load_recipe

    resolved = load_recipe(recipe, SegmenterTrainingRecipe)
    part = Fold.parse(fold) if fold else None
    with progress_bar("training segmenter", resolved.steps, quiet=quiet) as bar:
        model = train_finder(
            resolved,
            data,
            run,
            out,
            f"hemascope train segmenter {recipe}" + (f" --fold {part}" if part else ""),
            lambda s, _, loss: bar.move_to(s, f"loss {loss:.3f}"),
            part,
        )
    typer.echo(str(model))
